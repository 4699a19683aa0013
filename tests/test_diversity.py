"""How different responses are: counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.diversity.measure import cell_figures, drawn_prompts, embedding_spread, prompt_rows
from tasks.diversity.settings import DiversitySettings
from tasks.diversity.texts import distinct, ngrams, self_bleu
from tasks.judging import candidates_of
from tests.opinion_makers import response


def test_distinct_is_the_share_of_different_runs_of_words():
    # words: a b a b; pairs: ab ba ab
    assert distinct(["a b A b"], 1) == 2 / 4
    assert distinct(["a b A b"], 2) == 2 / 3
    assert ngrams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]


def test_no_run_goes_from_one_text_into_the_next():
    assert distinct(["a b", "b a"], 2) == 1.0
    assert distinct(["a", "b"], 2) is None


def test_windows_make_much_text_comparable_with_little():
    assert distinct(["a b"] * 50, 1, window=2) == 1.0
    assert distinct(["a b"] * 50, 1, window=4) == 0.5
    assert distinct(["a b", "a b", "a"], 1, window=4) == 0.5, "the last window is not full"


def test_self_bleu_is_100_for_copies_and_0_for_texts_without_a_common_word():
    assert self_bleu(["the same five words here"] * 3) == pytest.approx(100)
    assert self_bleu(["one two three four", "five six seven eight"]) == 0
    assert self_bleu(["alone"]) is None


def test_the_spread_of_embeddings_is_one_less_the_mean_cosine():
    right, up = np.array([3.0, 0.0]), np.array([0.0, 1.0])
    assert embedding_spread([right, up]) == pytest.approx(1.0)
    assert embedding_spread([right, 2 * right]) == pytest.approx(0.0)
    # cosines of the three pairs: 0, 1, 0
    assert embedding_spread([right, up, right]) == pytest.approx(2 / 3)
    assert embedding_spread([up, 8e-159 * up]) == pytest.approx(0.0, abs=1e-12)
    assert embedding_spread([right]) is None


@given(st.lists(st.lists(st.floats(-5, 5), min_size=2, max_size=2), min_size=2, max_size=5))
def test_the_spread_lies_between_0_and_2(vectors):
    assert -1e-9 <= embedding_spread([np.array(one) for one in vectors]) <= 2 + 1e-9


def rows_of_two_cells():
    """The policy answers two prompts twice, once with copies; large answers once."""
    texts = {"p0": ("a b c d", "a b c d", "w x y z"), "p1": ("a b", "c d", "e f")}
    rows = []
    for prompt_id, (one, two, other) in texts.items():
        for index, (cell, text) in enumerate((("policy", one), ("policy", two), ("large", other))):
            name = f"{prompt_id}-{index}"
            rows.append(response(name, text, prompt_id=prompt_id, cell=cell))
    return rows, candidates_of(rows, {"large": 2.0, "policy": 1.0}, 0.0)


def figures(vectors=None):
    rows, candidates = rows_of_two_cells()
    found = cell_figures(rows, candidates, {"p0", "p1"}, vectors)
    return {(one.cell, one.figure): one for one in found}


def test_the_figures_of_a_cell():
    found = figures()
    assert found["policy", "near_duplicates"].value == 1 / 4
    assert found["", "near_duplicates"].value == 1 / 6
    # the policy's words: a b c d, a b c d, a b, c d
    assert found["policy", "distinct_1"].value == 4 / 12
    # 100 on p0, whose samples are copies, 0 on p1
    assert found["policy", "self_bleu"].value == pytest.approx(50)
    lonely = found["large", "self_bleu"]
    assert (lonely.value, lonely.reason) == (None, "no prompt has two responses of it")


def test_without_an_encoder_there_is_no_spread_and_it_says_so():
    found = figures()["policy", "embedding_spread"]
    assert (found.value, found.reason) == (None, "diversity.embedder names no encoder")


def test_the_spread_is_the_mean_over_prompts():
    rows, _ = rows_of_two_cells()
    axis = {"p0-0": 0, "p0-1": 0, "p0-2": 1, "p1-0": 0, "p1-1": 1, "p1-2": 2}
    found = figures({row.response_id: np.eye(3)[axis[row.response_id]] for row in rows})
    assert found["policy", "embedding_spread"].value == pytest.approx((0 + 1) / 2)
    assert found["", "embedding_spread"].value == pytest.approx((2 / 3 + 1) / 2)


def test_a_prompt_is_as_different_as_its_responses_that_stand_for_themselves():
    rows, candidates = rows_of_two_cells()
    first, second = prompt_rows(rows, candidates, {"p1"})
    assert (first.responses, first.different, first.self_bleu) == (3, 2, None)
    assert (second.different, second.distinct_2, second.self_bleu) == (3, 1.0, 0.0)


def test_as_many_prompts_are_drawn_as_the_settings_say_and_the_seed_says_which():
    rows = [response(f"r{i}", "x", prompt_id=f"p{i}") for i in range(20)]
    settings = DiversitySettings(prompts=5)
    drawn = drawn_prompts(rows, settings, 1)
    assert len(drawn) == 5 and drawn == drawn_prompts(rows[::-1], settings, 1)
    assert drawn != drawn_prompts(rows, settings, 2)
