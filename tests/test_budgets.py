import pyarrow as pa
import pytest

from tasks.budgets import smallest_to_score, smallest_to_train
from tasks.pair_examples import Examples
from tasks.records import TrainingExample
from tasks.training_data import SCORE_ROWS


def example(prompt_id, prompt, chosen, rejected):
    """An example with so many tokens."""
    return TrainingExample(
        example_id="e", kind="pair", prompt_id=prompt_id, prompt_ids=[1] * prompt,
        chosen_ids=[2] * chosen, rejected_ids=rejected and [3] * rejected, weight=1.0,
        chosen_logps=None, rejected_logps=None, p_chosen=None, margin=None,
    )  # fmt: skip


@pytest.mark.parametrize(("whole_prompts", "tokens"), [(False, 14), (True, 17)])
def test_no_pass_is_smaller_than_a_prompt_with_what_cannot_be_parted(whole_prompts, tokens):
    # p has responses of 1, 2 and 4 tokens, the longest of them twice; q one of 3.
    members = [example("p", 10, 2, 4), example("p", 10, 1, 4), example("q", 10, 3, None)]
    made = Examples(members, {})
    assert smallest_to_train(made, whole_prompts=whole_prompts) == tokens


def test_further_responses_of_a_prompt_are_parted_from_it_as_little():
    # p has responses of 2 and 4 tokens, and two further ones, of 5 and again of 2.
    members = [example("p", 10, 2, 4)]
    side = [{"example_id": "e", "explored_ids": [4] * 5, "mismatched_ids": [2] * 2}]
    made = Examples(members, {}, side)
    assert smallest_to_train(made, whole_prompts=True) == 10 + 2 + 4 + 5
    assert smallest_to_train(made, whole_prompts=False) == 10 + 5


def test_a_row_is_scored_as_a_whole():
    rows = pa.table(
        {"response_id": ["a", "b"], "prompt_ids": [[1, 2], [1]], "response_ids": [[3], [3] * 5]},
        schema=SCORE_ROWS,
    )
    assert smallest_to_score(rows) == 6
    assert smallest_to_score(SCORE_ROWS.empty_table()) == 1
