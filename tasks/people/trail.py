"""Who decided a comparison, on what grounds, and whom that overruled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tasks.annotation_items import Answer, Item
from tasks.records import Preference, Verdict

SIDES = ("a", "b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One opinion on the comparison."""

    annotator: str
    """Who gave it."""
    kind: str
    """prior, judge, human or aggregate."""
    outcome: str
    """As in Verdict."""
    first_shown: str
    """Which response was shown first: a, b or unknown."""
    p_b_wins: float | None
    """Probability that b is better, if it was given."""
    overruled: bool
    """Whether what was decided is the opposite."""
    note: str
    """Tags, comment, time and front end of a person's answer."""
    version: str = ""
    """Digest of what gave the opinion; empty for people and the prior."""
    cost_usd: float | None = None
    """Money paid for it, where that is known."""
    reply: str | None = None
    """What a model replied, word for word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """All that led to what is believed of one comparison."""

    preference: Preference
    """What was decided, by whom, and why."""
    said: list[Said]
    """Every opinion: prior, judges, people, all people together."""
    asked: list[Item]
    """The items by which people were asked, the first time first; empty where they were not."""


def decision(
    preference: Preference,
    verdicts: Iterable[Verdict],
    items: Iterable[Item] = (),
    answers: Iterable[Answer] = (),
) -> Decision:
    """What led to `preference`, of all that was said and asked in its round."""
    ids = (preference.a_id, preference.b_id)
    asked = sorted(
        (one for one in items if (one.a_id, one.b_id) == ids and one.known is None),
        key=lambda one: one.repeat,
    )
    repeats = {one.item_id: one.repeat for one in asked}
    given = {(one.annotator, repeats[one.item_id]): one for one in answers
             if one.item_id in repeats}  # fmt: skip
    order = ("prior", "judge", "human", "aggregate")
    about = [one for one in verdicts if (one.a_id, one.b_id) == ids]
    about.sort(key=lambda one: (order.index(one.annotator_kind), one.annotator, one.first_shown))
    said = [_said(one, preference, given.get((one.annotator, one.replicate))) for one in about]
    return Decision(preference=preference, said=said, asked=asked)


def _said(verdict: Verdict, preference: Preference, answer: Answer | None) -> Said:
    against = {"a": "b", "b": "a"}.get(preference.outcome)
    person = verdict.annotator_kind == "human"
    return Said(
        annotator=verdict.annotator,
        kind=verdict.annotator_kind,
        outcome=verdict.outcome,
        first_shown=verdict.first_shown,
        p_b_wins=verdict.p_b_wins,
        overruled=verdict.outcome == against,
        note=_note(answer) if person and answer else "",
        version=verdict.annotator_version,
        cost_usd=verdict.cost_usd,
        reply=verdict.reply,
    )


def _note(answer: Answer) -> str:
    strength = {1.0: "much better", 0.5: "better"}.get(answer.strength or 0.0)
    seconds = answer.duration_seconds
    parts = [
        strength,
        ", ".join(answer.tags),
        answer.comment and f"“{answer.comment}”",
        seconds is not None and f"{seconds:.0f} s",
        answer.front_end,
        answer.answered_at,
    ]
    return " · ".join(str(part) for part in parts if part)


def in_words(made: Decision) -> list[str]:
    """The decision as sentences: what, by whom, why people were asked, whom it overruled."""
    one = made.preference
    lines = [
        f"{one.a_id} (a) and {one.b_id} (b) of prompt {one.prompt_id}: "
        f"{_outcome(one)}, decided by {one.decided_by} ({one.reason})"
    ]
    for item in made.asked:
        again = f", asked again ({item.repeat})" if item.repeat else ""
        drawn = f", drawn with chance {item.chance:.3g}" if item.chance < 1 else ""
        lines.append(f"people were asked because of {item.reason}{drawn}{again}; {item.stratum}")
    lines += _overruled(one.overruled)
    return lines


def _outcome(one: Preference) -> str:
    if one.outcome not in SIDES:
        return "dropped"
    return f"{one.outcome} is better (p {max(one.p_b_wins, 1 - one.p_b_wins):.2f})"


def _overruled(names: Sequence[str]) -> list[str]:
    return [f"overruled: {', '.join(names)}"] if names else ["nobody was overruled"]
