"""Cells that neither win nor lose usefully: which they are, and when they are asked no more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.canonical import digest
from tasks.config import CellSection, Config
from tasks.quotas import next_shares
from tasks.records import PreferencePair, Response
from tasks.tables import grouped
from tasks.variants import settings_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Contribution:
    """What a round would miss without a cell."""

    prompts: int
    """Prompts that the cell answered."""
    won: int
    """Of these, how many have a pair in which it is chosen over another cell."""
    only_rejected: int
    """Of the others, how many have pairs, and none without it: nobody else is rejected there."""

    @property
    def share(self) -> float:
        """Share of the prompts it answered on which it was needed."""
        return (self.won + self.only_rejected) / self.prompts

    def __add__(self, other: "Contribution") -> "Contribution":
        """Both, of different prompts."""
        return Contribution(
            prompts=self.prompts + other.prompts,
            won=self.won + other.won,
            only_rejected=self.only_rejected + other.only_rejected,
        )


NO_CONTRIBUTION = Contribution(prompts=0, won=0, only_rejected=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retired:
    """A cell that is asked for nothing more."""

    cell: str
    """Its name."""
    settings: str
    """Digest of its settings: another model or engine under that name is another cell."""
    after_round: int
    """The last round in which it answered."""
    rounds: list[int]
    """The idle rounds."""
    shares: list[float]
    """On what share of the prompts it was needed in each of them."""

    @property
    def why(self) -> str:
        """The reason, with its numbers."""
        said = ", ".join(
            f"{share:.1%} in round {index}"
            for index, share in zip(self.rounds, self.shares, strict=True)
        )
        return f"needed on {said} of the prompts it answered"


def contributions(
    responses: Iterable[Response], pairs: Iterable[PreferencePair]
) -> dict[str, Contribution]:
    """The contribution of every cell that answered."""
    rows = list(responses)
    cell_of = {row.response_id: row.cell for row in rows}
    by_prompt = {
        prompt_id: [(cell_of[one.chosen_id], cell_of[one.rejected_id]) for one in members]
        for prompt_id, members in grouped(pairs).items()
    }
    return {
        cell: _contribution(cell, {row.prompt_id for row in own}, by_prompt)
        for cell, own in sorted(grouped(rows, "cell").items())
    }


def _contribution(
    cell: str, answered: set[str], pairs: Mapping[str, Sequence[tuple[str, str]]]
) -> Contribution:
    won = lost = 0
    for prompt_id in answered:
        sides = pairs.get(prompt_id, ())
        if any(chosen == cell != rejected for chosen, rejected in sides):
            won += 1
        elif sides and all(cell in both for both in sides):
            lost += 1
    return Contribution(prompts=len(answered), won=won, only_rejected=lost)


def retired_after(config: Config, manifests: Sequence[Mapping[str, Any]]) -> list[Retired]:
    """The cells that are retired once the last of `manifests`, which is being written, is done.

    Rounds in which a cell answered nothing say nothing of it. A cell whose settings have changed
    begins anew.
    """
    still = retired_cells(config, manifests[:-1])
    names = {one.cell for one in still}
    found = [
        one
        for cell, settings in config.matrix.items()
        if cell not in names and _may_retire(cell, config)
        if (one := _idle(cell, settings_digest(settings), config, manifests))
    ]
    return [*still, *found]


def retired_cells(config: Config, manifests: Sequence[Mapping[str, Any]]) -> list[Retired]:
    """The retired cells of the last of `manifests` that `config` does not bring back."""
    rows = manifests[-1].get("retired", []) if manifests else []
    return [
        one
        for one in (Retired(**row) for row in rows)
        if one.cell in config.matrix
        and _may_retire(one.cell, config)
        and one.settings == settings_digest(config.matrix[one.cell])
    ]


def shares_of(config: Config, manifests: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The share of the prompts that each cell answers in the round after `manifests`."""
    declared = {name: cell.share for name, cell in config.matrix.items()}
    useful = manifests[-1].get("usefulness", {}) if manifests else {}
    shares = next_shares(declared, useful, config.policy_cell, config.quotas)
    return shares | {one.cell: 0.0 for one in retired_cells(config, manifests)}


def _may_retire(cell: str, config: Config) -> bool:
    quotas = config.quotas
    return quotas.retire_after is not None and cell not in (config.policy_cell, *quotas.keep)


def settings_digest(cell: CellSection) -> str:
    """Names what a cell is: engine, decoding and model; not how much it answers."""
    return digest({"model": cell.model, **settings_of(cell)})[:16]


def contribution_rows(
    found: Mapping[str, Contribution], config: Config
) -> dict[str, dict[str, Any]]:
    """Contributions as a round's manifest keeps them, with what the cells were."""
    return {
        cell: {**asdict(one), "settings": settings_digest(config.matrix[cell])}
        for cell, one in found.items()
        if cell in config.matrix
    }


def _idle(
    cell: str, settings: str, config: Config, manifests: Sequence[Mapping[str, Any]]
) -> Retired | None:
    """The cell as retired if it was idle in the last `retire_after` rounds it answered in."""
    seen = []
    for manifest in manifests:
        row = manifest.get("contributions", {}).get(cell)
        if row and row["settings"] == settings:
            numbers = {name: row[name] for name in ("prompts", "won", "only_rejected")}
            seen.append((manifest["round_index"], Contribution(**numbers).share))
    rounds = config.quotas.retire_after or 0
    last = seen[-rounds:]
    if len(last) < rounds or any(share >= config.quotas.idle_below for _, share in last):
        return None
    return Retired(
        cell=cell,
        settings=settings,
        after_round=last[-1][0],
        rounds=[index for index, _ in last],
        shares=[round(share, 6) for _, share in last],
    )
