"""Finds the comparison that somebody asks about among the rounds of a run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from flows.cli.show import stages_of
from infra.artifacts import open_artifact
from infra.run_tree import RunTree
from infra.storage import Store
from tasks.derivations import TABLE as ORIGINS
from tasks.derivations import Derivation, transforms_among
from tasks.errors import ConfigError
from tasks.records import Artifact, Preference, PreferencePair
from tasks.tables import from_table

Stages = Mapping[str, Artifact]
LEAST_DIGITS = 4
"""Of a pair_id that is not written out."""


class Found(NamedTuple):
    """The comparison that was asked for, in one round."""

    round_index: int
    stages: Stages
    ids: tuple[str, str]
    """The two response ids, the smaller first."""
    pair: PreferencePair | None
    held_out: bool
    origins: Sequence[Derivation] = ()
    """Where responses come from that transforms made for it."""


class Transformed:
    """The pairs of a round as they were made, and as each transform left them."""

    def __init__(self, store: Store, stages: Stages) -> None:
        self._store = store
        self._made = [stages[role] for role in transforms_among(stages)]
        self.stages = [*reversed(self._made), stages["pair"]]
        """Those with pairs, the newest first."""

    def origins(self, **wanted: set[str]) -> list[Derivation]:
        """The derivations whose columns hold what is wanted; the last transform has them all."""
        places = [(one, ORIGINS) for one in self._made[-1:]]
        return list(rows_where(self._store, Derivation, places, wanted))

    def about(self, pair: PreferencePair) -> list[Derivation]:
        """Of the pair's responses, and of degraded variants of them."""
        ids = {pair.chosen_id, pair.rejected_id}
        variants = [one for one in self.origins(made_from=ids) if one.degree is not None]
        return [*self.origins(response_id=ids), *variants]

    def first(self, pair: PreferencePair) -> PreferencePair:
        """The pair that `pair` was before any transform."""
        sides = {pair.chosen_id, pair.rejected_id}
        for one in self.origins(response_id=sides):
            for before in self._pairs(self.stages, pair_id={one.pair_id}):
                return self.first(before)
        return pair

    def becomes(self, pair: PreferencePair) -> PreferencePair | None:
        """What is trained on in place of `pair`: itself, another pair, or nothing."""
        for same in self._pairs(self.stages[:1], pair_id={pair.pair_id}):
            return same
        for one in self.origins(pair_id={pair.pair_id}):
            for column in ("chosen_id", "rejected_id"):
                for after in self._pairs(self.stages, **{column: {one.response_id}}):
                    return self.becomes(after)
        return None

    def _pairs(self, stages: Iterable[Artifact], **wanted: set[str]) -> Iterator[PreferencePair]:
        places = [(one, "rows") for one in stages]
        yield from rows_where(self._store, PreferencePair, places, wanted)


def find_pair(tree: RunTree, asked: str, round_index: int | None = None) -> list[Found]:
    """The rounds that know a pair, newest first: a pair_id or its beginning, or two ids as A,B.

    ConfigError if none does, or if a beginning is that of several pairs.
    """
    rounds = rounds_of(tree, round_index)
    known = [found for index in rounds if (found := _find(tree, index, asked))]
    if not known:
        where = "no round" if round_index is None else f"round {round_index}"
        raise ConfigError(
            f"{where} of {tree.folder} knows a comparison {asked!r}; give a pair_id (`tso show "
            f"RUN ROUND pair`) or its first {LEAST_DIGITS} digits, or two response ids as A,B"
        )
    return known


def rounds_of(tree: RunTree, round_index: int | None) -> list[int]:
    """The rounds to look into, newest first: those that have made pairs."""
    last = len(tree.manifests())
    indices = range(last, -1, -1) if round_index is None else [round_index]
    made = [index for index in indices if "pair" in stages_of(tree, index)]
    if not made:
        which = "no round" if round_index is None else f"round {round_index}"
        raise ConfigError(f"{which} of {tree.folder} has made pairs yet; `tso status` says how far")
    return made


def _find(tree: RunTree, round_index: int, asked: str) -> Found | None:
    stages, store = stages_of(tree, round_index), tree.store
    transformed = Transformed(store, stages)
    if "," in asked:
        one, _, other = asked.partition(",")
        ids = min(one, other), max(one, other)
        compared = [(stages["pair"], "preferences")]
        if any(rows_where(store, Preference, compared, on(ids))):
            return Found(round_index, stages, ids, *_pair_of(store, stages["pair"], ids))
        for made in transformed.stages[:-1]:
            pair, held_out = _pair_of(store, made, ids)
            if pair is not None:
                return _found(round_index, stages, pair, held_out, transformed)
        return None
    for made in transformed.stages:
        for name in ("rows", "held_out"):
            pair = _only(list(_beginning(store, made, name, asked)), asked, round_index)
            if pair is not None:
                return _found(round_index, stages, pair, name == "held_out", transformed)
    return None


def _found(
    round_index: int,
    stages: Stages,
    pair: PreferencePair,
    held_out: bool,
    transformed: Transformed,
) -> Found:
    """A pair with the comparison that it goes back to."""
    first = transformed.first(pair)
    ids = min(first.chosen_id, first.rejected_id), max(first.chosen_id, first.rejected_id)
    return Found(round_index, stages, ids, pair, held_out, transformed.about(pair))


def _only(rows: Sequence[PreferencePair], asked: str, round_index: int) -> PreferencePair | None:
    """The one pair whose id begins so; ConfigError for several, None for none."""
    if len({row.pair_id for row in rows}) > 1:
        listed = ", ".join(sorted(row.pair_id for row in rows)[:5])
        raise ConfigError(
            f"{asked!r} begins several pairs of round {round_index}: {listed}; give more digits"
        )
    return rows[0] if rows else None


def _pair_of(
    store: Store, made: Artifact, ids: tuple[str, str]
) -> tuple[PreferencePair | None, bool]:
    """The pair that a comparison became, and whether it is held out."""
    wanted = {"chosen_id": set(ids), "rejected_id": set(ids)}
    for name in ("rows", "held_out"):
        for row in rows_where(store, PreferencePair, [(made, name)], wanted):
            return row, name == "held_out"
    return None, False


def _beginning(store: Store, made: Artifact, name: str, asked: str) -> Iterator[PreferencePair]:
    """The pairs of a table whose id begins with `asked`."""
    if len(asked) < LEAST_DIGITS:
        raise ConfigError(f"{asked!r} is too short; give {LEAST_DIGITS} digits of a pair_id")
    with open_artifact(store, made).opened(name) as table:
        for rows in table.groups():
            some = rows.filter(pc.starts_with(rows.column("pair_id"), asked))
            yield from from_table(PreferencePair, some)


def on(ids: tuple[str, str]) -> dict[str, set[str]]:
    """What the rows about two responses hold."""
    return {"a_id": {ids[0]}, "b_id": {ids[1]}}


def rows_where(
    store: Store,
    record: type,
    places: Iterable[tuple[Artifact, str]],
    wanted: Mapping[str, set[str]],
) -> Iterator[Any]:
    """The records of some tables whose columns all hold one of the values wanted."""
    for artifact, name in places:
        with open_artifact(store, artifact).opened(name) as table:
            for rows in table.groups():
                for column, values in wanted.items():
                    known = pa.array(sorted(values), pa.string())
                    rows = rows.filter(pc.is_in(rows.column(column), known))
                yield from from_table(record, rows)
