"""From verdicts to preference pairs: prior, correction, rule, filters, weights; all counted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tasks.candidates import Candidate
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings, correct, prior_verdicts
from tasks.pairs import PairView, PromptPreferences, reweigh
from tasks.records import Preference, PreferencePair, Response, Verdict
from tasks.seeds import uniform_of
from tasks.tables import counted, grouped


class Paired(NamedTuple):
    """What correction and pairing make of a round's verdicts."""

    prior: list[Verdict]
    preferences: list[Preference]
    pairs: list[PreferencePair]
    dropped: dict[str, str]
    """Reason by id of each pair that a filter dropped."""
    counts: dict[str, int]


def pairs_of(
    candidates: Mapping[str, Sequence[Candidate]],
    verdicts: Sequence[Verdict],
    responses: Mapping[str, Response],
    correction: CorrectionSettings,
    settings: PairsSection,
    seed: int,
) -> Paired:
    """Correct the preferences of every prompt, make pairs of them, and filter the pairs."""
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
    made = settings.rule(by_prompt, seed)
    filters = [one for one in settings.filters if one.STAGE == "paired"]
    dropped = filtered(made, responses, filters, {})
    kept = reweigh([pair for pair in made if pair.pair_id not in dropped])
    preferences = [one for prompt in by_prompt.values() for one in prompt.preferences]
    counts = _counts(preferences, made, dropped, kept)
    return Paired(prior, preferences, kept, dropped, counts)


def filtered(
    pairs: Sequence[PreferencePair],
    responses: Mapping[str, Response],
    filters: Sequence[Any],
    logps: Mapping[str, float],
) -> dict[str, str]:
    """The reason by pair_id of each pair that a filter drops; filters see what is left, in order.

    `logps` are summed reference log-probabilities (nats) by response, once there are some.
    """
    left = list(pairs)
    reasons: dict[str, str] = {}
    for one in filters:
        views = [
            PairView(
                pair=pair,
                chosen=responses[pair.chosen_id],
                rejected=responses[pair.rejected_id],
                reference_chosen_logp=logps.get(pair.chosen_id),
                reference_rejected_logp=logps.get(pair.rejected_id),
            )
            for pair in left
        ]
        found = one(views)
        reasons |= found
        left = [pair for pair in left if pair.pair_id not in found]
    return reasons


def split_pairs(
    pairs: Sequence[PreferencePair], groups: Mapping[str, str], held_out_share: float, seed: int
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Pairs to train on and pairs that only measure reward accuracy.

    `groups` is group_id by prompt_id: near-duplicates stand on one side.
    """
    held_out = {
        prompt_id
        for prompt_id in {pair.prompt_id for pair in pairs}
        if uniform_of(seed, "held_out_pairs", groups[prompt_id]) < held_out_share
    }
    return (
        [pair for pair in pairs if pair.prompt_id not in held_out],
        [pair for pair in pairs if pair.prompt_id in held_out],
    )


def _counts(
    preferences: Sequence[Preference],
    made: Sequence[PreferencePair],
    dropped: Mapping[str, str],
    kept: Sequence[PreferencePair],
) -> dict[str, int]:
    told = counted(one.reason for one in preferences)
    return {
        "comparisons": len(preferences),
        **{f"preference_{reason}": count for reason, count in told.items()},
        "made": len(made),
        **{f"dropped_{reason}": count for reason, count in counted(dropped.values()).items()},
        "pairs": len(kept),
        "prompts_with_pairs": len({pair.prompt_id for pair in kept}),
    }
