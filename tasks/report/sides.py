"""Facts of a round in the form that the report takes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.config import Config
from tasks.records import Prompt, Response
from tasks.variants import kind_of

SHOWN_PAIRS = 200
"""Evaluation prompts handed to the report, which picks among them."""


def answers_side_by_side(
    prompts: Sequence[Prompt], answers: Sequence[Response]
) -> list[tuple[Prompt, str, str]]:
    """Prompt, the reference's answer and the policy's, where both answered and they differ."""
    by_cell: dict[tuple[str, str], str] = {
        (row.cell, row.prompt_id): row.text for row in answers if row.sample_index == 0
    }
    found = []
    for prompt in prompts:
        policy = by_cell.get(("policy", prompt.prompt_id))
        reference = by_cell.get(("reference", prompt.prompt_id))
        if policy is not None and reference is not None and policy != reference:
            found.append((prompt, reference, policy))
    return found[:SHOWN_PAIRS]


def cell_facts(config: Config, strengths: Mapping[str, float]) -> list[dict[str, Any]]:
    """What the report says of each cell of the matrix."""
    return [
        {
            "name": name,
            "engine": kind_of(cell.engine),
            "model": cell.model,
            "strength": strengths.get(name, cell.strength),
            "samples": cell.samples,
            "temperature": cell.temperature,
        }
        for name, cell in config.matrix.items()
    ]
