"""Door: claims a run's rounds, keeps the lease, and tells every other door its place."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from prefect.runtime import flow_run

from infra.cache import let_go
from infra.forks import check_forked
from infra.lease import Holder, Lease
from infra.prefect.attempts import end_without_a_word
from infra.prefect.reports import tag_flow_run
from infra.presets import parts_of, read_preset
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from tasks.claims import Claim, frozen_facts_changed, new_claim, round_config
from tasks.config import Config, build_config, plain_config
from tasks.decisions import History
from tasks.errors import ConfigError
from tasks.layers import with_overrides
from tasks.recorded_config import RecordedData, build_recorded
from tasks.records import Checkpoint, Place
from tasks.retiring import shares_of
from tasks.rounds_checks import check_parts, described
from tasks.rounds_checks import checks_of as checks_of  # the command line shows them

VERBS = (
    *("collect", "sample", "judge", "annotate", "estimate", "pair", "transform", "replay"),
    *("score", "teach", "train", "evaluate", "refresh"),
)

BESIDE = ".evaluation"
"""Ends the name of the tree where evaluations of a run are noted."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """The rounds a flow run has claimed."""

    config: Config
    """The resolved configuration."""
    claim: Claim
    """Which rounds."""
    run: str
    """Name of the run."""
    redo: tuple[str, ...]
    """Verbs to do again in the first of the rounds."""
    sft: Checkpoint
    """The model the run starts from."""
    lease: Lease | None = None
    """What keeps other flow runs away; None where nothing is worked on."""

    def places(self) -> Iterator[Place]:
        """The place of each claimed round that is not committed yet, one after another.

        A round's place depends on the round before, so it is made when that one is done.
        """
        for round_index in self.claim.indices:
            if self.lease is not None:
                self.lease.check()
            if round_index >= len(self._tree().manifests()):
                yield self._begin(round_index)
                let_go()

    def _tree(self) -> RunTree:
        return RunTree(open_store(self.config.storage), self.run)

    def _begin(self, round_index: int) -> Place:
        """Write the round's configuration and gather what earlier rounds left."""
        existing, recorded = self.recorded(round_index)
        if recorded != existing:
            self._tree().write_round(round_index, "config.json", recorded)
        tag_flow_run(f"round-{round_index}")
        return place_of(self, round_index, recorded["redo"])

    def recorded(self, round_index: int) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """What the round's config.json holds if it is begun, and what it shall hold.

        Raises ConfigError if the round was begun with other settings.
        """
        tree = self._tree()
        redo = self.redo if round_index == self.claim.first_index else ()
        begun = tree.store.list(f"{tree.round_folder(round_index)}/stages")
        existing = tree.read_round(round_index, "config.json") if begun else None
        shall = round_config(existing, plain_config(self.config), redo, self.claim, round_index)
        return existing, shall


def place_of(rounds: Rounds, round_index: int, redo: Mapping[str, int]) -> Place:
    """What the doors of one round are told; earlier rounds are read from their manifests."""
    config = rounds.config
    tree = rounds._tree()
    manifests = tree.manifests()[:round_index]
    reference, fitted = rounds.sft, {}
    if manifests:
        history = History(manifests, tree.decisions())
        reference = Checkpoint(**history.reference_after(round_index - 1))
        fitted = manifests[history.basis_of(round_index - 1)]["strengths"]
    declared = {name: cell.strength for name, cell in config.matrix.items()}
    return Place(
        run=rounds.run,
        round_index=round_index,
        storage=config.storage,
        seed=config.run.seed,
        side_by_side=config.machine.side_by_side,
        redo=dict(redo),
        sft=rounds.sft,
        reference=reference,
        policies={index: Checkpoint(**one["policy"]) for index, one in enumerate(manifests)},
        estimators={
            index: Checkpoint(**one["estimator"])
            for index, one in enumerate(manifests)
            if "estimator" in one
        },
        strengths={name: fitted.get(name, value) for name, value in declared.items()},
        shares=shares_of(config, manifests),
        min_distance=config.near_duplicates.min_distance,
        terms=config.terms,
        placement=config.placement,
    )


def resolve(preset: str, overrides: Mapping[str, Any]) -> tuple[Config, tuple[str, ...]]:
    """The configuration and the verbs to redo; TSO_STORE replaces the preset's store."""
    own = dict(overrides)
    redo = own.pop("redo", [])
    if not isinstance(redo, list):
        raise ConfigError(f"redo is {redo!r}; write a list of verbs: redo=[train]")
    unknown = [verb for verb in redo if verb not in VERBS]
    if unknown:
        raise ConfigError(f"redo names {unknown}; verbs are: {', '.join(VERBS)}")
    return build_config(settled(read_preset(preset), own)), tuple(redo)


def settled(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's `data` with what replaces it: TSO_STORE, then `overrides`."""
    root = os.environ.get("TSO_STORE")
    return with_overrides(data, {**({"storage.root": root} if root else {}), **overrides})


def recorded_data(preset: str, overrides: Mapping[str, Any]) -> tuple[RecordedData, Place]:
    """The recorded part of a preset, and a place to bring it in: no run, no models."""
    data = build_recorded(settled(read_preset(preset), overrides))
    open_store(data.storage).probe()
    nothing = Checkpoint(sha256="", uri="", base="", step=0, tokenizer="", template="")
    base, recipes = parts_of(preset)
    name = re.sub(r"[^a-z0-9._-]", "-", "-".join([Path(base).stem, *recipes]).lower())
    place = Place(
        run=f"{name}.recorded",
        round_index=0,
        storage=data.storage,
        seed=0,
        side_by_side=1,
        redo={},
        sft=nothing,
        reference=nothing,
        policies={},
        strengths={cell: settings.strength for cell, settings in data.matrix.items()},
        shares={cell: settings.share for cell, settings in data.matrix.items()},
    )
    return data, place


@contextmanager
def claimed(
    run: str, preset: str, overrides: Mapping[str, Any], rounds: int, until: int | None
) -> Iterator[Rounds]:
    """Hold the run and its claim: the same flow run always gets the same rounds.

    Raises ConfigError, StorageError or HeldError before anything expensive.
    """
    config, redo = resolve(preset, overrides)
    tree = RunTree(open_store(config.storage), run)
    sft = check_parts(config)
    check_forked(tree)
    now = _frozen_facts(sft)
    frozen_facts_changed(tree.create("frozen.json", now), now, run)
    flow_run_id = str(flow_run.get_id())
    tag_flow_run(run)
    holder = Holder.here(flow_run_id)
    path = f"{tree.folder}/lease.json"
    with Lease(tree.store, path, holder, superseded=end_without_a_word) as lease:
        claim = _claim(tree, flow_run_id, rounds, until)
        yield Rounds(config=config, claim=claim, run=run, redo=redo, sft=sft, lease=lease)


def previewed(
    run: str, preset: str, overrides: Mapping[str, Any], rounds: int, until: int | None
) -> Rounds:
    """The rounds a flow run would claim now; refuses what `claimed` refuses and writes nothing."""
    config, redo = resolve(preset, overrides)
    tree = RunTree(open_store(config.storage), run)
    sft = check_parts(config)
    check_forked(tree)
    if frozen := tree.read("frozen.json"):
        frozen_facts_changed(frozen, _frozen_facts(sft), run)
    claim = new_claim("preview", len(tree.manifests()), rounds, until)
    found = Rounds(config=config, claim=claim, run=run, redo=redo, sft=sft)
    if claim.indices:
        found.recorded(claim.first_index)
    return found


def _frozen_facts(sft: Checkpoint) -> dict[str, str]:
    return {"base model": sft.sha256, "tokenizer": sft.tokenizer, "chat template": sft.template}


def _claim(tree: RunTree, flow_run_id: str, rounds: int, until: int | None) -> Claim:
    committed = len(tree.manifests())
    claim = new_claim(flow_run_id, committed, rounds, until)
    return Claim(**tree.create(f"claims/{flow_run_id}.json", asdict(claim)))


def outside_rounds(run: str, preset: str, overrides: Mapping[str, Any]) -> tuple[Config, Place]:
    """Configuration and place for work on a run that is no part of its rounds.

    What is done there is noted in a tree beside the run's own.
    """
    config, _ = resolve(preset, overrides)
    tag_flow_run(run)
    claim = Claim(flow_run_id="", first_index=0, last_index=-1)
    rounds = Rounds(config=config, claim=claim, run=run, redo=(), sft=check_parts(config))
    place = place_of(rounds, len(committed_rounds(open_store(config.storage), run)), {})
    return config, replace(place, run=f"{run}{BESIDE}", round_index=0, shares={})


def first_place(config: Config) -> Place:
    """The place of the first round of a run that has none yet."""
    claim = Claim(flow_run_id="", first_index=0, last_index=0)
    sft = described(config.run.base_model)
    rounds = Rounds(config=config, claim=claim, run="check", redo=(), sft=sft)
    return place_of(rounds, 0, {})


def committed_round(store: Store, run: str, round_index: int) -> tuple[Config, Place]:
    """Configuration and place of a committed round, as it recorded them; no model is looked at.

    Raises ConfigError if the round is not committed.
    """
    tree = RunTree(store, run)
    recorded, frozen = tree.read_round(round_index, "config.json"), tree.read("frozen.json")
    committed = len(tree.manifests())
    if recorded is None or frozen is None or round_index not in range(committed):
        raise ConfigError(
            f"round {round_index} of run {run!r} is not committed; {committed} rounds are, in "
            f"{store.root}"
        )
    recorded_config = {**recorded["config"], "storage": asdict(store.settings)}
    config = build_config(recorded_config)
    sft = Checkpoint(
        sha256=frozen["base model"],
        uri=config.run.base_model,
        base="",
        step=0,
        tokenizer=frozen["tokenizer"],
        template=frozen["chat template"],
    )
    claim = Claim(flow_run_id="", first_index=round_index, last_index=round_index)
    rounds = Rounds(config=config, claim=claim, run=run, redo=(), sft=sft)
    return config, place_of(rounds, round_index, recorded["redo"])


def committed_rounds(store: Store, run: str) -> list[dict[str, Any]]:
    """Manifests of a run's committed rounds, in order."""
    return RunTree(store, run).manifests()
