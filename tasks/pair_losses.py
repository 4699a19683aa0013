"""Why a round's pairs are all gone, in words that name the next step."""

from collections.abc import Mapping

TEMPERATURE = "raise the temperature of the cells, or add a cell"

NEXT_STEP = {
    "already_solved": "raise its margin, or take the filter out",
    "both_chosen_and_rejected": "take pairs.rule best_vs_worst, which makes no such responses",
    "cycle": "set correction.cycles=bradley_terry",
    "empty_response": "look at the responses: the cells write nothing",
    "equal_texts": TEMPERATURE,
    "explored_longer_than_max_tokens": "raise training.max_tokens",
    "human_tie": "ask about responses that differ more, or set correction.tie=soft",
    "inconsistent": "take a judge that depends less on the order, or set "
    "correction.inconsistent=soft",
    "judges_disagree": "use an odd number of judges, or set correction.inconsistent=soft",
    "length_balance": "raise its max_ratio, or take the filter out",
    "length_ratio": "raise its max_ratio, or take the filter out",
    "longer_than_max_tokens": "raise training.max_tokens",
    "mismatched_longer_than_max_tokens": "raise training.max_tokens",
    "near_equal": f"{TEMPERATURE}, or lower the filter's min_distance",
    "no_explored_response": "let the policy cell answer all prompts (share 1)",
    "no_opinion": "ask judges or people for single responses, or take another of pairs.labels",
    "no_other_prompt": "raise prompts.per_round",
    "not_of_the_policy": "let the policy cell answer, or set pairs.labels.of=all",
    "one_opinion": "add a judge, or let one be asked in both orders",
    "protected_human": "let people judge too (annotate): judges alone may not turn against them",
    "teacher_longer_than_max_tokens": "raise training.max_tokens, or shorten the teacher's "
    "instructions",
    "tie": "lower the judge's margin, or set correction.tie=soft",
    "too_few_comparisons": "let comparisons pick more, or lower pairs.labels.min_comparisons",
    "too_few_thumbs": "lower pairs.labels.min_thumbs",
    "truncated": "raise max_tokens of the cells, or take the filter out",
    "uncompared": "let comparisons pick more, add verdicts, or set correction.uncompared=prior",
    "unparsed": "read the replies in the verdicts; raise the judge's max_tokens, or change its "
    "template",
    "weak_against_prior": "ask in both orders, or set correction.single_order=full",
}
"""What to do where most are lost for a reason; other reasons are settings of pairs themselves."""


def why_none(counts: Mapping[str, int]) -> str:
    """What became of the comparisons that `counts` of pairs_of tells of, and the next step."""
    if counts["made"]:
        return all_dropped(counts)
    if not counts["comparisons"]:
        return "no two responses were compared; add a cell, or raise samples of one"
    reasons = _reasons(counts, "preference_")
    return f"{counts['comparisons']} comparisons made none: {_told(reasons)}; {_next(reasons)}"


def why_no_label(counts: Mapping[str, int]) -> str:
    """The reasons for which no response has a label, the commonest first, and the next step."""
    reasons = _reasons(counts, "unlabelled_")
    return f"{_told(reasons)}; {_next(reasons)}" if reasons else "there are no responses"


def all_dropped(counts: Mapping[str, int]) -> str:
    """The reasons for which all pairs were dropped, the commonest first, and the next step."""
    reasons = _reasons(counts, "dropped_")
    if not reasons:
        return "every pair is held out; lower pairs.held_out_share"
    return f"made {sum(reasons.values())}, all dropped: {_told(reasons)}; {_next(reasons)}"


def _reasons(counts: Mapping[str, int], start: str) -> dict[str, int]:
    found = {name.removeprefix(start): n for name, n in counts.items() if name.startswith(start)}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _told(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in reasons.items())


def _next(reasons: Mapping[str, int]) -> str:
    return NEXT_STEP.get(next(iter(reasons)), "loosen pairs.rule and pairs.filters")
