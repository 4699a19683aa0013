import pytest

from tasks.check_results import check_results
from tasks.errors import ConfigError
from tasks.judges.rule import Rule
from tasks.judges.simulated import Simulated
from tests.opinion_makers import prompt, response
from tests.word_checks import word_checks  # noqa: F401

pytestmark = pytest.mark.usefixtures("word_checks")

RED, BLUE = {"kind": "colour", "word": "red"}, {"kind": "colour", "word": "blue"}
CAT = {"kind": "animal", "word": "cat"}
PROMPT = prompt(RED, BLUE, CAT)
RED_CAT, CAT_ONLY, NOTHING = (
    response("r1", "red cat"),
    response("r2", "a cat"),
    response("r3", "dog"),
)


def test_the_score_is_the_share_of_checks_that_are_met():
    assert Rule().score(PROMPT, RED_CAT) == pytest.approx(2 / 3)
    assert Rule().score(PROMPT, NOTHING) == 0.0


def test_weights_are_by_kind():
    # red 1 + cat 2, of 1 + 1 + 2.
    assert Rule(weights={"animal": 2.0}).score(PROMPT, RED_CAT) == pytest.approx(3 / 4)


def test_overlooked_kinds_do_not_count():
    assert Rule(overlook=("colour",)).score(PROMPT, CAT_ONLY) == 1.0


def test_more_checks_win_in_either_order():
    assert Rule().compare(PROMPT, RED_CAT, CAT_ONLY, "q").outcome == "first"
    assert Rule().compare(PROMPT, CAT_ONLY, RED_CAT, "q").outcome == "second"


def test_scores_within_the_margin_tie():
    assert Rule(margin=0.5).compare(PROMPT, RED_CAT, CAT_ONLY, "q").outcome == "tie"
    assert Rule().compare(PROMPT, CAT_ONLY, CAT_ONLY, "q").outcome == "tie"


def test_a_prompt_without_checks_is_a_tie():
    assert Rule().compare(prompt(), RED_CAT, NOTHING, "q").outcome == "tie"


def test_a_simulated_judge_that_overlooks_a_kind_of_check_judges_by_the_others():
    blind = Simulated(judge=Rule(), overlooks=("animal",))
    cat, red = response("r1", "cat cat"), response("r2", "red")
    assert Rule().compare(prompt(CAT), cat, red, "q").outcome == "first"
    assert blind.compare(prompt(CAT), cat, red, "q").outcome == "tie"
    assert blind.compare(prompt(CAT, RED), cat, red, "q").outcome == "second"


def test_an_unknown_kind_of_check_lists_the_known_ones(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="has no kind 'no_such_check'; available: "):
        check_results(prompt({"kind": "no_such_check"}), "text")
