"""Pairs, or the responses in them, as the examples that a trainer reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.errors import DataError
from tasks.further_responses import ids_of
from tasks.pairs import prompt_weights, reweigh
from tasks.records import Label, PreferencePair, ReferenceScore, TrainingExample
from tasks.tables import counted
from tasks.training_data import Tokenised

FURTHER = ("explored_ids", "mismatched_ids")
"""Columns of a side table with a further response of the example's prompt."""
DEGRADED = "degraded_ids"
"""The column with any number of them."""
Scores = Mapping[str, ReferenceScore]
"""What one reference thinks of responses, by their ids (or `crossed_id`)."""


def further_ids(row: Mapping[str, Any]) -> list[list[int]]:
    """Token ids of all further responses in a row of a side table."""
    return [*(row[name] for name in FURTHER if name in row), *row.get(DEGRADED, [])]


class Examples(NamedTuple):
    """Training examples and why some pairs made none."""

    examples: list[TrainingExample]
    counts: dict[str, int]
    side: Sequence[dict[str, Any]] = ()
    """What the loss needs besides, a row an example: tasks/side_table.py."""

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with a response."""
        own = {one.example_id: len(one.prompt_ids) for one in self.examples}
        lengths = [
            own[one.example_id] + len(some or [])
            for one in self.examples
            for some in (one.chosen_ids, one.rejected_ids)
        ]
        lengths += [
            own[row["example_id"]] + len(ids) for row in self.side for ids in further_ids(row)
        ]
        return max(lengths)


def check_scored(
    given: Iterable[PreferencePair | Label],
    ids: Tokenised,
    scores: Scores,
    max_tokens: int,
) -> None:
    """Raise DataError unless each response of pairs or labels that fits has all tokens scored.

    Scores of a model that reads texts in another way are of other tokens, and not looked at.
    """
    if any(one.token_logps is None for one in scores.values()):
        return
    for each in given:
        for one in ids_of(each):
            num_tokens = len(ids.responses[one])
            fits = len(ids.prompts[each.prompt_id]) + num_tokens <= max_tokens
            scored = scores[one].num_tokens if one in scores else None
            if fits and scored != num_tokens:
                raise DataError(
                    f"response {one} has {num_tokens} tokens, its reference score has "
                    f"{'none' if scored is None else scored}; score again: --set redo=[score]"
                )


def pair_examples(
    pairs: Sequence[PreferencePair],
    ids: Tokenised,
    scores: Sequence[Scores],
    dropped: Mapping[str, str],
) -> Examples:
    """One example per pair that is not in `dropped` and whose sides both fit and are not empty.

    `scores` are those of each reference, the base first. A prompt's weight is shared anew among
    the pairs that are left.
    """
    reasons = [_why_not(pair, ids, scores, dropped) for pair in pairs]
    left = [pair for pair, reason in zip(pairs, reasons, strict=True) if reason is None]
    weighed = reweigh(left, prompt_weights(pairs))
    examples = [_pair_example(pair, ids, scores) for pair in weighed]
    return Examples(examples, dict(counted(f"dropped_{one}" for one in reasons if one)))


def _why_not(
    pair: PreferencePair,
    ids: Tokenised,
    scores: Sequence[Scores],
    dropped: Mapping[str, str],
) -> str | None:
    sides = (pair.chosen_id, pair.rejected_id)
    if pair.pair_id in dropped:
        return dropped[pair.pair_id]
    if any(not ids.responses[one] for one in sides):
        return "empty_response"
    missing = any(one not in some for one in sides for some in scores)
    return "longer_than_max_tokens" if missing else None


def reference_logps(scores: Sequence[Scores], response_id: str) -> list[float]:
    """Log-probabilities of a response's tokens, one reference after the other.

    Of one that reads texts in another way the sum is known: it is spread over the policy's tokens,
    so that their sum is it. Losses that look at single tokens do not get such a reference.
    """
    own = len(scores[0][response_id].token_logps or [])
    found: list[float] = []
    for some in scores:
        one = some[response_id]
        found += [one.logp / own] * own if one.token_logps is None else one.token_logps
    return found


def _pair_example(
    pair: PreferencePair, ids: Tokenised, scores: Sequence[Scores]
) -> TrainingExample:
    return TrainingExample(
        example_id=pair.pair_id,
        kind="pair",
        prompt_id=pair.prompt_id,
        prompt_ids=ids.prompts[pair.prompt_id],
        chosen_ids=ids.responses[pair.chosen_id],
        rejected_ids=ids.responses[pair.rejected_id],
        weight=pair.weight,
        chosen_logps=reference_logps(scores, pair.chosen_id),
        rejected_logps=reference_logps(scores, pair.rejected_id),
        p_chosen=pair.p_chosen,
        margin=pair.margin,
    )


def response_examples(
    pairs: Sequence[PreferencePair],
    ids: Tokenised,
    max_tokens: int,
    dropped: Mapping[str, str],
) -> Examples:
    """One example per distinct chosen response of pairs not in `dropped`, unless empty or too long.

    The examples of a prompt share its weight.
    """
    lost = [dropped[pair.pair_id] for pair in pairs if pair.pair_id in dropped]
    chosen = sorted(
        {(pair.prompt_id, pair.chosen_id) for pair in pairs if pair.pair_id not in dropped}
    )
    reasons = [_why_no_response(*one, ids, max_tokens) for one in chosen]
    left = [one for one, reason in zip(chosen, reasons, strict=True) if reason is None]
    of_prompt = counted(prompt_id for prompt_id, _ in left)
    weights = prompt_weights(pairs)
    examples = [
        response_example(
            response_id,
            prompt_id,
            ids.prompts[prompt_id],
            ids.responses[response_id],
            weights[prompt_id] / of_prompt[prompt_id],
        )
        for prompt_id, response_id in left
    ]
    counts = counted(f"dropped_{one}" for one in [*lost, *reasons] if one)
    return Examples(examples, dict(counts))


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
