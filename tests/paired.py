"""Pairs of a few prompts all at once, in memory: what the pair door has to come to."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tasks.candidates import Candidate
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.pairing import corrected, counted_preferences, filtered
from tasks.pairs import reweigh
from tasks.records import Preference, PreferencePair, Response, Verdict
from tasks.tables import counted


class Paired(NamedTuple):
    prior: list[Verdict]
    preferences: list[Preference]
    pairs: list[PreferencePair]
    dropped: dict[str, str]
    counts: dict[str, int]


def pairs_of(
    candidates: Mapping[str, Sequence[Candidate]],
    verdicts: Sequence[Verdict],
    responses: Mapping[str, Response],
    correction: CorrectionSettings,
    settings: PairsSection,
    seed: int,
) -> Paired:
    prior, by_prompt = corrected(candidates, verdicts, correction)
    made = settings.rule(by_prompt, seed)
    dropped = filtered(made, responses, [f for f in settings.filters if f.STAGE == "paired"], {})
    kept = reweigh([pair for pair in made if pair.pair_id not in dropped])
    preferences = [one for prompt in by_prompt.values() for one in prompt.preferences]
    counts = {
        **counted_preferences(preferences),
        "made": len(made),
        **{f"dropped_{reason}": count for reason, count in counted(dropped.values()).items()},
        "pairs": len(kept),
        "prompts_with_pairs": len({pair.prompt_id for pair in kept}),
    }
    return Paired(prior, preferences, kept, dropped, counts)
