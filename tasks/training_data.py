"""Pairs and responses as the token rows that scoring and training read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import pyarrow as pa

from tasks.config import TrainingSection
from tasks.errors import DataError
from tasks.pairs import reweigh
from tasks.records import (
    PreferencePair,
    Prompt,
    ReferenceScore,
    Response,
    TrainingExample,
)
from tasks.responses import Tokens, ids_for_training
from tasks.tables import counted
from tasks.tokens import render

SCORE_ROWS = pa.schema(
    [
        ("response_id", pa.string()),
        ("prompt_ids", pa.list_(pa.int64())),
        ("response_ids", pa.list_(pa.int64())),
    ]
)


class Tokenised(NamedTuple):
    """Token ids of prompts and of the responses that pairs use."""

    prompts: dict[str, list[int]]
    """By prompt_id."""
    responses: dict[str, list[int]]
    """By response_id, closing EOS included where the response finished by itself."""
    cut_prompts: int = 0
    """Prompts of which a part was left out."""


class PromptLimit(NamedTuple):
    """How long prompts are cut: by their own length alone, so alike wherever they come."""

    tokens: int | None
    keep: Literal["keep_end", "keep_start"]


UNLIMITED = PromptLimit(None, "keep_end")


class Examples(NamedTuple):
    """Training examples and why some pairs made none."""

    examples: list[TrainingExample]
    counts: dict[str, int]


def tokenised(
    prompts: Mapping[str, Prompt],
    responses: Mapping[str, Response],
    used: Iterable[str],
    tokens: Tokens,
    limit: PromptLimit = UNLIMITED,
) -> Tokenised:
    """Token ids of the responses in `used` and of their prompts.

    Prompts are rendered without a cell's own system prompt.
    """
    wanted = [responses[response_id] for response_id in sorted(set(used))]
    prompt_ids = {response.prompt_id for response in wanted}
    rendered = {one: render(tokens.tokenizer, prompts[one].messages) for one in sorted(prompt_ids)}
    bos = tokens.tokenizer.bos_token_id
    return Tokenised(
        {one: cut(ids, limit, bos) for one, ids in rendered.items()},
        {response.response_id: ids_for_training(response, tokens) for response in wanted},
        sum(len(ids) > (limit.tokens or len(ids)) for ids in rendered.values()),
    )


def cut(ids: list[int], limit: PromptLimit, bos: int | None) -> list[int]:
    """At most `limit.tokens` of a prompt's ids: its end or its start, a leading BOS besides."""
    if limit.tokens is None or len(ids) <= limit.tokens:
        return ids
    if limit.keep == "keep_start":
        return ids[: limit.tokens]
    first = ids[:1] if ids[0] == bos else []
    return [*first, *ids[len(ids) - limit.tokens + len(first) :]]


def prompt_limit(training: TrainingSection) -> PromptLimit:
    """What `training` says of long prompts."""
    return PromptLimit(training.max_prompt_tokens, training.long_prompts)


def truncation(training: TrainingSection) -> str:
    """The rule for what is too long, as it enters a reference's fingerprint."""
    limit = prompt_limit(training)
    cuts = "" if limit.tokens is None else f" {limit.keep}>{limit.tokens}"
    return f"drop>{training.max_tokens}{cuts}"


def used_responses(pairs: Iterable[PreferencePair]) -> set[str]:
    """Ids of the responses that `pairs` compare."""
    return {one for pair in pairs for one in (pair.chosen_id, pair.rejected_id)}


def score_rows(
    responses: Mapping[str, Response], ids: Tokenised, max_tokens: int
) -> tuple[pa.Table, dict[str, int]]:
    """The rows of a score job, sorted by prompt and response; longer ones are left out, counted."""
    order = sorted(ids.responses, key=lambda one: (responses[one].prompt_id, one))
    fits = [one for one in order if _length(one, responses, ids) <= max_tokens]
    columns = {
        "response_id": fits,
        "prompt_ids": [ids.prompts[responses[one].prompt_id] for one in fits],
        "response_ids": [ids.responses[one] for one in fits],
    }
    too_long = len(order) - len(fits)
    counts = {"longer_than_max_tokens": too_long, "cut_prompts": ids.cut_prompts}
    return pa.Table.from_pydict(columns, schema=SCORE_ROWS), counts


def _length(response_id: str, responses: Mapping[str, Response], ids: Tokenised) -> int:
    return len(ids.prompts[responses[response_id].prompt_id]) + len(ids.responses[response_id])


def check_scored(
    pairs: Iterable[PreferencePair],
    ids: Tokenised,
    scores: Mapping[str, ReferenceScore],
    max_tokens: int,
) -> None:
    """Raise DataError unless every response of `pairs` that fits has a score of all its tokens."""
    for pair in pairs:
        for one in (pair.chosen_id, pair.rejected_id):
            num_tokens = len(ids.responses[one])
            fits = len(ids.prompts[pair.prompt_id]) + num_tokens <= max_tokens
            scored = scores[one].num_tokens if one in scores else None
            if fits and scored != num_tokens:
                raise DataError(
                    f"response {one} has {num_tokens} tokens, its reference score has "
                    f"{'none' if scored is None else scored}; score again: --set redo=[score]"
                )


def pair_examples(
    pairs: Sequence[PreferencePair],
    ids: Tokenised,
    scores: Mapping[str, ReferenceScore],
    dropped: Mapping[str, str],
) -> Examples:
    """One example per pair that is not in `dropped` and whose sides both fit and are not empty.

    A prompt's weight is shared anew among the pairs that are left.
    """
    reasons = [_why_not(pair, ids, scores, dropped) for pair in pairs]
    left = [pair for pair, reason in zip(pairs, reasons, strict=True) if reason is None]
    examples = [_pair_example(pair, ids, scores) for pair in reweigh(left)]
    return Examples(examples, dict(counted(f"dropped_{one}" for one in reasons if one)))


def _why_not(
    pair: PreferencePair,
    ids: Tokenised,
    scores: Mapping[str, ReferenceScore],
    dropped: Mapping[str, str],
) -> str | None:
    sides = (pair.chosen_id, pair.rejected_id)
    if pair.pair_id in dropped:
        return dropped[pair.pair_id]
    if any(not ids.responses[one] for one in sides):
        return "empty_response"
    return "longer_than_max_tokens" if any(one not in scores for one in sides) else None


def _pair_example(
    pair: PreferencePair, ids: Tokenised, scores: Mapping[str, ReferenceScore]
) -> TrainingExample:
    return TrainingExample(
        example_id=pair.pair_id,
        kind="pair",
        prompt_id=pair.prompt_id,
        prompt_ids=ids.prompts[pair.prompt_id],
        chosen_ids=ids.responses[pair.chosen_id],
        rejected_ids=ids.responses[pair.rejected_id],
        weight=pair.weight,
        chosen_logps=scores[pair.chosen_id].token_logps,
        rejected_logps=scores[pair.rejected_id].token_logps,
        p_chosen=pair.p_chosen,
        margin=pair.margin,
    )


def response_examples(pairs: Sequence[PreferencePair], ids: Tokenised, max_tokens: int) -> Examples:
    """One example per distinct chosen response that fits and is not empty.

    The examples of a prompt share its weight.
    """
    chosen = sorted({(pair.prompt_id, pair.chosen_id) for pair in pairs})
    reasons = [_why_no_response(*one, ids, max_tokens) for one in chosen]
    left = [one for one, reason in zip(chosen, reasons, strict=True) if reason is None]
    of_prompt = counted(prompt_id for prompt_id, _ in left)
    examples = [
        response_example(
            response_id,
            prompt_id,
            ids.prompts[prompt_id],
            ids.responses[response_id],
            1 / of_prompt[prompt_id],
        )
        for prompt_id, response_id in left
    ]
    return Examples(examples, dict(counted(f"dropped_{one}" for one in reasons if one)))


def _why_no_response(
    prompt_id: str, response_id: str, ids: Tokenised, max_tokens: int
) -> str | None:
    tokens = ids.responses[response_id]
    if not tokens:
        return "empty_response"
    too_long = len(ids.prompts[prompt_id]) + len(tokens) > max_tokens
    return "longer_than_max_tokens" if too_long else None


def response_example(
    example_id: str,
    prompt_id: str,
    prompt_ids: list[int],
    response_ids: list[int],
    weight: float = 1.0,
) -> TrainingExample:
    """A prompt with the one response to imitate."""
    return TrainingExample(
        example_id=example_id,
        kind="response_only",
        prompt_id=prompt_id,
        prompt_ids=prompt_ids,
        chosen_ids=response_ids,
        rejected_ids=None,
        weight=weight,
        chosen_logps=None,
        rejected_logps=None,
        p_chosen=None,
        margin=None,
    )
