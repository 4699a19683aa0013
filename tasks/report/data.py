"""What a round's report is made of."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tasks.agreement.known import FeedbackQuality
from tasks.diversity.measure import DiversityFigure
from tasks.findings import Finding
from tasks.matches import Match, PairCells
from tasks.records import EvalReport
from tasks.report.movements import Movements
from tasks.report.tally import RangeRows, Tally
from tasks.retiring import Retired


@dataclass(frozen=True, kw_only=True)
class RoundData:
    """Everything that happened in one round, as the report needs it."""

    run: str
    """Name of the run."""
    round_index: int
    """0-based index of the round."""
    ranges: Iterable[RangeRows]
    """The rows of the round, a range of prompts at a time; read once."""
    counts: dict[str, dict[str, int]]
    """By verb: reason -> rows. `kept`, `swapped` and `used` say how many went on, every other
    reason how many were dropped. `counts["train"]["used"]` is what training read; without it the
    pairs less those that `score` and `train` dropped."""
    steps: list[dict[str, float]]
    """One dict an optimizer step: the columns of `StepMetrics`, tokens_per_second, then the loss's
    own. What it does not report is missing."""
    findings: list[Finding]
    """What the diagnosis says of the training, what does harm first."""
    evaluation: list[EvalReport]
    """This round's measurements of policy, reference and SFT anchor."""
    names: dict[str, str]
    """sha256 of a checkpoint -> policy, reference or sft."""
    movements: Movements
    """Evaluation prompts on which the policy moved most against the reference."""
    gate: dict[str, Any]
    """outcome (promoted, inconclusive, refused), reasons (sentences), n_needed (by slice)."""
    cells: list[dict[str, Any]]
    """The model matrix: name, engine, model, strength, samples, share, temperature."""
    parts: list[tuple[str, str]]
    """What made the round, and its kind with its settings: loss, each judge, gate."""
    lineage: dict[str, Any]
    """artifacts (verb -> uri, content, rows), reference_in and reference_out (sha256), config
    (digest), seeds (name -> number)."""
    contest: dict[str, Any] = field(default_factory=dict)
    """winner (champion or challenger), reasons, set, policies, figures, slices; empty without."""
    matches: list[Match] = field(default_factory=list)
    """Who beats whom among the cells."""
    pair_cells: list[PairCells] = field(default_factory=list)
    """Whose responses win the pairs."""
    decisions: list[dict[str, Any]] = field(default_factory=list)
    """What people decided about the round after the gate."""
    feedback: FeedbackQuality = field(default_factory=FeedbackQuality)
    """Biases of judges, agreement, drift."""
    diversity: list[DiversityFigure] = field(default_factory=list)
    """How different the responses of each cell are."""
    retired: list[Retired] = field(default_factory=list)
    """Cells that are asked for nothing from the next round on."""

    @cached_property
    def tally(self) -> Tally:
        """The rows, counted."""
        return Tally.of(self.ranges)
