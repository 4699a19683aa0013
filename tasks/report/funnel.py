"""From prompts to pairs: how many rows each step left, and why the others were dropped."""

from typing import NamedTuple

from tasks.report.data import RoundData
from tasks.report.formatting import count, share
from tasks.tables import counted

KEPT = frozenset({"kept", "swapped", "used"})
"""Reasons of `RoundData.counts` that say how many rows went on."""

MEANINGS = {
    "already_solved": "the reference already separates the two clearly",
    "both_chosen_and_rejected": "chosen in one pair, rejected in another",
    "cycle": "preferences among one prompt's responses contradict each other",
    "duplicate": "the same prompt occurs twice",
    "equal_texts": "both responses are the same text",
    "explored_longer_than_max_tokens": "prompt and explored response exceed the token limit",
    "held_out": "kept apart to measure how well the policy ranks pairs",
    "human_tie": "people saw no difference",
    "inconsistent": "the judge changed its mind with the order",
    "judges_disagree": "judges are split evenly",
    "length_balance": "evens out how often the longer response is chosen",
    "length_ratio": "one response is much longer than the other",
    "longer_than_max_tokens": "prompt and response exceed the token limit",
    "mismatched_longer_than_max_tokens": "prompt and mismatched response exceed the token limit",
    "near_duplicate": "another response of nearly the same text was compared in its place",
    "near_equal": "the two responses hardly differ",
    "no_explored_response": "the policy has not answered the prompt",
    "no_other_prompt": "there is no other prompt whose responses could be mismatched",
    "one_opinion": "a single opinion does not say how sure it is",
    "people_disagree": "people are split evenly",
    "per_prompt": "the prompt has enough pairs",
    "protected_human": "a judge alone may not turn against a human-written response",
    "tie": "no difference seen",
    "truncated": "a response was cut at its token limit",
    "uncompared": "nobody compared the two",
    "unparsed": "the judge's reply has no readable verdict",
    "weak_against_prior": "one order alone may not turn against the prior",
}
"""Reasons in plain words; a reason that is not here stands for itself."""


class FunnelStep(NamedTuple):
    """One bar: its label, its rows, its length relative to the longest bar, and a remark."""

    label: str
    rows: int
    length: float
    remark: str


class Dropped(NamedTuple):
    """Rows that a verb left out for one reason."""

    verb: str
    reason: str
    meaning: str
    rows: int


def funnel(data: RoundData) -> list[FunnelStep]:
    """Prompts, responses, comparisons, decided preferences, pairs and pairs used in training."""
    compared = comparisons(data)
    decided = sum(preference.outcome != "dropped" for preference in data.preferences)
    used = used_pairs(data)
    steps = [
        ("Prompts", len(data.prompts), ""),
        ("Responses", len(data.responses), _per_prompt(data)),
        ("Comparisons", compared, _judged(data)),
        ("Decided preferences", decided, f"{_of(decided, compared)} of the comparisons"),
        ("Preference pairs", len(data.pairs), f"from {count(paired_prompts(data))} prompts"),
        ("Used in training", used, f"{_of(used, len(data.pairs))} of the pairs"),
    ]
    longest = max(1, *(rows for _, rows, _ in steps))
    return [FunnelStep(label, rows, rows / longest, remark) for label, rows, remark in steps]


def comparisons(data: RoundData) -> int:
    """Pairs of responses that the prior, a judge or a person compared."""
    verdicts = {(row.a_id, row.b_id) for row in data.verdicts if row.b_id}
    return len(verdicts | {(row.a_id, row.b_id) for row in data.preferences})


def used_pairs(data: RoundData) -> int:
    """Pairs that training read."""
    used = data.counts.get("train", {}).get("used")
    if used is not None:
        return used
    later = [data.counts.get(verb, {}) for verb in ("score", "train")]
    lost = sum(rows for reasons in later for reason, rows in reasons.items() if reason not in KEPT)
    return max(0, len(data.pairs) - lost)


def paired_prompts(data: RoundData) -> int:
    """Prompts with at least one pair."""
    return len({pair.prompt_id for pair in data.pairs})


def dropped(data: RoundData) -> list[Dropped]:
    """What was dropped, by verb in the order of `counts`, the most frequent reason first."""
    went_on = KEPT | {row.reason for row in data.preferences if row.outcome != "dropped"}
    corrected = counted(row.reason for row in data.preferences if row.outcome == "dropped")
    verbs = {verb: dict(reasons) for verb, reasons in data.counts.items()}
    verbs["pair"] = {**corrected, **verbs.get("pair", {})}
    rows = [
        Dropped(verb, reason, MEANINGS.get(reason, ""), number)
        for verb, reasons in verbs.items()
        for reason, number in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        if number and (reason not in went_on or (verb == "pair" and reason in corrected))
    ]
    return rows


def _per_prompt(data: RoundData) -> str:
    if not data.prompts:
        return ""
    return f"{len(data.responses) / len(data.prompts):.1f} a prompt"


def _judged(data: RoundData) -> str:
    seen = {"judge": set[tuple[str, str]](), "human": set[tuple[str, str]]()}
    for row in data.verdicts:
        if row.b_id and row.annotator_kind in seen:
            seen[row.annotator_kind].add((row.a_id, row.b_id))
    return f"{count(len(seen['judge']))} seen by judges, {count(len(seen['human']))} by people"


def _of(part: int, whole: int) -> str:
    return share(part / whole) if whole else share(None)
