"""Part of the replay door: what earlier rounds have left, read from their stages."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from infra.artifacts import Finished, open_artifact
from infra.place import store_of, table_of
from infra.run_tree import RunTree
from tasks.contest import CHALLENGER, CHAMPION
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import EvaluationText, found_in, screen_of_responses
from tasks.derivations import TABLE as ORIGINS
from tasks.derivations import Derivation, transforms_among
from tasks.errors import DataError
from tasks.records import Artifact, Place, PreferencePair, Prompt, Response, Verdict
from tasks.replaying import remembered
from tasks.replays._contract import Remembered
from tasks.tables import content, from_table, schema, to_table
from tasks.variants import settings_of

POOL, PROMPTS, PAIRS, REPLAY = "collect-pool", "collect-train", "pair", "replay"
"""Roles of stages."""
NOT_OWN = (REPLAY, PAIRS, f"{CHAMPION}-", f"{CHALLENGER}-")
"""Begin the roles of stages whose responses and verdicts are not a round's own: what it replayed,
and what the recipe that lost has made."""
MEASURED = re.compile(r"sample-(evaluation|divergence)-.*|judge-.*-evaluation")
"""Roles of stages that nothing is trained on; cells and judges may have any names."""


class Earlier:
    """The committed rounds of a run before this one, as `replay` looks at them."""

    def __init__(self, replay: Any, place: Place) -> None:
        self._store = store_of(place)
        self._place = place
        self._replay = replay
        tree = RunTree(self._store, place.run)
        self._manifests = tree.manifests()[: place.round_index]
        self._pool = tree.pointer(place.round_index, POOL)

    @cached_property
    def _last(self) -> Finished | None:
        """What the last round that replayed kept."""
        found = (self._stage(one, REPLAY) for one in self._later if REPLAY in one["artifacts"])
        return next(found, None)

    @cached_property
    def _later(self) -> list[dict[str, Any]]:
        """The last round that replayed, and those after it."""
        replayed = [n for n, one in enumerate(self._manifests) if REPLAY in one["artifacts"]]
        return self._manifests[replayed[-1] if replayed else 0 :]

    @cached_property
    def _unread(self) -> list[dict[str, Any]]:
        """The rounds whose pairs are not in what was kept: all if it was kept by other rules."""
        if self._last is None:
            return self._manifests
        same = self._last.manifest["key"]["settings"] == settings_of(self._replay)
        return self._later[1:] if same else self._manifests

    @cached_property
    def memory(self) -> list[Remembered]:
        """What this round may replay, oldest first; counters go on whatever the rules were."""
        last = [] if self._last is None else list(from_table(Remembered, self._last.table()))
        times = {one.pair_id: one.times_replayed for one in last}
        known = last if len(self._unread) < len(self._manifests) else []
        for manifest in self._unread:
            own = remembered(self._own_pairs(manifest), manifest["round_index"])
            known += [replace(one, times_replayed=times.get(one.pair_id, 0)) for one in own]
        kept: list[Remembered] = self._replay.kept(known, self._place.round_index)
        return kept

    def contents(self) -> dict[str, str]:
        """What decides what is replayed, as inputs of a stage: the memory, and where it comes from.

        The ids of a pair say nothing of its margin, or of what judges and people said of it.
        """
        found = {"memory": content(Remembered, to_table(Remembered, self.memory))}
        for manifest, _ in self._by_round(self.memory):
            pairs = self._stage(manifest, self._role_of_pairs(manifest)).artifact
            index = manifest["round_index"]
            found |= {f"pairs-{index}": pairs.content, f"pairs_stage-{index}": pairs.stage}
        return found

    def pool(self) -> Finished:
        """The stage of this round's pool."""
        return open_artifact(self._store, Artifact(**self._pool or {}))

    def groups(self, prompt_ids: Collection[str]) -> dict[str, str]:
        """The group_id of those of `prompt_ids` that are train prompts of this round's pool."""
        wanted = pa.array(sorted(prompt_ids), pa.string())
        found: dict[str, str] = {}
        with self.pool().opened() as table:
            for rows in table.groups(["prompt_id", "split", "group_id"]):
                about = pc.is_in(rows.column("prompt_id"), wanted)
                some = rows.filter(pc.and_(about, pc.equal(rows.column("split"), "train")))
                ids, groups = (some.column(name).to_pylist() for name in ("prompt_id", "group_id"))
                found |= dict(zip(ids, groups, strict=True))
        return found

    def pairs(self, drawn: Collection[Remembered]) -> list[PreferencePair]:
        """The pairs that were drawn, as their rounds made them."""
        found = []
        for manifest, some in self._by_round(drawn):
            wanted = {one.pair_id for one in some}
            found += [one for one in self._own_pairs(manifest) if one.pair_id in wanted]
        if missing := {one.pair_id for one in drawn} - {one.pair_id for one in found}:
            raise DataError(
                f"{len(missing)} pairs to replay are no longer in their rounds, first "
                f"{min(missing)}: a round's pairs were redone; redo the replay: "
                "--set redo=[replay]"
            )
        return found

    def prompts(self, drawn: Collection[Remembered]) -> pa.Table:
        """The prompts of what was drawn, each once."""
        parts = [schema(Prompt).empty_table()]
        for manifest, some in self._by_round(drawn):
            wanted = {one.prompt_id for one in some}
            for rows in _groups(self._stage(manifest, PROMPTS)):
                parts.append(_with(rows, "prompt_id", wanted))
        return _once(pa.concat_tables(parts), "prompt_id")

    def origins(self, drawn: Collection[Remembered]) -> pa.Table:
        """What transforms made of the responses of what was drawn, and what these are made of."""
        parts = [schema(Derivation).empty_table()]
        for manifest, some in self._by_round(drawn):
            stage = self._stage(manifest, self._role_of_pairs(manifest))
            if ORIGINS in stage.manifest["tables"]:
                table, wanted = stage.table(ORIGINS), _ids(_sides(some))
                made = pc.is_in(table.column("response_id"), wanted)
                parts.append(
                    table.filter(pc.or_(made, pc.is_in(table.column("made_from"), wanted)))
                )
        return pa.concat_tables(parts)

    def responses(self, drawn: Collection[Remembered], origins: pa.Table | None = None) -> pa.Table:
        """The responses of what was drawn and those in `origins`, whoever gave them, each once."""
        further = set() if origins is None else {*origins["response_id"].to_pylist()}
        parts = [schema(Response).empty_table()]
        for manifest, some in self._by_round(drawn):
            wanted = _sides(some) | further
            for rows in self._rows(manifest, Response):
                parts.append(_with(rows, "response_id", wanted))
        return _once(pa.concat_tables(parts), "response_id")

    def verdicts(self, drawn: Collection[Remembered]) -> pa.Table:
        """What was said of the responses of what was drawn, of two of them or of one alone."""
        parts = [schema(Verdict).empty_table()]
        for manifest, some in self._by_round(drawn):
            sides = _sides(some)
            for rows in self._rows(manifest, Verdict):
                parts.append(_with(_with(rows, "a_id", sides), "b_id", sides | {""}))
        return pa.concat_tables(parts)

    def clean(self, drawn: Sequence[Remembered]) -> list[Remembered]:
        """`drawn` without pairs whose responses repeat an evaluation text.

        A round has looked for the texts that it knew; those of another pool are looked for again.
        """
        known = {
            one["round_index"]
            for one in self._manifests
            if one["artifacts"].get(POOL, {}).get("uri") == (self._pool or {}).get("uri")
        }
        responses = self.responses([one for one in drawn if one.round_index not in known])
        gone = self._contaminated(responses) if responses.num_rows else set()
        return [one for one in drawn if gone.isdisjoint((one.chosen_id, one.rejected_id))]

    def _contaminated(self, responses: pa.Table) -> set[str]:
        """Ids of `responses` that repeat an evaluation text of this round's pool."""
        pool = self.pool()
        settings = pool.manifest["key"]["settings"]["decontamination"]
        if settings is None or not settings["responses"]:
            return set()
        texts = list(from_table(EvaluationText, pool.table("texts")))
        said = responses.column("text").to_pylist()
        screen = screen_of_responses(texts, said, DecontaminationSettings(**settings))
        ids = responses.column("response_id").to_pylist()
        return {one.row_id for one in found_in(ids, said, screen)}

    def _by_round(
        self, drawn: Collection[Remembered]
    ) -> Iterator[tuple[Mapping[str, Any], list[Remembered]]]:
        for manifest in self._manifests:
            index = manifest["round_index"]
            if some := [one for one in drawn if one.round_index == index]:
                yield manifest, some

    def _own_pairs(self, manifest: Mapping[str, Any]) -> Iterator[PreferencePair]:
        """What a round made to train on."""
        role = self._role_of_pairs(manifest)
        return from_table(PreferencePair, self._stage(manifest, role).table())

    def _role_of_pairs(self, manifest: Mapping[str, Any]) -> str:
        """The last stage of a round that made or changed its own pairs."""
        return [PAIRS, *transforms_among(manifest["artifacts"])][-1]

    def _rows(self, manifest: Mapping[str, Any], record: type) -> Iterator[pa.Table]:
        """What a round's own stages hold of `record`, a group of rows at a time."""
        for role in manifest["artifacts"]:
            if role.startswith(NOT_OWN) or MEASURED.fullmatch(role):
                continue
            stage = self._stage(manifest, role)
            if _holds(stage, record):
                yield from _groups(stage)

    def _stage(self, manifest: Mapping[str, Any], role: str) -> Finished:
        return open_artifact(self._store, Artifact(**manifest["artifacts"][role]))


def groups_held_out(prompts: Artifact, pairs: Artifact, place: Place) -> set[str]:
    """The groups of prompts whose pairs measure in this round."""
    held_out = table_of(place, pairs, "held_out").column("prompt_id")
    asked = table_of(place, prompts)
    some = asked.filter(pc.is_in(asked.column("prompt_id"), held_out.combine_chunks()))
    return set(some.column("group_id").to_pylist())


def _sides(drawn: Collection[Remembered]) -> set[str]:
    return {one for each in drawn for one in (each.chosen_id, each.rejected_id)}


def _holds(stage: Finished, record: type) -> bool:
    """Whether the main table of a stage is of `record`."""
    entry = stage.manifest["tables"].get("rows")
    return entry is not None and entry["record"] == record.__name__


def _groups(stage: Finished) -> Iterator[pa.Table]:
    """The rows of a stage's main table, a group at a time."""
    with stage.opened() as table:
        yield from table.groups()


def _with(table: pa.Table, column: str, wanted: Collection[str]) -> pa.Table:
    return table.filter(pc.is_in(table.column(column), _ids(wanted)))


def _ids(wanted: Collection[str]) -> pa.Array:
    return pa.array(sorted(wanted), pa.string())


def _once(table: pa.Table, column: str) -> pa.Table:
    """`table` with the first row of each value of `column`, sorted by it."""
    seen: dict[str, int] = {}
    for place, value in enumerate(table.column(column).to_pylist()):
        seen.setdefault(value, place)
    return table.take(pa.array([seen[value] for value in sorted(seen)], pa.int64()))
