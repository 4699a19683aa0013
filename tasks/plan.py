"""What the next round will cost at most: responses, questions, calls, tokens, disk; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.challenger import recipes_of
from tasks.config import CellSection, Config
from tasks.contest import CHALLENGER
from tasks.judging import gives_scores
from tasks.quotas import num_answered
from tasks.records import Prompt
from tasks.spending import Terms
from tasks.transforming import writers_of
from tasks.usage import cost_usd, is_paid
from tasks.variants import kind_of

FLOAT_BYTES = 4
ROW_BYTES = 600
"""Rough size of one row of any table with its text, compressed."""
TURN_TOKENS = 20
"""What a chat template adds to a prompt, generously."""
COUNTED = ("responses", "questions", "scores", "verdicts", "texts")
"""Units of what leaves rows in the store."""
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
    measured: bool = True
    """Whether the round is one that is measured."""


def bytes_of(prompt: Prompt) -> int:
    """UTF-8 bytes of a prompt's turns."""
    return sum(len(turn["content"].encode()) for turn in prompt.messages)


def plan_round(config: Config, sizes: Sizes) -> list[Line]:
    """The verbs of one round with the most that each can need."""
    per_prompt = sum(cell.samples for cell in config.matrix.values())
    comparisons = _comparisons(config, per_prompt)
    pairs = _pairs(config, per_prompt)
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
        *_estimating(config, responses, sizes.prompts * pairs),
        Line(verb="pair", what="comparisons", amount=sizes.prompts * pairs, unit="pairs"),
        *_transforming(config, sizes, pairs, per_prompt),
        Line(verb="score", what="responses", amount=responses, unit="responses"),
        Line(verb="train", what="steps", unit="steps", amount=_steps(config, sizes.prompts)),
        *(_measuring(config, sizes) if sizes.measured else []),
        *(_challenger(config, sizes) if config.challenger and sizes.measured else []),
    ]


def _challenger(config: Config, sizes: Sizes) -> list[Line]:
    """What a second recipe trains and answers besides; its evaluation is judged as the first."""
    steps = _steps(recipes_of(config)[CHALLENGER], sizes.prompts)
    answers = sizes.evaluation_prompts
    tokens = answers * config.matrix[config.policy_cell].max_tokens
    return [
        Line(verb="train", what="steps of the challenger", unit="steps", amount=steps),
        Line(verb="evaluate", what="challenger", amount=answers, unit="responses", tokens=tokens),
        *(
            replace(line, what=f"{line.what} · challenger")
            for line in _evaluation_judging(config, sizes)
        ),
    ]


def _measuring(config: Config, sizes: Sizes) -> list[Line]:
    """The answers to evaluation prompts, and what judges say of them."""
    answers = Line(
        verb="evaluate",
        what="policy, reference, sft",
        amount=3 * sizes.evaluation_prompts,
        unit="responses",
        tokens=3 * sizes.evaluation_prompts * config.matrix[config.policy_cell].max_tokens,
    )
    return [answers, *_evaluation_judging(config, sizes)]


def _estimating(config: Config, responses: int, comparisons: int) -> Iterator[Line]:
    """What an estimator scores, every response once and in every pass, and what it compares."""
    one = config.estimator
    if one is None:
        return
    scores = responses * (1 + one.passes)
    yield Line(verb="estimate", what=kind_of(one), amount=scores, unit="scores")
    if one.compares != "none":
        yield Line(verb="estimate", what="comparisons", amount=2 * comparisons, unit="verdicts")


def _fitted_models(config: Config) -> int:
    """Models that an estimator leaves in the store."""
    one = config.estimator
    return 0 if one is None or one.FITS else 1 + (one.self_training is not None)


def _comparisons(config: Config, per_prompt: int) -> int:
    """Comparisons of one prompt, at most."""
    return int(config.comparisons.most(per_prompt))


def _pairs(config: Config, per_prompt: int) -> int:
    """Comparisons of one prompt that may become pairs: those of judges, or all there are.

    Of all of them an estimator may have an opinion, or nobody has to.
    """
    estimates = config.estimator is not None and config.estimator.compares == "all"
    if estimates or config.correction.uncompared == "prior":
        return per_prompt * (per_prompt - 1) // 2
    return _comparisons(config, per_prompt)


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
    asked = _Asked(
        prompts=sizes.prompts,
        prompt_bytes=sizes.prompt_bytes,
        comparisons=comparisons,
        responses=sum(cell.samples for cell in config.matrix.values()),
        longest=max(cell.max_tokens for cell in config.matrix.values()),
        terms=config.terms,
    )
    return [line for name, one in config.judges.items() for line in _judge(name, one, asked)]


def _transforming(config: Config, sizes: Sizes, pairs: int, per_prompt: int) -> Iterator[Line]:
    """The writers of transforms; a question shows a prompt and two responses."""
    shown = 2 * max(cell.max_tokens for cell in config.matrix.values())
    for _, one in writers_of(config.transforms):
        writer, each = one.writer, one.most(pairs, per_prompt)
        paid = is_paid(writer.engine)
        price = config.terms.price_of(writer.engine, writer.model) if paid else None
        texts = sizes.prompts * each
        turn = len(writer.system.encode()) + QUESTION_TOKENS
        read = sizes.prompt_bytes * each + texts * (shown + turn)
        tokens = texts * writer.max_tokens if paid or writer.engine.NEEDS_WEIGHTS else 0
        yield Line(
            verb="transform",
            what=kind_of(one),
            amount=texts,
            unit="texts",
            paid_calls=texts if paid else 0,
            tokens=tokens,
            cost_usd=cost_usd(price, read, tokens) if paid else None,
        )


def _evaluation_judging(config: Config, sizes: Sizes) -> list[Line]:
    """The judges of win rates: policy, reference and SFT model answer each evaluation prompt."""
    asked = _Asked(
        prompts=sizes.evaluation_prompts,
        prompt_bytes=sizes.evaluation_bytes,
        comparisons=config.evaluation.comparisons.most(3),
        responses=3,
        longest=config.matrix[config.policy_cell].max_tokens,
        terms=config.terms,
    )
    judges = config.evaluation.judges.items()
    return [line for name, one in judges for line in _judge(name, one, asked, " · evaluation")]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What a judge is asked about, at most."""

    prompts: int
    prompt_bytes: int
    """Of all prompts."""
    comparisons: int
    """Of one prompt."""
    responses: int
    """To one prompt."""
    longest: int
    """Longest response (tokens)."""
    terms: Terms
    """What calls cost."""


def _judge(name: str, judge: Any, asked: _Asked, what: str = "") -> list[Line]:
    """One judge, or each member of a panel; `what` is told after the name.

    A question shows a prompt and two responses, or, where the judge gives scores, one.
    """
    if judge.SHAPE == "panel":
        members = judge.members.items()
        return [line for own, one in members for line in _judge(f"{name}.{own}", one, asked, what)]
    scores = gives_scores(judge)
    each = asked.comparisons * (2 if judge.both_orders else 1)
    if scores:
        each = min(2 * asked.comparisons, asked.responses)
    questions = asked.prompts * each
    paid = is_paid(judge)
    price = asked.terms.price_of(judge, judge.model) if paid else None
    tokens = questions * judge.max_tokens if paid else 0
    shown = (1 if scores else 2) * asked.longest
    read = asked.prompt_bytes * each + questions * (shown + QUESTION_TOKENS)
    return [
        Line(
            verb="judge",
            what=f"{name}{what}",
            amount=questions,
            unit="scores" if scores else "questions",
            paid_calls=questions if paid else 0,
            tokens=tokens,
            cost_usd=cost_usd(price, read, tokens) if paid else None,
        )
    ]


def _steps(config: Config, prompts: int) -> int:
    training = config.training
    steps = -(-prompts // training.prompts_per_batch) * training.epochs
    return min(steps, training.max_steps or steps)


def disk_bytes(config: Config, sizes: Sizes, lines: list[Line]) -> int:
    """Bytes that one round adds, roughly: tables, models and kept steps, checkpoints."""
    every = config.training.keep_every
    kept = _steps(config, sizes.prompts) // every if every else 0
    rows = sum(line.amount for line in lines if line.unit in COUNTED)
    optimizer_states = 2 * 3 * sizes.weight_bytes  # two checkpoints of weights and two moments
    models = 1 + kept + _fitted_models(config)
    return rows * ROW_BYTES + models * sizes.weight_bytes + optimizer_states
