"""How few tokens at once can be worked on: below that, less memory is no use."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from tasks.records import TrainingExample


def smallest_to_train(examples: Iterable[TrainingExample], whole_prompts: bool) -> int:
    """Tokens of the longest prompt with one response; `whole_prompts`: with all of its."""
    prompts: dict[str, int] = {}
    responses: dict[str, set[tuple[int, ...]]] = {}
    for example in examples:
        prompts[example.prompt_id] = len(example.prompt_ids)
        found = responses.setdefault(example.prompt_id, set())
        found |= {tuple(ids) for ids in (example.chosen_ids, example.rejected_ids) if ids}
    together = sum if whole_prompts else max
    return max(prompts[one] + together(map(len, responses[one])) for one in prompts)


def smallest_to_score(rows: pa.Table) -> int:
    """Tokens of the longest prompt with one response; 1 if there are none."""
    lengths = pc.add(
        pc.list_value_length(rows.column("prompt_ids")),
        pc.list_value_length(rows.column("response_ids")),
    )
    return int(pc.max(lengths).as_py() or 1)
