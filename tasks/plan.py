"""What the next round will cost at most: responses, questions, calls, tokens, disk; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.config import CellSection, Config
from tasks.quotas import num_answered
from tasks.records import Prompt
from tasks.spending import Terms
from tasks.usage import cost_usd, is_paid

FLOAT_BYTES = 4
ROW_BYTES = 600
"""Rough size of one row of any table with its text, compressed."""
TURN_TOKENS = 20
"""What a chat template adds to a prompt, generously."""
QUESTION_TOKENS = 1000
"""What a judge's template adds to prompt and responses, generously."""


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
    cost_usd: float | None = None
    """Price of its calls, at most; None where nothing is paid or no price is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """What a plan needs to know of the outside."""

    prompts: int
    """Prompts of the round."""
    evaluation_prompts: int
    """Evaluation prompts of the round."""
    prompt_bytes: int
    """UTF-8 bytes of the round's prompts, at most: no tokenizer makes more tokens of them."""
    evaluation_bytes: int
    """As much for the evaluation prompts."""
    weight_bytes: int
    """Of the base model."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the prompts that each cell answers; the cell's own where it is not named."""


def bytes_of(prompt: Prompt) -> int:
    """UTF-8 bytes of a prompt's turns."""
    return sum(len(turn["content"].encode()) for turn in prompt.messages)


def plan_round(config: Config, sizes: Sizes) -> list[Line]:
    """The verbs of one round with the most that each can need."""
    per_prompt = sum(cell.samples for cell in config.matrix.values())
    comparisons = _comparisons(config, per_prompt)
    sampling = [_sampling(name, cell, sizes, config.terms) for name, cell in config.matrix.items()]
    responses = sum(line.amount for line in sampling)
    return [
        Line(verb="collect", what="prompts", amount=sizes.prompts, unit="prompts"),
        *sampling,
        *_judging(config, sizes, comparisons),
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
        *_evaluation_judging(config, sizes),
    ]


def _comparisons(config: Config, per_prompt: int) -> int:
    """Comparisons of one prompt, at most."""
    return int(config.comparisons.most(per_prompt))


def _sampling(name: str, cell: CellSection, sizes: Sizes, terms: Terms) -> Line:
    """One cell; paid calls draw up to `per_request` samples each."""
    price = terms.price_of(cell.engine, cell.model) if is_paid(cell.engine) else None
    share = sizes.shares.get(name, cell.share)
    prompts = num_answered(sizes.prompts, share)
    amount = prompts * cell.samples
    paid = is_paid(cell.engine)
    generates = paid or cell.engine.NEEDS_WEIGHTS or cell.engine.TAKES_TOKENS
    tokens = amount * cell.max_tokens if generates else 0
    calls_each = -(-cell.samples // cell.engine.per_request) if paid else 0
    turn = len(cell.system.encode()) + TURN_TOKENS
    read = calls_each * (sizes.prompt_bytes + prompts * turn)
    return Line(
        verb="sample",
        what=name,
        amount=amount,
        unit="responses",
        paid_calls=prompts * calls_each,
        tokens=tokens,
        cost_usd=cost_usd(price, read, tokens),
    )


def _judging(config: Config, sizes: Sizes, comparisons: int) -> list[Line]:
    """The judges that label: `comparisons` of each prompt."""
    longest = max(cell.max_tokens for cell in config.matrix.values())
    return [
        _judge(
            name,
            (judge, config.terms),
            sizes.prompts * comparisons,
            sizes.prompt_bytes * comparisons,
            longest,
        )
        for name, judge in config.judges.items()
    ]


def _evaluation_judging(config: Config, sizes: Sizes) -> list[Line]:
    """The judges of win rates: policy, reference and SFT model answer each evaluation prompt."""
    longest = config.matrix[config.policy_cell].max_tokens
    comparisons = config.evaluation.comparisons.most(3)
    return [
        _judge(
            f"{name} · evaluation",
            (judge, config.terms),
            comparisons * sizes.evaluation_prompts,
            comparisons * sizes.evaluation_bytes,
            longest,
        )
        for name, judge in config.evaluation.judges.items()
    ]


def _judge(
    what: str, paid_by: tuple[Any, Terms], comparisons: int, prompt_bytes: int, longest: int
) -> Line:
    """One judge; a question shows a prompt and two responses of up to `longest` tokens."""
    judge, terms = paid_by
    price = terms.price_of(judge, judge.model) if is_paid(judge) else None
    orders = 2 if judge.both_orders else 1
    questions = comparisons * orders
    paid = is_paid(judge)
    tokens = questions * judge.max_tokens if paid else 0
    read = prompt_bytes * orders + questions * (2 * longest + QUESTION_TOKENS)
    return Line(
        verb="judge",
        what=what,
        amount=questions,
        unit="questions",
        paid_calls=questions if paid else 0,
        tokens=tokens,
        cost_usd=cost_usd(price, read, tokens),
    )


def _steps(config: Config, prompts: int) -> int:
    training = config.training
    steps = -(-prompts // training.prompts_per_batch) * training.epochs
    return min(steps, training.max_steps or steps)


def disk_bytes(config: Config, sizes: Sizes, lines: list[Line]) -> int:
    """Bytes that one round adds, roughly: tables, the policy, and its training checkpoints."""
    rows = sum(line.amount for line in lines if line.unit in ("responses", "questions"))
    optimizer_states = 2 * 3 * sizes.weight_bytes  # two checkpoints of weights and two moments
    return rows * ROW_BYTES + sizes.weight_bytes + optimizer_states
