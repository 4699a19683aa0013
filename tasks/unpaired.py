"""Single responses, desirable or not, from a round's pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.further_responses import Combination, crossed_id, mismatched_responses
from tasks.pair_examples import Examples, Scores, response_example
from tasks.records import PreferencePair, TrainingExample
from tasks.tables import counted
from tasks.training_data import Tokenised


def unpaired_examples(
    pairs: Sequence[PreferencePair],
    ids: Tokenised,
    scores: Scores,
    dropped: Mapping[str, str],
) -> Examples:
    """One example per distinct response that pairs choose or reject, with a mismatched one beside.

    A response that is both is dropped. The examples of a prompt share its weight. Which one is
    mismatched to which does not depend on `dropped`: they were scored before.
    """
    mismatched = mismatched_responses(pairs, ids.responses)
    left = [pair for pair in pairs if pair.pair_id not in dropped]
    desirable = {(pair.prompt_id, pair.chosen_id) for pair in left}
    undesirable = {(pair.prompt_id, pair.rejected_id) for pair in left}
    found = sorted(desirable | undesirable)
    both = desirable & undesirable
    reasons = [
        "both_chosen_and_rejected" if one in both else _why_not(one, ids, scores, mismatched)
        for one in found
    ]
    kept = [one for one, reason in zip(found, reasons, strict=True) if reason is None]
    share = counted(prompt_id for prompt_id, _ in kept)
    examples = [_example(one, ids, scores, 1 / share[one[0]]) for one in kept]
    lost = [dropped[pair.pair_id] for pair in pairs if pair.pair_id in dropped]
    counts = counted(f"dropped_{one}" for one in [*lost, *reasons] if one)
    side = [
        {"example_id": one[1], "desirable": float(one in desirable)}
        | _mismatched(one[0], mismatched[one], ids, scores)
        for one in kept
    ]
    return Examples(examples, dict(counts), side)


def _mismatched(prompt_id: str, other: str, ids: Tokenised, scores: Scores) -> dict[str, Any]:
    """The response `other` as one to `prompt_id`."""
    return {
        "mismatched_ids": ids.responses[other],
        "mismatched_logps": scores[crossed_id(prompt_id, other)].token_logps,
    }


def _why_not(
    one: Combination, ids: Tokenised, scores: Scores, mismatched: Mapping[Combination, str]
) -> str | None:
    prompt_id, response_id = one
    if not ids.responses[response_id]:
        return "empty_response"
    if response_id not in scores:
        return "longer_than_max_tokens"
    if one not in mismatched:
        return "no_other_prompt"
    crossed = crossed_id(prompt_id, mismatched[one])
    return None if crossed in scores else "mismatched_longer_than_max_tokens"


def _example(one: Combination, ids: Tokenised, scores: Scores, weight: float) -> TrainingExample:
    prompt_id, response_id = one
    imitated = response_example(
        response_id, prompt_id, ids.prompts[prompt_id], ids.responses[response_id], weight
    )
    return replace(imitated, kind="unpaired", chosen_logps=scores[response_id].token_logps)
