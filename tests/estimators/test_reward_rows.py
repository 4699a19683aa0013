"""What a reward model learns from and what measures it, row by row."""

from tasks.pairs import PromptPreferences
from tasks.reward_rows import Taught, fit_rows, pairs_of_round
from tasks.tokens import load_tokenizer, render, response_ids
from tests.opinion_makers import candidate, preference, prompt, response
from tests.tiny_models import tiny_model

LONGEST = 200


def taught(number, **more):
    return Taught(
        messages=[{"role": "user", "content": f"Say {number}."}], chosen="a pear", rejected="a nut",
        p_chosen=1.0, group=f"g{number}", **more,
    )  # fmt: skip


def rows_of(pairs, share=0.0, longest=LONGEST):
    return fit_rows(pairs, load_tokenizer(tiny_model()), longest, share, seed=1)


def test_both_responses_are_closed_and_stand_behind_the_prompt_as_a_judge_reads_them():
    tokenizer = load_tokenizer(tiny_model())
    [row] = rows_of([taught(1, own=True)]).table.to_pylist()
    assert row["prompt_ids"] == render(tokenizer, taught(1).messages)
    assert row["chosen_ids"] == response_ids(tokenizer, "a pear", finished=True)
    assert row["rejected_ids"] == response_ids(tokenizer, "a nut", finished=True)
    assert (row["p_chosen"], row["own"], row["held_out"]) == (1.0, True, False)


def test_pairs_of_a_prompt_are_held_out_together_and_what_a_model_labelled_measures_nobody():
    numbers = range(40)
    pairs = [taught(n, own=True) for n in numbers] + [taught(n, labelled=True) for n in numbers]
    found = rows_of(pairs, share=0.5)
    own, labelled = (
        [row for row in found.table.to_pylist() if row["own"] == is_own] for is_own in (True, False)
    )
    out = {str(row["prompt_ids"]) for row in own if row["held_out"]}
    assert len(own) == 40 and 10 < len(out) < 30
    assert not any(row["held_out"] for row in labelled)
    assert {str(row["prompt_ids"]) for row in labelled} == {
        str(row["prompt_ids"]) for row in own
    } - out, "what a model says of a prompt that measures is not learned either"
    assert found.too_long == 0


def test_a_pair_with_a_side_that_does_not_fit_is_counted():
    found = rows_of([taught(1)])
    assert rows_of([taught(1)], longest=found.longest).table.num_rows == 1
    short = rows_of([taught(1), taught(2)], longest=found.longest - 1)
    assert (short.table.num_rows, short.too_long) == (0, 2)


def test_a_preference_is_learned_from_the_right_way_round_and_as_sure_as_it_is():
    answers = {name: response(name, f"text {name}") for name in ("r1", "r2", "r3")}
    believed = PromptPreferences(
        preferences=[
            preference("r1", "r2", "a", margin=0.5),
            preference("r1", "r3", "b", margin=0.2),
            preference("r2", "r3", "dropped"),
        ],
        candidates={name: candidate(name) for name in answers},
    )
    found = list(pairs_of_round({"p": prompt()}, answers, {"p": believed}))
    assert [(one.chosen, one.rejected, round(one.p_chosen, 6)) for one in found] == [
        ("text r1", "text r2", 0.75), ("text r3", "text r1", 0.6),
    ]  # fmt: skip
