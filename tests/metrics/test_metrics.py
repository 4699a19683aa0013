import pytest

from tasks.evaluation_view import EvaluationView
from tasks.variants import load_variant
from tests.opinion_makers import both, prompt, response, verdict
from tests.word_checks import word_checks  # noqa: F401

pytestmark = pytest.mark.usefixtures("word_checks")

RED = {"kind": "colour", "word": "red"}
CAT = {"kind": "animal", "word": "cat"}


def view(*prompts, own, **more):
    """`own`: texts of the checkpoint's responses by prompt_id, as r1, r2, ..."""
    responses = {
        prompt_id: [
            response(f"r{i}", text, prompt_id=prompt_id) for i, text in enumerate(texts, start=1)
        ]
        for prompt_id, texts in own.items()
    }
    return EvaluationView(
        prompts={one.prompt_id: one for one in prompts}, responses=responses, **more
    )


def measured(kind, *args, settings=None, **kwargs):
    return load_variant("tasks.metrics", kind, **(settings or {}))(view(*args, **kwargs))


def test_check_pass_rate_wants_all_checks_of_a_prompt():
    slices = measured(
        "check_pass_rate", prompt(RED, CAT, tags=["hard"]), own={"p": ["red cat", "red"]}
    )
    assert slices == {
        "all": {"p": 0.5},
        "hard": {"p": 0.5},
        "check:colour": {"p": 1.0},
        "check:animal": {"p": 0.5},
    }


def test_check_pass_rate_leaves_out_what_has_no_checks_or_no_response():
    prompts = (prompt(RED), prompt(prompt_id="q"), prompt(RED, prompt_id="r"))
    slices = measured("check_pass_rate", *prompts, own={"p": ["red"], "q": ["red"], "r": []})
    assert slices == {"all": {"p": 1.0}, "check:colour": {"p": 1.0}}


def test_length_is_the_mean_number_of_words():
    slices = measured("length", prompt(tags=["t"]), own={"p": ["a b c", "a"]})
    assert slices == {"all": {"p": 2.0}, "t": {"p": 2.0}}


def test_length_compares_the_items_with_those_asked_for(monkeypatch):
    monkeypatch.undo()
    three = prompt({"kind": "number_of_items", "count": 3})
    slices = measured("length", three, prompt(prompt_id="q"), own={"p": ["a, b, c, d"], "q": ["a"]})
    assert slices["items_over_asked"] == {"p": pytest.approx(4 / 3)}
    assert slices["all"] == {"p": 4.0, "q": 1.0}


def won(verdicts, *, text="theirs", settings=None):
    """The win rate of r1 against s1."""
    return measured(
        "win_rate",
        prompt(),
        own={"p": ["ours"]},
        opponents={"sft": {"p": [response("s1", text)]}},
        verdicts=verdicts,
        settings={"judge": "judge", **(settings or {})},
    )["all"]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (both("r1", "s1", "a"), {"p": 1.0}),
        (both("r1", "s1", "b"), {"p": 0.0}),
        (both("r1", "s1", "a", other="b"), {"p": 0.5}),
        (both("r1", "s1", "tie", other="a"), {"p": 0.75}),
        (both("r1", "s1", "b", p=0.75), {"p": 0.25}),
        ([verdict("r1", "s1", "a", shown="b")], {"p": 1.0}),
        (both("r1", "s1", "a", other="unparsed"), {}),
        (both("r1", "s1", "unparsed"), {}),
        (both("r1", "s1", "a", by="another"), {}),
        ([verdict("r1", "s1", "a", kind="human")], {}),
        ([], {}),
    ],
)
def test_win_rate_is_the_mean_over_both_orders(verdicts, expected):
    assert won(verdicts) == expected


def test_equal_texts_tie_without_a_verdict():
    assert won([], text=" ours\n") == {"p": 0.5}


def test_win_rate_is_against_the_opponent_that_is_named():
    assert won(both("r1", "s1", "a"), settings={"against": "reference"}) == {}


def test_the_win_rates_of_both_sides_sum_to_one():
    rows = both("r1", "s1", "tie", other="a")
    ours, theirs = response("r1", "ours"), response("s1", "theirs")
    metric = load_variant("tasks.metrics", "win_rate", judge="judge")

    def rate(own, other):
        sides = {"responses": {"p": [own]}, "opponents": {"sft": {"p": [other]}}}
        return metric(EvaluationView(prompts={"p": prompt()}, verdicts=rows, **sides))["all"]["p"]

    assert rate(ours, theirs) + rate(theirs, ours) == 1.0


def test_win_rate_averages_over_all_responses_of_a_prompt():
    rows = [*both("r1", "s1", "a"), *both("r2", "s1", "b"), *both("r3", "s1", "a")]
    slices = measured(
        "win_rate",
        prompt(),
        own={"p": ["x", "y", "z"]},
        opponents={"sft": {"p": [response("s1", "theirs")]}},
        verdicts=rows,
        settings={"judge": "judge"},
    )
    assert slices["all"] == {"p": pytest.approx(2 / 3)}
