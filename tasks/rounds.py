"""Door: claims a run's rounds, keeps the lease, and tells every other door its place."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from prefect.runtime import flow_run

from infra.lease import Holder, Lease
from infra.models import local_folder, positions_of
from infra.openai_client import api_key
from infra.prefect.reports import tag_flow_run
from infra.presets import read_preset
from infra.rows import check_rows
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from tasks.claims import Claim, frozen_facts_changed, new_claim, round_config
from tasks.config import CellSection, Config, build_config, plain_config, with_overrides
from tasks.errors import ConfigError
from tasks.model_matrix import EARLIER
from tasks.records import Checkpoint, Place

VERBS = ("collect", "sample", "judge", "annotate", "pair", "score", "train", "evaluate", "refresh")

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

    def places(self) -> Iterator[Place]:
        """The place of each claimed round that is not committed yet, one after another.

        A round's place depends on the round before, so it is made when that one is done.
        """
        for round_index in self.claim.indices:
            if round_index >= len(self._tree().manifests()):
                yield self._begin(round_index)

    def _tree(self) -> RunTree:
        return RunTree(open_store(self.config.storage.root), self.run)

    def _begin(self, round_index: int) -> Place:
        """Write the round's configuration and gather what earlier rounds left."""
        tree = self._tree()
        redo = self.redo if round_index == self.claim.first_index else ()
        begun = tree.store.list(f"{tree.round_folder(round_index)}/stages")
        existing = tree.read_round(round_index, "config.json") if begun else None
        recorded = round_config(existing, plain_config(self.config), redo, self.claim, round_index)
        if recorded != existing:
            tree.write_round(round_index, "config.json", recorded)
        return place_of(self, round_index, recorded["redo"])


def place_of(rounds: Rounds, round_index: int, redo: Mapping[str, int]) -> Place:
    """What the doors of one round are told; earlier rounds are read from their manifests."""
    config = rounds.config
    manifests = rounds._tree().manifests()[:round_index]
    reference = Checkpoint(**manifests[-1]["reference_out"]) if manifests else rounds.sft
    declared = {name: cell.strength for name, cell in config.matrix.items()}
    fitted = manifests[-1]["strengths"] if manifests else {}
    return Place(
        run=rounds.run,
        round_index=round_index,
        root=config.storage.root,
        seed=config.run.seed,
        side_by_side=config.machine.side_by_side,
        redo=dict(redo),
        sft=rounds.sft,
        reference=reference,
        policies={index: Checkpoint(**one["policy"]) for index, one in enumerate(manifests)},
        strengths={name: fitted.get(name, value) for name, value in declared.items()},
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
    if root := os.environ.get("TSO_STORE"):
        own = {"storage.root": root, **own}
    return build_config(with_overrides(read_preset(preset), own)), tuple(redo)


def check_parts(config: Config) -> Checkpoint:
    """Check models, files and keys that the configuration names; the SFT model is returned.

    Raises ConfigError or DataError that names the first part that is missing or unusable.
    """
    from tasks.describe import describe

    sft = describe(local_folder(config.run.base_model))
    for name, cell in config.matrix.items():
        _check_cell(f"matrix.{name}", cell, sft)
    _check_length("training.max_tokens", config.training.max_tokens, sft)
    for judge in [*config.judges.values(), *config.evaluation.judges.values()]:
        judge.version()
        if judge.SHAPE == "asks":
            api_key(judge.api_key_env)
    for file in [*config.annotate.verdict_files, *config.annotate.response_files]:
        check_rows(file)
    return sft


def _check_cell(where: str, cell: CellSection, sft: Checkpoint) -> None:
    """Refuse a cell whose model or file is not there, or which claims to be the policy in vain."""
    from tasks.describe import describe

    policy = cell.model == "policy" or cell.origin == "policy"
    if not cell.engine.NEEDS_WEIGHTS:
        cell.engine.fingerprint(cell.model)
        if policy:
            raise ConfigError(
                f"{where} samples the policy with an engine that holds no weights; use "
                "transformers, or another origin for responses that exist already"
            )
        return
    own = cell.model == "policy" or cell.model.startswith(EARLIER)
    model = sft if own else describe(local_folder(cell.model))
    if policy and (model.tokenizer, model.template) != (sft.tokenizer, sft.template):
        raise ConfigError(
            f"{where} has origin: policy, but tokenizer or chat template of {cell.model!r} are not "
            f"those of run.base_model ({sft.uri}); write origin: model"
        )
    _check_length(f"{where}.max_tokens", cell.max_tokens, model)


def _check_length(key: str, max_tokens: int, model: Checkpoint) -> None:
    positions = positions_of(Path(model.uri))
    if positions is not None and max_tokens > positions:
        raise ConfigError(
            f"{key} is {max_tokens}, but the model in {model.uri} has {positions} positions for "
            f"prompt and response together; set it to {positions} or less"
        )


@contextmanager
def claimed(
    run: str, preset: str, overrides: Mapping[str, Any], rounds: int, until: int | None
) -> Iterator[Rounds]:
    """Hold the run and its claim: the same flow run always gets the same rounds.

    Raises ConfigError, StorageError or HeldError before anything expensive.
    """
    config, redo = resolve(preset, overrides)
    store = open_store(config.storage.root)
    store.probe()
    tree = RunTree(store, run)
    sft = check_parts(config)
    _freeze(tree, run, sft)
    flow_run_id = str(flow_run.get_id())
    tag_flow_run(run)
    with Lease(store, f"{tree.folder}/lease.json", Holder.here(flow_run_id)):
        claim = _claim(tree, flow_run_id, rounds, until)
        yield Rounds(config=config, claim=claim, run=run, redo=redo, sft=sft)


def _freeze(tree: RunTree, run: str, sft: Checkpoint) -> None:
    now = {"base model": sft.sha256, "tokenizer": sft.tokenizer, "chat template": sft.template}
    frozen_facts_changed(tree.create("frozen.json", now), now, run)


def _claim(tree: RunTree, flow_run_id: str, rounds: int, until: int | None) -> Claim:
    committed = len(tree.manifests())
    claim = new_claim(flow_run_id, committed, rounds, until)
    return Claim(**tree.create(f"claims/{flow_run_id}.json", asdict(claim)))


def outside_rounds(run: str, preset: str, overrides: Mapping[str, Any]) -> tuple[Config, Place]:
    """Configuration and place for work on a run that is no part of its rounds.

    What is done there is noted in a tree beside the run's own.
    """
    config, _ = resolve(preset, overrides)
    open_store(config.storage.root).probe()
    tag_flow_run(run)
    claim = Claim(flow_run_id="", first_index=0, last_index=-1)
    rounds = Rounds(config=config, claim=claim, run=run, redo=(), sft=check_parts(config))
    place = place_of(rounds, len(committed_rounds(open_store(config.storage.root), run)), {})
    return config, replace(place, run=f"{run}{BESIDE}", round_index=0)


def committed_rounds(store: Store, run: str) -> list[dict[str, Any]]:
    """Manifests of a run's committed rounds, in order."""
    return RunTree(store, run).manifests()
