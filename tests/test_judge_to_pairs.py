"""From a judge's taste to preference pairs: nothing on the way may turn a verdict round."""

import pytest

from tasks.canonical import short_id
from tasks.correction import CorrectionSettings
from tasks.judging import candidates_of
from tasks.opinions import Annotator
from tasks.responses import by_id
from tasks.variants import load_variant
from tasks.waves import Asking, dialogues_about, told
from tests.opinion_makers import prompt, response
from tests.paired import pairs_of
from tests.small_config import small_config

PROMPTS = [prompt(prompt_id=f"p{number:04}") for number in range(1000)]


def pairs_by(strengths, rule="all", **taste):
    """Pairs and responses where three cells answer 1,000 prompts and one simulated judge rules."""
    answers = [
        response(short_id(one.prompt_id, cell), "x" * size, prompt_id=one.prompt_id, cell=cell)
        for one in PROMPTS
        for cell, size in (("short", 3), ("middle", 5), ("long", 8))
    ]
    judge = load_variant("tasks.judges", "simulated", judge={"kind": "rule"}, **taste)
    candidates = candidates_of(answers, strengths)
    asking = Asking(load_variant("tasks.comparison_rules", rule), judge, seed=0)
    main = Annotator(name="main", kind="judge")
    verdicts = [
        verdict
        for one in dialogues_about(PROMPTS, candidates, by_id(answers), asking).dialogues
        for verdict in told(one, judge, main).verdicts
    ]
    settings = small_config(pairs__filters=[]).pairs
    made = pairs_of(candidates, verdicts, by_id(answers), CorrectionSettings(), settings, seed=0)
    return made.pairs, by_id(answers)


@pytest.mark.parametrize("strengths", [{}, {"short": 2.0, "middle": 1.5, "long": 1.0}])
def test_a_judge_that_prefers_the_longer_text_makes_pairs_with_the_longer_one_chosen(strengths):
    pairs, answers = pairs_by(strengths, prefers_longer=1.0)
    assert len(pairs) == 3 * len(PROMPTS)
    for pair in pairs:
        chosen, rejected = answers[pair.chosen_id], answers[pair.rejected_id]
        assert len(chosen.text) > len(rejected.text)
        assert {pair.prompt_id} == {chosen.prompt_id, rejected.prompt_id}


@pytest.mark.parametrize("strengths", [{}, {"short": 2.0, "middle": 1.5, "long": 1.0}])
def test_a_judge_that_prefers_what_it_is_shown_first_makes_no_pair(strengths):
    assert pairs_by(strengths, position_bias=1.0)[0] == []
