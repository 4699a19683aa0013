"""What a label rule gets and gives.

It is called with one prompt at a time, and says of each of its responses either how probable it is
that people want it, or why it has no label.

A rule says besides what it reads (`READS`): `nothing`, `comparisons` (what correction made of the
verdicts on two responses), or `opinions` (verdicts on one response).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from tasks.candidates import Candidate
from tasks.records import Preference, Verdict

Reads = Literal["nothing", "comparisons", "opinions"]


class Judged(NamedTuple):
    """One prompt with all that is known of its responses."""

    prompt_id: str
    candidates: Mapping[str, Candidate]
    """By response id."""
    preferences: Sequence[Preference]
    """After correction, dropped ones included."""
    verdicts: Sequence[Verdict]
    """Of judges and people, on two responses or on one."""


class Labelled(NamedTuple):
    """What a rule says of a prompt's responses: each is in one of the two."""

    desirable: Mapping[str, float]
    """Probability (0 to 1) by response id."""
    left_out: Mapping[str, str]
    """Why there is no label, by response id."""
