"""How few tokens at once can be worked on: below that, less memory is no use."""

import pyarrow as pa
import pyarrow.compute as pc

from tasks.pair_examples import Examples, further_ids


def smallest_to_train(made: Examples, *, whole_prompts: bool) -> int:
    """Tokens of the longest prompt with one response; `whole_prompts`: with all of its own."""
    if not whole_prompts:
        return made.longest
    prompts: dict[str, int] = {}
    responses: dict[str, set[tuple[int, ...]]] = {}
    for example in made.examples:
        prompts[example.prompt_id] = len(example.prompt_ids)
        found = responses.setdefault(example.prompt_id, set())
        found |= {tuple(ids) for ids in (example.chosen_ids, example.rejected_ids) if ids}
    prompt_of = {example.example_id: example.prompt_id for example in made.examples}
    for row in made.side:
        responses[prompt_of[row["example_id"]]] |= set(map(tuple, further_ids(row)))
    whole = [prompts[one] + sum(map(len, responses[one])) for one in prompts]
    return max(made.longest, *whole)


def smallest_to_score(rows: pa.Table) -> int:
    """Tokens of the longest prompt with one response; 1 if there are none."""
    lengths = pc.add(
        pc.list_value_length(rows.column("prompt_ids")),
        pc.list_value_length(rows.column("response_ids")),
    )
    return int(pc.max(lengths).as_py() or 1)
