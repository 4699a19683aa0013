"""Which pairs of earlier rounds may join a round's own, and what they weigh there; pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.records import PreferencePair
from tasks.replays._contract import Remembered
from tasks.tables import counted

LEFT_POOL, HELD_OUT, ANEW = "left_the_pool", "held_out_now", "compared_anew"


def remembered(pairs: Iterable[PreferencePair], round_index: int) -> list[Remembered]:
    """`pairs` of a round as later rounds know them."""
    return [
        Remembered(
            pair_id=one.pair_id,
            prompt_id=one.prompt_id,
            chosen_id=one.chosen_id,
            rejected_id=one.rejected_id,
            round_index=round_index,
            times_replayed=0,
        )
        for one in pairs
    ]


def allowed(
    memory: Sequence[Remembered],
    own: Sequence[Remembered],
    groups: Mapping[str, str],
    held_out: Collection[str],
) -> tuple[list[Remembered], dict[str, int]]:
    """Those of `memory` that may be trained on again, and why others may not.

    `groups` is group_id by prompt_id of train prompts that are still in the pool; `held_out` are
    the groups whose pairs measure in this round. Responses that the round compares itself are
    left to its own pairs: equal pairs appear once, and the newest word counts.
    """
    compared = {_sides(one) for one in own}
    reasons = [_why_not(one, compared, groups, held_out) for one in memory]
    may = [one for one, reason in zip(memory, reasons, strict=True) if reason is None]
    return may, dict(counted(f"dropped_{one}" for one in reasons if one))


def _why_not(
    one: Remembered,
    compared: Collection[frozenset[str]],
    groups: Mapping[str, str],
    held_out: Collection[str],
) -> str | None:
    if one.prompt_id not in groups:
        return LEFT_POOL
    if groups[one.prompt_id] in held_out:
        return HELD_OUT
    return ANEW if _sides(one) in compared else None


def _sides(one: Remembered) -> frozenset[str]:
    return frozenset((one.chosen_id, one.rejected_id))


def stale_pairs(
    pairs: Sequence[PreferencePair], drawn: Sequence[Remembered], decay: float, round_index: int
) -> list[PreferencePair]:
    """`pairs`, those that were `drawn`, with the weights of this round, sorted by prompt and id.

    The pairs of a prompt share decay ** age, the age in rounds.
    """
    ages = {one.pair_id: round_index - one.round_index for one in drawn}
    totals = {one.prompt_id: decay ** ages[one.pair_id] for one in pairs}
    shares = Counter(one.prompt_id for one in pairs)
    weighed = [replace(one, weight=totals[one.prompt_id] / shares[one.prompt_id]) for one in pairs]
    return sorted(weighed, key=lambda one: (one.prompt_id, one.pair_id))


def next_memory(
    memory: Sequence[Remembered],
    drawn: Sequence[Remembered],
    own: Sequence[Remembered],
    replay: Any,
    round_index: int,
) -> list[Remembered]:
    """What the next round may replay: counters of `drawn` are raised, `own` is the newest."""
    again = {one.pair_id for one in drawn}
    new = {one.pair_id for one in own}
    known = {one.pair_id: one.times_replayed for one in memory}
    older = [
        replace(one, times_replayed=one.times_replayed + (one.pair_id in again))
        for one in memory
        if one.pair_id not in new
    ]
    newest = [replace(one, times_replayed=known.get(one.pair_id, 0)) for one in own]
    kept: list[Remembered] = replay.kept([*older, *newest], round_index + 1)
    return kept
