"""How each cell of the model matrix did."""

from collections import Counter
from typing import Any, NamedTuple

from tasks.records import Response
from tasks.report.data import RoundData
from tasks.tables import grouped


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
    responses = grouped(data.responses, by="cell")
    names = [*settings, *sorted(set(responses) - set(settings))]
    cell_of = {response.response_id: response.cell for response in data.responses}
    decided, won = _contests(data, cell_of)
    chosen = Counter(cell_of.get(pair.chosen_id) for pair in data.pairs)
    rejected = Counter(cell_of.get(pair.rejected_id) for pair in data.pairs)
    return [
        CellRow(
            name=name,
            settings=settings.get(name, {}),
            responses=len(responses.get(name, [])),
            mean_words=_mean_words(responses.get(name, [])),
            truncated=_truncated(responses.get(name, [])),
            decided=decided[name],
            won=won[name],
            chosen=chosen[name],
            rejected=rejected[name],
        )
        for name in names
    ]


def _contests(data: RoundData, cell_of: dict[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Decided preferences between two cells: those each took part in, and those it won."""
    decided, won = Counter[str](), Counter[str]()
    for row in data.preferences:
        sides = {"a": cell_of.get(row.a_id), "b": cell_of.get(row.b_id)}
        winner = sides.get(row.outcome)
        if winner is None or sides["a"] == sides["b"]:
            continue
        decided.update(cell for cell in sides.values() if cell is not None)
        won[winner] += 1
    return decided, won


def _mean_words(responses: list[Response]) -> float | None:
    if not responses:
        return None
    return sum(len(response.text.split()) for response in responses) / len(responses)


def _truncated(responses: list[Response]) -> float | None:
    if not responses:
        return None
    return sum(response.finish_reason == "length" for response in responses) / len(responses)
