"""The sections `evaluation` and `refresh` of a configuration: what is measured, who decides."""

from typing import Annotated, Any

from pydantic import Field

from tasks.config_training import Positive, Section
from tasks.divergence_settings import DivergenceSettings
from tasks.early_stop import EarlyStopSettings
from tasks.harness import HarnessSettings
from tasks.variants import NotInKey, chosen_from

Judge = Annotated[Any, *chosen_from("tasks.judges")]
ComparisonRule = Annotated[Any, *chosen_from("tasks.comparison_rules")]


class EvaluationSection(Section):
    """How policy, reference and SFT model are measured each round."""

    metrics: dict[str, Annotated[Any, *chosen_from("tasks.metrics")]]
    """What is measured, by name."""
    judges: dict[str, Judge] = Field(default_factory=dict)
    """Judges of win rates; they must differ from the judges that label."""
    comparisons: ComparisonRule = Field(default={"kind": "all"}, validate_default=True)
    """Which of the answers of policy, reference and SFT model the judges compare."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Evaluation responses are greedy by default."""
    every: Annotated[Positive, NotInKey] = 1
    """Measure every so many rounds: with 4, the rounds 3, 7, 11, ...; in between every policy
    becomes the next reference."""
    divergence: DivergenceSettings | None = None
    """How kl_to_reference and kl_to_sft are measured; null: they are not."""
    harness: HarnessSettings | None = None
    """Tasks of lm-evaluation-harness that the same models are measured on; null: none."""

    def due(self, round_index: int) -> bool:
        """Whether this round is measured."""
        return (round_index + 1) % self.every == 0


class RefreshSection(Section):
    """Whether the policy becomes the next reference."""

    gate: Annotated[Any, *chosen_from("tasks.gates")]
    """Who decides."""
    guards: list[str] = Field(default=["*"], min_length=1)
    """Slices that the gate sees, by name (`checks`, `checks · fruits`); * stands for any text."""
    early_stop: EarlyStopSettings | None = None
    """Whether the run ends when its rounds gain no more; null: it goes on."""
