"""Single responses, desirable or not, from a round's labels or from its pairs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.further_responses import Combination, crossed_id, mismatched_responses
from tasks.labelling import WANTED
from tasks.pair_examples import Examples, Scores, response_example
from tasks.pairs import prompt_weights
from tasks.records import Label, PreferencePair, TrainingExample
from tasks.tables import counted, grouped
from tasks.training_data import Tokenised

MISMATCHED = "mismatched"
FROM_PAIRS = "pairs"
"""Rule of the labels that chosen and rejected responses have by being so."""


def unpaired_examples(
    pairs: Sequence[PreferencePair],
    ids: Tokenised,
    scores: Scores,
    dropped: Mapping[str, str],
    others: Collection[str] = (MISMATCHED,),
) -> Examples:
    """One example per distinct response that pairs choose or reject.

    A response that is both is dropped. `others` are further responses that the loss needs. Which
    one is mismatched to which does not depend on `dropped`: they were scored before.
    """
    left = [pair for pair in pairs if pair.pair_id not in dropped]
    desirable = {(pair.prompt_id, pair.chosen_id) for pair in left}
    undesirable = {(pair.prompt_id, pair.rejected_id) for pair in left}
    both = desirable & undesirable
    labels = [
        Label(
            response_id=response_id,
            prompt_id=prompt_id,
            desirable=float((prompt_id, response_id) in desirable),
            weight=1.0,
            rule=FROM_PAIRS,
        )
        for prompt_id, response_id in sorted((desirable | undesirable) - both)
    ]
    lost = [dropped[pair.pair_id] for pair in pairs if pair.pair_id in dropped]
    lost += ["both_chosen_and_rejected"] * len(both)
    mismatched = mismatched_responses(pairs, ids.responses) if MISMATCHED in others else None
    return _examples(labels, ids, scores, mismatched, lost, prompt_weights(pairs))


def labelled_examples(
    labels: Sequence[Label], ids: Tokenised, scores: Scores, others: Collection[str]
) -> Examples:
    """One example per label, with a mismatched response beside it if `others` says so."""
    mismatched = mismatched_responses(labels, ids.responses) if MISMATCHED in others else None
    return _examples(labels, ids, scores, mismatched, [], {})


def wanted_examples(labels: Sequence[Label], ids: Tokenised, max_tokens: int) -> Examples:
    """One example to imitate per label that says that a response is wanted."""
    reasons = [_why_not_imitated(one, ids, max_tokens) for one in labels]
    kept = [one for one, reason in zip(labels, reasons, strict=True) if reason is None]
    examples = [_imitated(one, ids, weight) for one, weight in _weighed(kept, {})]
    return Examples(examples, dict(counted(f"dropped_{one}" for one in reasons if one)))


def _why_not_imitated(one: Label, ids: Tokenised, max_tokens: int) -> str | None:
    tokens = ids.responses[one.response_id]
    if one.desirable <= WANTED:
        return "not_desirable"
    if not tokens:
        return "empty_response"
    too_long = len(ids.prompts[one.prompt_id]) + len(tokens) > max_tokens
    return "longer_than_max_tokens" if too_long else None


def _examples(
    labels: Sequence[Label],
    ids: Tokenised,
    scores: Scores,
    mismatched: Mapping[Combination, str] | None,
    lost: Sequence[str],
    totals: Mapping[str, float],
) -> Examples:
    """The examples of `labels`; `lost` are reasons of what was left out before.

    The examples of a prompt share its weight as their labels do: that of `totals`, else 1.
    """
    reasons = [_why_not(one, ids, scores, mismatched) for one in labels]
    kept = [one for one, reason in zip(labels, reasons, strict=True) if reason is None]
    examples = [
        replace(
            _imitated(one, ids, weight),
            kind="unpaired",
            chosen_logps=scores[one.response_id].token_logps,
        )
        for one, weight in _weighed(kept, totals)
    ]
    side = [
        {"example_id": one.response_id, "desirable": one.desirable}
        | _mismatched(one, ids, scores, mismatched)
        for one in kept
    ]
    counts = counted(f"dropped_{one}" for one in [*lost, *reasons] if one)
    return Examples(examples, dict(counts), side)


def _weighed(labels: Sequence[Label], totals: Mapping[str, float]) -> list[tuple[Label, float]]:
    """Each label with its share among those of its prompt that are left."""
    sums = {
        prompt_id: sum(one.weight for one in some) for prompt_id, some in grouped(labels).items()
    }
    return [
        (one, totals.get(one.prompt_id, 1.0) * one.weight / sums[one.prompt_id]) for one in labels
    ]


def _mismatched(
    one: Label, ids: Tokenised, scores: Scores, mismatched: Mapping[Combination, str] | None
) -> dict[str, Any]:
    """A response to another prompt as one to the label's, where the loss needs it."""
    if mismatched is None:
        return {}
    other = mismatched[one.prompt_id, one.response_id]
    return {
        "mismatched_ids": ids.responses[other],
        "mismatched_logps": scores[crossed_id(one.prompt_id, other)].token_logps,
    }


def _why_not(
    one: Label, ids: Tokenised, scores: Scores, mismatched: Mapping[Combination, str] | None
) -> str | None:
    if not ids.responses[one.response_id]:
        return "empty_response"
    if one.response_id not in scores:
        return "longer_than_max_tokens"
    if mismatched is None:
        return None
    if (one.prompt_id, one.response_id) not in mismatched:
        return "no_other_prompt"
    crossed = crossed_id(one.prompt_id, mismatched[one.prompt_id, one.response_id])
    return None if crossed in scores else "mismatched_longer_than_max_tokens"


def _imitated(one: Label, ids: Tokenised, weight: float) -> TrainingExample:
    tokens = ids.responses[one.response_id]
    return response_example(
        one.response_id, one.prompt_id, ids.prompts[one.prompt_id], tokens, weight
    )
