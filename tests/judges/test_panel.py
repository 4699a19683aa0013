"""What members say becomes one verdict; numbers worked out by hand."""

import pytest

from tasks.errors import ConfigError
from tasks.judging import Asked
from tasks.opinions import Annotator, questions
from tasks.panels import panel_verdicts
from tasks.variants import load_variant
from tests.opinion_makers import prompt, response, verdict

RULE = {"kind": "rule"}
OUTCOMES = {"a": "a", "b": "b", "t": "tie", "u": "unparsed"}


def panel(size=3, **settings):
    members = {name: {"kind": "simulated", "judge": RULE} for name in "xyz"[:size]}
    return load_variant("tasks.judges", "panel", members=members, **settings)


def together(said, p=None, **settings):
    """The panel's verdict where its members say `said`, one letter each."""
    judge = panel(len(said), **settings)
    [shown, _] = questions("p", ("r1", "r2"), both_orders=True, seed=0)
    asked = [Asked(shown, prompt(), response("r1", "x"), response("r2", "y"))]
    members = {
        name: [verdict("r1", "r2", OUTCOMES[one], by=name, shown="a", p=p and p[place])]
        for place, (name, one) in enumerate(zip("xyz", said, strict=False))
    }
    [made] = panel_verdicts(asked, members, judge, Annotator(name="main", kind="judge"))
    return made


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("aaa", "a"),
        ("aab", "a"),
        ("abb", "b"),
        ("att", "tie"),
        ("aat", "a"),
        ("abt", "tie"),
        ("aau", "a"),
        ("abu", "tie"),
        ("auu", "unparsed"),
        ("uuu", "unparsed"),
        ("ab", "tie"),
    ],
)
def test_more_than_half_of_those_who_were_understood_decide(said, outcome):
    assert together(said).outcome == outcome


@pytest.mark.parametrize(
    ("said", "outcome"),
    [("aaa", "a"), ("aab", "tie"), ("ttt", "tie"), ("aat", "tie"), ("aau", "unparsed")],
)
def test_a_unanimous_panel_needs_all(said, outcome):
    assert together(said, rule="unanimous").outcome == outcome


def test_weights_count_votes():
    weighted = {"rule": "weighted", "weights": {"x": 3.0}}
    assert together("abb", **weighted).outcome == "a"
    assert together("ubb", **weighted).outcome == "unparsed"
    assert together("ubb", quorum=0.2, **weighted).outcome == "b"
    assert together("ubb").outcome == "b"


def test_the_probability_is_the_weighted_mean_of_those_who_were_understood():
    assert together("aab").p_b_wins == pytest.approx(1 / 3)
    assert together("aau").p_b_wins == 0.0
    made = together("bba", p=(0.9, 0.6, 0.3))
    assert made.p_b_wins == pytest.approx(0.6) and made.strength == pytest.approx(2 / 3)
    heavy = together("bba", p=(0.9, 0.6, 0.3), rule="weighted", weights={"x": 2.0})
    assert heavy.p_b_wins == pytest.approx((2 * 0.9 + 0.6 + 0.3) / 4)


def test_a_mean_on_the_other_side_of_the_majority_is_not_its_probability():
    assert together("bba", p=(0.55, 0.55, 0.01)).p_b_wins == 1.0


def test_a_member_that_said_nothing_was_not_understood():
    [shown, _] = questions("p", ("r1", "r2"), both_orders=True, seed=0)
    asked = [Asked(shown, prompt(), response("r1", "x"), response("r2", "y"))]
    members = {"x": [verdict("r1", "r2", "a", shown="a")], "y": [], "z": []}
    [made] = panel_verdicts(asked, members, panel(), Annotator(name="main", kind="judge"))
    assert made.outcome == "unparsed"


@pytest.mark.parametrize(
    "member",
    [
        {"kind": "recorded", "files": ["v.jsonl"]},
        {"kind": "panel", "members": {"a": RULE, "b": RULE}},
    ],
)
def test_recorded_verdicts_and_panels_are_no_members(member):
    with pytest.raises(ConfigError, match="members ask, score or compare"):
        load_variant("tasks.judges", "panel", members={"a": RULE, "b": member})


def test_members_must_be_asked_alike():
    once = {"kind": "pairwise", "model": "m", "base_url": "http://h/v1", "both_orders": False}
    with pytest.raises(ConfigError, match="set both_orders alike"):
        load_variant("tasks.judges", "panel", members={"a": RULE, "b": once})


def test_weights_belong_to_members_and_to_the_weighted_rule():
    with pytest.raises(ConfigError, match=r"weights name \['w'\]; members are: x, y, z"):
        panel(rule="weighted", weights={"w": 2.0})
    with pytest.raises(ConfigError, match="write weighted"):
        panel(weights={"x": 2.0})


def test_a_panel_of_one_is_refused():
    with pytest.raises(ConfigError, match="members"):
        panel(1)
