"""Everything that led to the label of one response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.ledger.provenance import Author, Score
from tasks.records import Label, Preference, Prompt, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelTrail:
    """Where a label comes from, and what became of it."""

    run: str
    """Name of the run."""
    round_index: int
    """The round."""
    label: Label
    """Response, probability that it is wanted, weight, rule."""
    held_out: bool
    """Whether it only measures the policy."""
    prompt: Prompt
    """What the response answers."""
    author: Author
    """Who wrote the response."""
    scores: Sequence[Verdict]
    """Opinions on the response alone, thumbs of people among them."""
    comparisons: Sequence[Preference]
    """What is believed of the response against others, dropped ones included."""
    models: Sequence[Score]
    """Log-probabilities of the response."""
    training: str
    """What trained on it, in words."""
    stages: Mapping[str, str]
    """By role, where all of it lies."""
