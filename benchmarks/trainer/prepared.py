"""One set of pairs made ready for both sides: token ids, the order, reference log-probabilities."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.trainer.groups import Group
from benchmarks.trainer.jobs import Trainers
from benchmarks.trainer.plan import SIDES, Side
from benchmarks.trainer.rows import (
    PairRow,
    TokenGroup,
    by_length,
    choose,
    num_tokens,
    ordered_pairs,
    write_examples,
    write_trl_rows,
)
from tasks.tokens import load_tokenizer

SAME_LOGP = 1e-5
"""Share by which the two sides' log-probability of a response may differ: rounding of its sum."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What both sides train on."""

    folder: Path
    groups: list[TokenGroup]
    pairs: list[PairRow]
    """In the order of the steps."""
    prompts_per_step: int
    device_batches: int
    """TRL's device batches of a step."""
    pairs_per_device_batch: int
    steps: int

    @property
    def examples(self) -> Path:
        """The file that our trainer reads."""
        return self.folder / "examples.arrow"

    def rows(self, side: Side) -> Path:
        """The file that TRL reads, in the order of `side`."""
        return self.folder / f"rows-{side}.jsonl"

    def order(self, side: Side, seed: int) -> list[int]:
        """Numbers of the pairs in the order in which `side` comes to them."""
        if side == "trl_by_length":
            return by_length(self.groups, self.pairs, self.pairs_per_device_batch, seed)
        return list(range(len(self.pairs)))

    @property
    def tokens_per_microbatch(self) -> int:
        """Tokens of one device batch of TRL on average, padding left out."""
        return num_tokens(self.groups, self.pairs) // (self.steps * self.device_batches)

    def our_settings(self) -> dict[str, Any]:
        """How our trainer goes over the pairs."""
        return {
            "prompts_per_batch": self.prompts_per_step,
            "tokens_per_microbatch": self.tokens_per_microbatch,
        }

    def trl_settings(self) -> dict[str, Any]:
        """How TRL goes over the pairs."""
        return {
            "job": "train",
            "pairs_per_device_batch": self.pairs_per_device_batch,
            "device_batches_per_step": self.device_batches,
            "reference": str(self.folder / "trl-reference" / "result.json"),
        }


def choose_groups(trainers: Trainers, groups: Sequence[Group]) -> list[TokenGroup]:
    """The groups that fit the model and the limit of tokens, in an order fixed by the seed."""
    plan = trainers.plan
    return choose(groups, load_tokenizer(trainers.model), plan.max_tokens, plan.seed)


def prepare(
    trainers: Trainers,
    folder: Path,
    groups: Sequence[TokenGroup],
    prompts_per_step: int,
    steps: int,
) -> Prepared:
    """Write what both sides read for `steps` steps over the first groups.

    Raises ValueError if there are too few groups, or if the sides disagree about the reference.
    """
    wanted = prompts_per_step * steps
    if len(groups) < wanted:
        raise ValueError(f"{folder.name}: {wanted} prompts are wanted, {len(groups)} are there")
    used = list(groups[:wanted])
    pairs = ordered_pairs(used, prompts_per_step, steps, trainers.plan.seed)
    per_step = len(pairs) // steps
    prepared = Prepared(
        folder=folder,
        groups=used,
        pairs=pairs,
        prompts_per_step=prompts_per_step,
        device_batches=trainers.plan.device_batches(per_step),
        pairs_per_device_batch=min(trainers.plan.pairs_per_device_batch, per_step),
        steps=steps,
    )
    _write(trainers, prepared)
    return prepared


def _write(trainers: Trainers, prepared: Prepared) -> None:
    folder = prepared.folder
    logps = trainers.score(folder / "our-reference", trainers.model, prepared.groups)
    write_examples(prepared.examples, prepared.groups, logps)
    for side in SIDES[1:]:
        order = prepared.order(side, trainers.plan.seed)
        write_trl_rows(prepared.rows(side), prepared.groups, prepared.pairs, order)
    theirs = trainers.trl(folder / "trl-reference", prepared.rows("trl"), {"job": "reference"})
    for number, pair in enumerate(prepared.pairs):
        group = prepared.groups[pair.group]
        for name, response in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            ours = sum(logps[group.name(response)])
            apart = abs(ours - theirs[f"ref_{name}_logps"][number]) / abs(ours)
            if apart > SAME_LOGP:
                raise ValueError(
                    f"{folder.name}: the sides' reference log-probabilities of row {number} "
                    f"({name}) differ by a share of {apart:.2g}: {json.dumps(pair)}"
                )
