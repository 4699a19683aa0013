"""Single responses with what reference and teacher say of each of their tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.pair_examples import Examples, Scores
from tasks.records import TrainingExample
from tasks.side_table import reads_side_table
from tasks.tables import counted, grouped

TOO_LONG = "teacher_longer_than_max_tokens"


def with_scores(
    made: Examples, loss: Any, reference: Scores, teacher: Any, said: Mapping[str, Scores]
) -> Examples:
    """`made` of responses to imitate, with the log-probabilities that `loss` reads of them.

    `said` are the scores under each instruction of `teacher`. A response that is too long under
    one is dropped and counted; the others of its prompt share its weight.
    """
    if not (loss.USES_REFERENCE or reads_side_table(loss)):
        return made
    kept = [one for one in made.examples if all(one.example_id in some for some in said.values())]
    lost = [TOO_LONG] * (len(made.examples) - len(kept))
    examples = [_scored(one, loss, reference) for one in _weighed(kept, made.examples)]
    side = (
        [_taught(one.example_id, reference, teacher, said) for one in kept]
        if reads_side_table(loss)
        else ()
    )
    return Examples(examples, {**made.counts, **counted(f"dropped_{one}" for one in lost)}, side)


def _scored(one: TrainingExample, loss: Any, reference: Scores) -> TrainingExample:
    if not loss.USES_REFERENCE:
        return one
    return replace(one, chosen_logps=reference[one.example_id].token_logps)


def _taught(
    response_id: str, reference: Scores, teacher: Any, said: Mapping[str, Scores]
) -> dict[str, Any]:
    """The row of the side table: what the teacher wants of each token."""
    hints = {name: some[response_id].token_logps or [] for name, some in said.items()}
    aims = teacher.aims(reference[response_id].token_logps or [], hints)
    return {"example_id": response_id, "chosen_teacher": aims}


def _weighed(
    kept: Sequence[TrainingExample], all_: Sequence[TrainingExample]
) -> list[TrainingExample]:
    """`kept` with the weights of those of their prompts that were dropped."""
    if len(kept) == len(all_):
        return list(kept)
    totals = {name: sum(one.weight for one in some) for name, some in grouped(all_).items()}
    left = {name: sum(one.weight for one in some) for name, some in grouped(kept).items()}
    return [
        replace(one, weight=one.weight * totals[one.prompt_id] / left[one.prompt_id])
        for one in kept
    ]
