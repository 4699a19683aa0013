"""What the next round will cost at most: responses, questions, calls, tokens, disk; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import comb
from typing import Any

from tasks.config import Config
from tasks.quotas import num_answered

FLOAT_BYTES = 4
ROW_BYTES = 600
"""Rough size of one row of any table with its text, compressed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a plan."""

    verb: str
    """The verb."""
    what: str
    """Cell, judge or part of it."""
    amount: int
    """How many, at most."""
    unit: str
    """Of `amount`."""
    paid_calls: int = 0
    """Calls to servers that may cost money."""
    tokens: int = 0
    """Tokens that may be generated or trained on, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """What a plan needs to know of the outside."""

    prompts: int
    """Prompts of the round."""
    evaluation_prompts: int
    """Evaluation prompts of the round."""
    weight_bytes: int
    """Of the base model."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the prompts that each cell answers; the cell's own where it is not named."""


def plan_round(config: Config, sizes: Sizes) -> list[Line]:
    """The verbs of one round with the most that each can need."""
    per_prompt = sum(cell.samples for cell in config.matrix.values())
    comparisons = _comparisons(config, per_prompt)
    sampling = _sampling(config, sizes)
    responses = sum(line.amount for line in sampling)
    return [
        Line(verb="collect", what="prompts", amount=sizes.prompts, unit="prompts"),
        *sampling,
        *_judging(config.judges, sizes.prompts * comparisons, ""),
        Line(
            verb="annotate",
            what="people",
            unit="comparisons",
            amount=round(sizes.prompts * comparisons * config.annotate.budget),
        ),
        Line(verb="pair", what="comparisons", amount=sizes.prompts * comparisons, unit="pairs"),
        Line(verb="score", what="responses", amount=responses, unit="responses"),
        Line(verb="train", what="steps", unit="steps", amount=_steps(config, sizes.prompts)),
        Line(
            verb="evaluate",
            what="policy, reference, sft",
            amount=3 * sizes.evaluation_prompts,
            unit="responses",
            tokens=3 * sizes.evaluation_prompts * config.matrix[config.policy_cell].max_tokens,
        ),
        *_judging(config.evaluation.judges, 3 * sizes.evaluation_prompts, " · evaluation"),
    ]


def _comparisons(config: Config, per_prompt: int) -> int:
    """Comparisons of one prompt, at most."""
    every = comb(per_prompt, 2)
    budget = getattr(config.comparisons, "budget", None)
    return every if budget is None else min(every, budget)


def _sampling(config: Config, sizes: Sizes) -> list[Line]:
    lines = []
    for name, cell in config.matrix.items():
        prompts = num_answered(sizes.prompts, sizes.shares.get(name, cell.share))
        amount = prompts * cell.samples
        own = cell.engine.NEEDS_WEIGHTS or cell.engine.TAKES_TOKENS
        generated = own or hasattr(cell.engine, "base_url")
        lines.append(
            Line(
                verb="sample",
                what=name,
                amount=amount,
                unit="responses",
                paid_calls=0 if own or not generated else amount,
                tokens=amount * cell.max_tokens if generated else 0,
            )
        )
    return lines


def _judging(judges: Mapping[str, Any], comparisons: int, part: str) -> list[Line]:
    lines = []
    for name, judge in judges.items():
        questions = comparisons * (2 if judge.both_orders else 1)
        asks = judge.SHAPE == "asks"
        lines.append(
            Line(
                verb="judge",
                what=f"{name}{part}",
                amount=questions,
                unit="questions",
                paid_calls=questions if asks else 0,
                tokens=questions * judge.max_tokens if asks else 0,
            )
        )
    return lines


def _steps(config: Config, prompts: int) -> int:
    training = config.training
    steps = -(-prompts // training.prompts_per_batch) * training.epochs
    return min(steps, training.max_steps or steps)


def disk_bytes(config: Config, sizes: Sizes, lines: list[Line]) -> int:
    """Bytes that one round adds, roughly: tables, the policy, and its training checkpoints."""
    rows = sum(line.amount for line in lines if line.unit in ("responses", "questions"))
    optimizer_states = 2 * 3 * sizes.weight_bytes  # two checkpoints of weights and two moments
    return rows * ROW_BYTES + sizes.weight_bytes + optimizer_states
