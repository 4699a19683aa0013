"""From prompts to pairs: how many rows each step left, and why the others were dropped."""

from collections import Counter
from typing import NamedTuple

from tasks.report.data import RoundData
from tasks.report.formatting import count, share
from tasks.report.tally import Tally

KEPT = frozenset({"kept", "swapped", "used"})
"""Reasons of `RoundData.counts` that say how many rows went on."""

MEANINGS = {
    "already_solved": "the reference already separates the two clearly",
    "better_than_chosen": "the guard finds what was rewritten better than the chosen response",
    "both_chosen_and_rejected": "chosen in one pair, rejected in another",
    "compared_anew": "the round compares the same two responses itself",
    "contaminated": "a response repeats a text that is measured",
    "cut": "the editor's answer ends at its token limit",
    "cycle": "preferences among one prompt's responses contradict each other",
    "declined": "the editor finds nothing to mend",
    "duplicate": "the same prompt occurs twice",
    "equal_or_empty": "a degraded variant that is that of a lower degree, or nothing",
    "equal_texts": "both responses are the same text",
    "equal_to_chosen": "the edit is the chosen response",
    "explored_longer_than_max_tokens": "prompt and explored response exceed the token limit",
    "held_out_now": "near a prompt whose pairs measure in this round",
    "held_out": "kept apart to measure how well the policy ranks pairs",
    "human_tie": "people saw no difference",
    "inconsistent": "the judge changed its mind with the order",
    "judges_disagree": "judges are split evenly",
    "left_the_pool": "the prompt is no longer a train prompt of the pool",
    "length_balance": "evens out how often the longer response is chosen",
    "length_ratio": "one response is much longer than the other",
    "longer_than_max_tokens": "prompt and response exceed the token limit",
    "mismatched_longer_than_max_tokens": "prompt and mismatched response exceed the token limit",
    "near_duplicate": "another response of nearly the same text was compared in its place",
    "near_equal": "the two responses hardly differ",
    "no_explored_response": "the policy has not answered the prompt",
    "neither_best_nor_worst": "other responses of the prompt win more often, and less often",
    "no_opinion": "nobody gave it a thumb",
    "no_other_prompt": "there is no other prompt whose responses could be mismatched",
    "no_room": "prompt and what is to be written exceed the writer's positions",
    "no_segment": "no segment of it was written anew",
    "not_desirable": "not wanted, so that it is not imitated",
    "not_of_the_policy": "another model or a person wrote it",
    "one_opinion": "a single opinion does not say how sure it is",
    "people_disagree": "people are split evenly",
    "per_prompt": "the prompt has enough pairs",
    "protected_human": "a judge alone may not turn against a human-written response",
    "refused": "the editor refuses",
    "same_chosen": "another pair has the same chosen response",
    "teacher_longer_than_max_tokens": "under the teacher's instruction it exceeds the token limit",
    "tie": "no difference seen",
    "too_few_comparisons": "compared too seldom for a label",
    "too_few_thumbs": "too few thumbs for a label",
    "too_long": "the edit is much longer than either response",
    "too_short": "what was rewritten is much shorter than the chosen response",
    "truncated": "a response was cut at its token limit",
    "unchanged": "what was written is what was there",
    "uncompared": "nobody compared the two",
    "unparsed": "the judge's reply has no readable verdict",
    "weak_against_prior": "one order alone may not turn against the prior",
    "worse_than_rejected": "the guard finds the edit worse than the rejected response",
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
    tally = data.tally
    compared = tally.compared["all"]
    decided = sum(number for (was_decided, *_), number in tally.beliefs.items() if was_decided)
    used = used_pairs(data)
    again = data.counts.get("replay", {}).get("used", 0)
    steps = [
        ("Prompts", tally.prompts, ""),
        ("Responses", tally.responses, _per_prompt(tally)),
        ("Comparisons", compared, _judged(tally)),
        ("Decided preferences", decided, f"{_of(decided, compared)} of the comparisons"),
        *_trained_on(tally, used, again),
    ]
    longest = max(1, *(rows for _, rows, _ in steps))
    return [FunnelStep(label, rows, rows / longest, remark) for label, rows, remark in steps]


def _trained_on(tally: Tally, used: int, again: int) -> list[tuple[str, int, str]]:
    """Pairs and those replayed, or labels of single responses; and how many of them were used."""
    pairs = ("Preference pairs", tally.pairs, f"from {count(tally.paired_prompts)} prompts")
    if not tally.labels:
        return [
            pairs,
            *([("Replayed pairs", again, "of earlier rounds")] if again else []),
            ("Used in training", used, f"{_of(used, tally.pairs + again)} of the pairs"),
        ]
    wanted = f"{_of(tally.wanted, tally.labels)} wanted"
    return [
        *([pairs] if tally.pairs else []),
        ("Labels", tally.labels, f"from {count(tally.labelled_prompts)} prompts, {wanted}"),
        ("Used in training", used, f"{_of(used, tally.labels)} of the labels"),
    ]


def used_pairs(data: RoundData) -> int:
    """Pairs, or labels of single responses, that training read."""
    used = data.counts.get("train", {}).get("used")
    if used is not None:
        return used
    later = [data.counts.get(verb, {}) for verb in ("score", "train")]
    lost = sum(rows for reasons in later for reason, rows in reasons.items() if reason not in KEPT)
    return max(0, (data.tally.labels or data.tally.pairs) - lost)


def dropped(data: RoundData) -> list[Dropped]:
    """What was dropped, by verb in the order of `counts`, the most frequent reason first."""
    beliefs = data.tally.beliefs
    went_on = KEPT | {reason for decided, reason, _ in beliefs if decided}
    corrected = Counter[str]()
    for (decided, reason, _), number in sorted(beliefs.items()):
        corrected[reason] += 0 if decided else number
    corrected = +corrected
    verbs = {verb: dict(reasons) for verb, reasons in data.counts.items()}
    verbs["pair"] = {**corrected, **verbs.get("pair", {})}
    rows = [
        Dropped(verb, reason, MEANINGS.get(reason, ""), number)
        for verb, reasons in verbs.items()
        for reason, number in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        if number and (reason not in went_on or (verb == "pair" and reason in corrected))
    ]
    return rows


def _per_prompt(tally: Tally) -> str:
    return f"{tally.responses / tally.prompts:.1f} a prompt" if tally.prompts else ""


def _judged(tally: Tally) -> str:
    judges, people = tally.compared["judge"], tally.compared["human"]
    return f"{count(judges)} seen by judges, {count(people)} by people"


def _of(part: int, whole: int) -> str:
    return share(part / whole) if whole else share(None)
