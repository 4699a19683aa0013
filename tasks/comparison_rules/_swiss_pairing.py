"""Who stands where after some waves, and who meets whom in the next."""

from collections import Counter
from collections.abc import Sequence

from tasks.comparison_rules._budget import Comparison
from tasks.comparison_rules._contract import Heard


def standing(line: Sequence[str], heard: Sequence[Heard]) -> list[str]:
    """`line`, ids from best to worst as presumed, reordered by what was heard, best first."""
    place = {one: index for index, one in enumerate(line)}
    points = dict.fromkeys(line, 0.0)
    in_order = sorted(heard)  # the last digit of a sum must not depend on the order
    for one in in_order:
        p_b_wins = 0.5 if one.p_b_wins is None else one.p_b_wins
        points[one.a_id] += 1 - p_b_wins
        points[one.b_id] += p_b_wins
    met_points = dict.fromkeys(line, 0.0)
    for one in in_order:
        met_points[one.a_id] += points[one.b_id]
        met_points[one.b_id] += points[one.a_id]
    return sorted(line, key=lambda one: (-points[one], -met_points[one], place[one]))


def opening(line: Sequence[str]) -> list[Comparison]:
    """Neighbours in `line`; of an odd number the last but one plays twice, so that nobody rests."""
    pairs = [(line[i], line[i + 1]) for i in range(0, len(line) - 1, 2)]
    if len(line) % 2:
        pairs.append((line[-2], line[-1]))
    return [_sorted(*pair) for pair in pairs]


def paired(order: Sequence[str], heard: Sequence[Heard]) -> list[Comparison]:
    """Neighbours in `order` who have not met; of an odd number one rests.

    From the top everybody takes the next one; two who are left over although they have met are
    worked in by changing partners with a pair, the lowest first. That finds a partner for all as
    long as each has met fewer than half of the others.
    """
    met = {frozenset((one.a_id, one.b_id)) for one in heard}
    pairs, left = _from_the_top(_without_rest(order, heard), met)
    while len(left) > 1:
        one = left.pop(0)
        partner = next((other for other in left if _worked_in(one, other, pairs, met)), None)
        if partner is not None:
            left.remove(partner)
    return [_sorted(*pair) for pair in pairs]


def _without_rest(order: Sequence[str], heard: Sequence[Heard]) -> list[str]:
    """All of an even number; else without the lowest of those who have met most."""
    games = Counter(ids for one in heard for ids in (one.a_id, one.b_id))
    if len(order) % 2 == 0:
        return list(order)
    most = max(games[one] for one in order)
    rests = [one for one in order if games[one] == most][-1]
    return [one for one in order if one != rests]


def _from_the_top(
    order: Sequence[str], met: set[frozenset[str]]
) -> tuple[list[Comparison], list[str]]:
    waiting, pairs, left = list(order), [], []
    while waiting:
        one = waiting.pop(0)
        partner = next((other for other in waiting if frozenset((one, other)) not in met), None)
        if partner is None:
            left.append(one)
        else:
            waiting.remove(partner)
            pairs.append((one, partner))
    return pairs, left


def _worked_in(one: str, other: str, pairs: list[Comparison], met: set[frozenset[str]]) -> bool:
    """Whether both found partners by parting one of `pairs`, which is changed then."""
    for index in reversed(range(len(pairs))):
        upper, lower = pairs[index]
        for new in (((one, upper), (other, lower)), ((one, lower), (other, upper))):
            if not any(frozenset(pair) in met for pair in new):
                pairs[index : index + 1] = new
                return True
    return False


def _sorted(one: str, other: str) -> Comparison:
    return (one, other) if one < other else (other, one)
