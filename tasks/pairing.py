"""From verdicts to preference pairs: prior, correction, rule, filters, weights; all counted."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from tasks.candidates import Candidate
from tasks.correction import CorrectionSettings, correct, prior_verdicts
from tasks.estimates import NO_PASSES, Passes, wins_in_passes
from tasks.pairs import PairView, PromptPreferences
from tasks.records import Label, Preference, PreferencePair, Response, Verdict
from tasks.seeds import uniform_of
from tasks.tables import counted, grouped

Row = TypeVar("Row", Label, PreferencePair)


def corrected(
    candidates: Mapping[str, Sequence[Candidate]],
    verdicts: Sequence[Verdict],
    correction: CorrectionSettings,
) -> tuple[list[Verdict], dict[str, PromptPreferences]]:
    """The prior of some prompts, and what is believed of their responses after correction."""
    spoken = grouped(verdicts)
    prior: list[Verdict] = []
    by_prompt: dict[str, PromptPreferences] = {}
    for prompt_id, members in sorted(candidates.items()):
        presumed = prior_verdicts(members)
        prior += presumed
        by_prompt[prompt_id] = PromptPreferences(
            preferences=correct([*presumed, *spoken.get(prompt_id, [])], members, correction),
            candidates={one.response_id: one for one in members},
        )
    return prior, by_prompt


def counted_preferences(preferences: Sequence[Preference]) -> dict[str, int]:
    """How many comparisons there are, and how many came out for which reason."""
    told = counted(one.reason for one in preferences)
    by_reason = {f"preference_{reason}": count for reason, count in told.items()}
    return {"comparisons": len(preferences), **by_reason}


def competes(selection: Any) -> bool:
    """Whether a pair rule or filter weighs each pair against all others of the round."""
    return hasattr(selection, "competitors")


def reads_passes(filters: Sequence[Any]) -> bool:
    """Whether one of `filters` looks at the passes of the estimator."""
    return any(getattr(one, "READS_PASSES", False) for one in filters)


def in_turns(filters: Sequence[Any]) -> list[list[Any]]:
    """`filters` in turns, each of which ends with one that weighs all pairs left, or at the end."""
    turns: list[list[Any]] = [[]]
    for one in filters:
        turns[-1].append(one)
        if competes(one):
            turns.append([])
    return turns


def filtered(
    pairs: Sequence[PreferencePair],
    responses: Mapping[str, Response],
    filters: Sequence[Any],
    logps: Mapping[str, float],
    passes: Passes = NO_PASSES,
) -> dict[str, str]:
    """The reason by pair_id of each pair that a filter drops; filters see what is left, in order.

    `logps` are summed reference log-probabilities (nats) by response, once there are some;
    `passes` the estimator's scores, where a filter reads them.
    """
    left = list(pairs)
    reasons: dict[str, str] = {}
    for one in filters:
        views = views_of(left, responses, logps, passes)
        found = one(views)
        reasons |= found
        left = [pair for pair in left if pair.pair_id not in found]
    return reasons


def views_of(
    pairs: Sequence[PreferencePair],
    responses: Mapping[str, Response],
    logps: Mapping[str, float],
    passes: Passes = NO_PASSES,
) -> list[PairView]:
    """Pairs as filters see them."""
    return [
        PairView(
            pair=pair,
            chosen=responses[pair.chosen_id],
            rejected=responses[pair.rejected_id],
            reference_chosen_logp=logps.get(pair.chosen_id),
            reference_rejected_logp=logps.get(pair.rejected_id),
            estimates=wins_in_passes(pair.chosen_id, pair.rejected_id, passes),
        )
        for pair in pairs
    ]


def split_held_out(
    rows: Sequence[Row], groups: Mapping[str, str], held_out_share: float, seed: int
) -> tuple[list[Row], list[Row]]:
    """Pairs or labels to train on, and those that only measure: of the same prompts for both.

    `groups` is group_id by prompt_id: near-duplicates stand on one side.
    """
    held_out = {
        prompt_id
        for prompt_id in {one.prompt_id for one in rows}
        if uniform_of(seed, "held_out_pairs", groups[prompt_id]) < held_out_share
    }
    return (
        [one for one in rows if one.prompt_id not in held_out],
        [one for one in rows if one.prompt_id in held_out],
    )
