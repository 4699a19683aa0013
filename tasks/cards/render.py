"""The cards of a run as markdown, their front matter apart: what is not known is not said."""

from typing import Any

from tasks.cards.facts import (
    NOT_STATED,
    CardFacts,
    cell_rows,
    dropped_rows,
    figure_rows,
    judge_rows,
    lineage_rows,
    outcome_rows,
    source_rows,
)
from tasks.report.feedback import written
from tasks.report.funnel import MEANINGS
from tasks.report.gate_slices import guarded_rows
from tasks.report.render import environment

LOSS_FREE = ("learning_rate", "epochs", "prompts_per_batch", "warmup_share", "decay", "max_tokens")
"""Settings of a training that a model's card tells besides its loss."""


def data_card(facts: CardFacts) -> str:
    """What the preference pairs of the rounds are, and where they come from."""
    return _rendered(
        "data.md.j2",
        facts,
        sources=source_rows(facts),
        cells=cell_rows(facts),
        judges=judge_rows(facts),
        outcomes=outcome_rows(facts),
        dropped=dropped_rows(facts),
        meanings=MEANINGS,
        quality=[
            (one.annotator, one.other, one.figure, written(one.figure, one.estimate), one.n)
            for one in facts.newest.feedback.figures
            if one.estimate is not None
        ],
    )


def model_card(facts: CardFacts) -> str:
    """What the policy of the newest round is: what it grew from, how, and how good it is."""
    training = facts.newest.config.get("training", {})
    loss = {name: value for name, value in training.get("loss", {}).items() if value is not None}
    return _rendered(
        "model.md.j2",
        facts,
        figures=figure_rows(facts),
        lineage=lineage_rows(facts),
        loss=loss,
        settings={name: training[name] for name in LOSS_FREE if name in training},
        guarded=guarded_rows(facts.newest.manifest["gate"]),
    )


def _rendered(template: str, facts: CardFacts, **shown: Any) -> str:
    text = environment("tasks.cards").get_template(template)
    return text.render(facts=facts, stated=_stated, **shown)


def _stated(text: str) -> str:
    return text or NOT_STATED
