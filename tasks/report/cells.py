"""How each cell of the model matrix did."""

from typing import Any, NamedTuple

from tasks.report.data import RoundData
from tasks.report.tally import CellTally


class CellRow(NamedTuple):
    """One cell: its settings, what it wrote, and how it fared against other cells."""

    name: str
    settings: dict[str, Any]
    """engine, model, samples, temperature as configured, and the round's strength and share."""
    responses: int
    mean_words: float | None
    truncated: float | None
    """Share of its responses that were cut at the token limit."""
    decided: int
    """Decided preferences against a response of another cell."""
    won: int
    chosen: int
    """Pairs in which a response of it is chosen."""
    rejected: int

    @property
    def win_share(self) -> float | None:
        """Share of the decided preferences against other cells that it won."""
        return self.won / self.decided if self.decided else None

    @property
    def share(self) -> float:
        """Share of the round's prompts that it answered."""
        return float(self.settings.get("share", 1.0))

    @property
    def described(self) -> str:
        """Engine and decoding settings in one line."""
        samples, temperature = (self.settings.get(key) for key in ("samples", "temperature"))
        parts = [
            self.settings.get("engine"),
            None if samples is None else f"{samples} a prompt",
            None if self.share >= 1 else f"{self.share:.0%} of the prompts",
            None if temperature is None else f"temperature {temperature}",
        ]
        return ", ".join(str(part) for part in parts if part)


def cell_rows(data: RoundData) -> list[CellRow]:
    """A row for each cell of the matrix, then for cells that only occur in responses."""
    settings = {str(cell.get("name", "")): cell for cell in data.cells}
    tallies = data.tally.cells
    names = [*settings, *sorted(set(tallies) - set(settings))]
    return [_row(name, settings.get(name, {}), tallies.get(name, CellTally())) for name in names]


def _row(name: str, settings: dict[str, Any], tally: CellTally) -> CellRow:
    responses = tally.responses
    return CellRow(
        name=name,
        settings=settings,
        responses=responses,
        mean_words=tally.words / responses if responses else None,
        truncated=tally.truncated / responses if responses else None,
        decided=tally.decided,
        won=tally.won,
        chosen=tally.chosen,
        rejected=tally.rejected,
    )
