"""Pairs as the token rows that a reward model is fitted to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from tasks.canonical import short_id
from tasks.conversations import messages_of
from tasks.errors import DataError
from tasks.pairs import PromptPreferences, chosen_and_rejected
from tasks.records import Message, Prompt, Response
from tasks.seeds import uniform_of
from tasks.sources import Row, check_text
from tasks.tokens import render, response_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

FIT_ROWS = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("pair_id", pa.string()),
            ("prompt_ids", pa.list_(pa.int64())),
            ("chosen_ids", pa.list_(pa.int64())),
            ("rejected_ids", pa.list_(pa.int64())),
            ("p_chosen", pa.float64()),
            ("own", pa.bool_()),
            ("held_out", pa.bool_()),
        )
    ]
)
"""`own`: from a file of one's own, not of this round; `held_out`: only measures accuracy."""
FILE_FIELDS = {"prompt", "messages", "chosen", "rejected", "source", "source_id"}
"""What a row of a file of preference pairs may hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """One pair that a reward model may learn from."""

    messages: list[Message]
    """The prompt."""
    chosen: str
    """Text of the better response."""
    rejected: str
    """Text of the worse response."""
    p_chosen: float
    """Probability that chosen is the better one."""
    group: str
    """Pairs of a group are held out together."""
    own: bool = False
    """From a file of one's own; where a model labels pairs, all that it has learned from."""
    labelled: bool = False
    """Labelled by a model: it measures nobody's accuracy."""

    @property
    def pair_id(self) -> str:
        """Names the pair by what it says."""
        return short_id(*self.messages, self.chosen, self.rejected)


def check_human_pair(row: Row) -> None:
    """Raise DataError for a row of a file of preference pairs that cannot be read."""
    human_pair(row)


def human_pair(row: Row) -> Taught:
    """The pair that a row of a file holds: prompt or messages, chosen, rejected (texts)."""
    row.check_fields(FILE_FIELDS)
    texts = {side: row.fields.get(side) for side in ("chosen", "rejected")}
    for side, text in texts.items():
        if not isinstance(text, str):
            raise DataError(f"{row.at(side)}: is {text!r:.80}; a pair needs the text of {side}")
        check_text(text, row.at(side))
    if texts["chosen"] == texts["rejected"]:
        raise DataError(f"{row.where}: chosen and rejected are the same text; leave the row out")
    messages = messages_of(row)
    return Taught(
        messages=messages,
        chosen=str(texts["chosen"]),
        rejected=str(texts["rejected"]),
        p_chosen=1.0,
        group=short_id(*messages),
        own=True,
    )


class FitRows(NamedTuple):
    """Rows and what was left out of them."""

    table: pa.Table
    too_long: int
    longest: int
    """Tokens of the longest side with its prompt."""


def fit_rows(
    pairs: Iterable[Taught],
    tokenizer: "Tokenizer",
    max_tokens: int,
    held_out_share: float,
    seed: int,
) -> FitRows:
    """The rows of `pairs`; those with a side beyond `max_tokens` (prompt included) are left out.

    The end of turn closes every response, as where a reward model scores it. Pairs that a model
    labelled and whose prompt is held out are neither learned from nor measured with.
    """
    rows, too_long, longest = [], 0, 0
    prompts: dict[str, list[int]] = {}
    for one in pairs:
        key = short_id(*one.messages)
        if key not in prompts:
            prompts[key] = render(tokenizer, one.messages)
        sides = [response_ids(tokenizer, text, True) for text in (one.chosen, one.rejected)]
        length = len(prompts[key]) + max(map(len, sides))
        if length > max_tokens:
            too_long += 1
            continue
        held_out = uniform_of(seed, "held_out_estimate", one.group) < held_out_share
        if held_out and one.labelled:
            continue
        longest = max(longest, length)
        values = (one.pair_id, prompts[key], *sides, one.p_chosen, one.own, held_out)
        rows.append(dict(zip(FIT_ROWS.names, values, strict=True)))
    return FitRows(pa.Table.from_pylist(rows, FIT_ROWS), too_long, longest)


def pairs_of_round(
    prompts: Mapping[str, Prompt],
    responses: Mapping[str, Response],
    by_prompt: Mapping[str, PromptPreferences],
) -> Iterator[Taught]:
    """The kept preferences of some prompts, as pairs."""
    for prompt_id, one in sorted(by_prompt.items()):
        for preference in one.kept():
            chosen_id, rejected_id = chosen_and_rejected(preference)
            p = preference.p_b_wins if preference.outcome == "b" else 1 - preference.p_b_wins
            sides = (responses[chosen_id], responses[rejected_id])
            yield taught(prompts[prompt_id], *sides, p)


def taught(prompt: Prompt, chosen: Response, rejected: Response, p_chosen: float) -> Taught:
    """The pair of two responses to `prompt`."""
    return Taught(
        messages=list(prompt.messages),
        chosen=chosen.text,
        rejected=rejected.text,
        p_chosen=p_chosen,
        group=prompt.group_id,
    )
