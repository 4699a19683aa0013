"""What one judge's verdicts say about the judge: order, ties, unparsed, length, its own model."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tasks.agreement.intervals import Estimate, Sampling, mean, not_measurable, share, shifted
from tasks.agreement.labels import OTHER, Labels
from tasks.agreement.length import length_effect
from tasks.records import Response, Verdict

ONE_ORDER = "no question was asked in both orders"
NO_ORDER = "no decided verdict says which response was shown first"
NO_VERDICT = "there are no readable comparisons"
EQUAL_LENGTHS = "no decided verdict is on responses of different length"
NOT_A_CELL = "the judge's model is no cell of the matrix"
NOBODY_ELSE = "nobody else judged the comparisons of its own cell with others"


def biases_of(
    verdicts: Sequence[Verdict], responses: Mapping[str, Response], sampling: Sampling
) -> dict[str, Estimate]:
    """The figures that a judge's verdicts under one criterion give without anybody else's."""
    decided = [row for row in verdicts if row.outcome in ("a", "b") and row.b_id]
    compared = [row for row in verdicts if row.b_id]
    return {
        "order_consistency": _order_consistency(compared, sampling),
        "position_bias": _position_bias(decided, sampling),
        "ties": _ties(compared, sampling),
        "unparsed": _unparsed(verdicts, sampling),
        "longer_wins": _longer_wins(decided, responses, sampling),
        "length_effect": length_effect(compared, responses, sampling.settings),
    }


def _order_consistency(verdicts: Iterable[Verdict], sampling: Sampling) -> Estimate:
    """Questions answered alike in both orders; unparsed is an outcome of its own."""
    answers: dict[tuple[str, str, str, int], dict[str, str]] = {}
    for row in verdicts:
        if row.first_shown in ("a", "b"):
            question = (row.prompt_id, row.a_id, row.b_id, row.replicate)
            answers.setdefault(question, {})[row.first_shown] = row.outcome
    same = (
        (question[0], float(outcomes["a"] == outcomes["b"]))
        for question, outcomes in answers.items()
        if len(outcomes) == 2
    )
    return share(same, sampling, ONE_ORDER)


def _position_bias(decided: Iterable[Verdict], sampling: Sampling) -> Estimate:
    first = (
        (row.prompt_id, float(row.outcome == row.first_shown))
        for row in decided
        if row.first_shown in ("a", "b")
    )
    return shifted(share(first, sampling, NO_ORDER), -0.5)


def _ties(compared: Iterable[Verdict], sampling: Sampling) -> Estimate:
    ties = (
        (row.prompt_id, float(row.outcome == "tie"))
        for row in compared
        if row.outcome in ("a", "b", "tie")
    )
    return share(ties, sampling, NO_VERDICT)


def _unparsed(verdicts: Iterable[Verdict], sampling: Sampling) -> Estimate:
    said = ((row.prompt_id, float(row.outcome == "unparsed")) for row in verdicts)
    return share(said, sampling, "there are no verdicts")


def _longer_wins(
    decided: Iterable[Verdict], responses: Mapping[str, Response], sampling: Sampling
) -> Estimate:
    lengths = (
        (row, len(responses[row.a_id].text), len(responses[row.b_id].text)) for row in decided
    )
    longer = (
        (row.prompt_id, float((a > b) == (row.outcome == "a"))) for row, a, b in lengths if a != b
    )
    return share(longer, sampling, EQUAL_LENGTHS)


def self_preference(
    judge: Labels,
    others: Iterable[Labels],
    cells: Mapping[str, str],
    own: Collection[str],
    sampling: Sampling,
) -> Estimate:
    """How much more often the judge's own cells win by it than by the mean of all others.

    Over comparisons of an own cell with another one that somebody else judged as well. `cells` is
    the cell of each response.
    """
    if not own:
        return not_measurable(NOT_A_CELL)
    listed = list(others)
    rows = []
    for item, label in judge.items():
        said = [labels[item] for labels in listed if item in labels]
        sides = (cells[item.presumed] in own, cells[item.other] in own)
        if said and sides[0] != sides[1]:
            theirs = sum(_p_own(one, sides[0]) for one in said) / len(said)
            rows.append((item.prompt_id, _p_own(label, sides[0]) - theirs))
    return mean(rows, sampling, NOBODY_ELSE)


def _p_own(label: int, own_is_presumed: bool) -> float:
    """What a label says of the own response's winning: 0, 1/2 for a tie, 1."""
    p_other = label / OTHER
    return 1 - p_other if own_is_presumed else p_other
