"""How much the opinions about two responses differ: what is not known, apart from what is close."""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

from tasks.estimates import Passes, passes_of, wins_in_passes
from tasks.records import Verdict
from tasks.voices import P_B_WINS, p_b_wins


def uncertainties(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], float]:
    """BALD (nats, 0 to ln 2) by a_id and b_id: over the passes of an estimator, if there is one.

    Otherwise over all judges, orders and replicates. Comparisons with fewer than two readable
    opinions have none: of a single opinion nothing says how sure it is.
    """
    said = list(verdicts)
    if passes := passes_of(said):
        return _of_passes(said, passes)
    opinions: dict[tuple[str, str], list[float]] = {}
    for one in said:
        if one.annotator_kind == "judge" and one.b_id and one.outcome in P_B_WINS:
            opinions.setdefault((one.a_id, one.b_id), []).append(p_b_wins(one))
    return {ids: bald(some) for ids, some in opinions.items() if len(some) > 1}


def _of_passes(verdicts: Iterable[Verdict], passes: Passes) -> dict[tuple[str, str], float]:
    """Of any two responses of a prompt that the estimator has scored in two passes or more."""
    of_prompt: dict[str, set[str]] = {}
    for one in verdicts:
        if len(passes.get(one.a_id, ())) > 1:
            of_prompt.setdefault(one.prompt_id, set()).add(one.a_id)
    return {
        ids: bald(wins_in_passes(*ids, passes))
        for some in of_prompt.values()
        for ids in combinations(sorted(some), 2)
    }


def bald(probabilities: Sequence[float]) -> float:
    """H(mean p) - mean H(p), in nats: the mutual information of the outcome and who is asked.

    Source: Houlsby et al., arXiv:1112.5745; as UPO uses it, arXiv:2409.11212.
    """
    number = len(probabilities)
    mean = math.fsum(probabilities) / number
    return max(0.0, _entropy(mean) - math.fsum(map(_entropy, probabilities)) / number)


def _entropy(p: float) -> float:
    """Of a coin (nats)."""
    return -math.fsum(q * math.log(q) for q in (p, 1 - p) if q > 0)
