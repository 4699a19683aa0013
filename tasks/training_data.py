"""Pairs and responses as the token rows that scoring and training read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import pyarrow as pa

from tasks.config_training import TrainingSection
from tasks.further_responses import (
    Combination,
    crossed_responses,
    explored_responses,
    ids_of,
)
from tasks.records import Label, PreferencePair, Prompt, Response
from tasks.responses import Tokens, ids_for_training
from tasks.tokens import render

TRAINED_ON = ("labels", "rows")
"""Tables of the pair stage that are trained on: the labels, where it has some, else the pairs."""
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


def used_responses(given: Iterable[PreferencePair | Label]) -> set[str]:
    """Ids of the responses that pairs compare, or that labels are about."""
    return {one for each in given for one in ids_of(each)}


def rows_to_score(
    members: Mapping[str, Sequence[PreferencePair | Label]] | None,
    responses: Mapping[str, Response],
    prompts: Mapping[str, Prompt],
    tokens: Tokens,
    further: Sequence[str],
    training: TrainingSection,
) -> tuple[pa.Table, dict[str, int]]:
    """What is scored of pairs and labels in `members`, by table, and what a loss needs beyond them.

    Without them (None), every response is scored.
    """
    known = members or {}
    trained_on = next((known[one] for one in TRAINED_ON if one in known), [])
    if members is None:
        used = set(responses)
    else:
        used = {one for some in members.values() for one in used_responses(some)}
    if "explored" in further:
        used |= set(explored_responses(trained_on, responses).values())
    ids = tokenised(prompts, responses, used, tokens, prompt_limit(training))
    crossed = crossed_responses(trained_on, ids.responses) if "mismatched" in further else {}
    return score_rows(responses, ids, training.max_tokens, crossed)


def score_rows(
    responses: Mapping[str, Response],
    ids: Tokenised,
    max_tokens: int,
    crossed: Mapping[str, Combination] | None = None,
) -> tuple[pa.Table, dict[str, int]]:
    """The rows of a score job, sorted by prompt and response; longer ones are left out, counted.

    `crossed` are responses under the prompts of others, by the ids of their scores.
    """
    rows = {one: (responses[one].prompt_id, one) for one in ids.responses} | dict(crossed or {})
    order = sorted(rows, key=lambda one: (rows[one][0], one))
    fits = [one for one in order if _length(rows[one], ids) <= max_tokens]
    columns = {
        "response_id": fits,
        "prompt_ids": [ids.prompts[rows[one][0]] for one in fits],
        "response_ids": [ids.responses[rows[one][1]] for one in fits],
    }
    too_long = len(order) - len(fits)
    counts = {"longer_than_max_tokens": too_long, "cut_prompts": ids.cut_prompts}
    return pa.Table.from_pydict(columns, schema=SCORE_ROWS), counts


def _length(one: Combination, ids: Tokenised) -> int:
    prompt_id, response_id = one
    return len(ids.prompts[prompt_id]) + len(ids.responses[response_id])
