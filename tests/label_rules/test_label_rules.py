"""What label rules say, by hand."""

from dataclasses import replace

import pytest

from tasks.errors import DataError
from tasks.label_rules._contract import Judged, Labelled
from tasks.labelling import labels_of, ordered_pairs
from tasks.pairing import split_held_out
from tasks.variants import load_variant
from tests.opinion_makers import candidate, preference, verdict


def rule(kind, **settings):
    return load_variant("tasks.label_rules", kind, **settings)


def judged(preferences=(), verdicts=(), **origins):
    members = {name: candidate(name, origin=origin) for name, origin in origins.items()}
    return Judged("p", members, list(preferences), list(verdicts))


OWN = {"a": "policy", "b": "policy", "c": "policy"}


def test_every_response_of_the_policy_is_wanted_and_those_of_others_are_left_out():
    said = rule("every_response")(judged(a="policy", b="model", c="human"))
    assert said.desirable == {"a": 1.0}
    assert said.left_out == {"b": "not_of_the_policy", "c": "not_of_the_policy"}
    assert rule("every_response", of="all")(judged(a="policy", b="model")).left_out == {}


def test_a_response_has_the_mean_of_its_probabilities_to_win():
    """a beats b with 0.9 and loses to c with 0.4; b against c is a tie that was dropped."""
    beliefs = [
        preference("a", "b", "a", margin=0.8),
        preference("a", "c", "b", margin=0.2),
        preference("b", "c", "dropped"),
    ]
    said = rule("win_share")(judged(beliefs, **OWN))
    assert said.desirable == pytest.approx({"a": (0.9 + 0.4) / 2, "b": 0.3, "c": 0.55})
    ignored = rule("win_share", undecided="ignored")(judged(beliefs, **OWN))
    assert ignored.desirable == pytest.approx({"a": 0.65, "b": 0.1, "c": 0.6})


def test_wins_count_against_the_policy_alone_unless_all_are_asked_for():
    beliefs = [preference("a", "m", "a"), preference("a", "b", "b"), preference("b", "m", "b")]
    given = judged(beliefs, a="policy", b="policy", m="model")
    said = rule("win_share")(given)
    assert said.desirable == {"a": 0.0, "b": 1.0, "m": 0.5}
    assert rule("win_share", against="all")(given).desirable == {"a": 0.5, "b": 0.5, "m": 0.5}
    own = rule("win_share", of="policy")(given)
    assert own.desirable == {"a": 0.0, "b": 1.0} and own.left_out == {"m": "not_of_the_policy"}


def test_what_nobody_compared_says_nothing_and_too_few_comparisons_no_label():
    unseen = replace(preference("a", "b", "dropped"), reason="uncompared")
    said = rule("win_share")(judged([unseen, preference("b", "c", "a")], **OWN))
    assert said.desirable == {"b": 1.0, "c": 0.0}
    assert said.left_out == {"a": "too_few_comparisons"}
    assert rule("win_share", min_comparisons=2)(judged([unseen], **OWN)).desirable == {}


def test_the_best_and_the_worst_may_be_kept_alone():
    beliefs = [preference("a", "b", "b"), preference("b", "c", "b"), preference("a", "c", "b")]
    said = rule("win_share", keep="best_and_worst")(judged(beliefs, **OWN))
    assert said.desirable == {"a": 0.0, "c": 1.0}
    assert said.left_out == {"b": "neither_best_nor_worst"}


def made(**wanted):
    """Labels of prompts p and q from how wanted each response is."""
    members = {one: [candidate(name, prompt_id=one) for name in wanted if name[0] == one]
               for one in "pq"}  # fmt: skip

    class Given:
        def __call__(self, judged):
            return Labelled({one: wanted[one] for one in judged.candidates}, {})

    return labels_of(Given(), members, [], [])[0]


def test_the_labels_of_a_prompt_share_its_weight_and_are_sorted():
    labels = made(p2=0.0, p1=1.0, q1=0.5)
    assert [(one.response_id, one.weight) for one in labels] == [
        ("p1", 0.5),
        ("p2", 0.5),
        ("q1", 1),
    ]


def test_near_duplicates_of_a_prompt_stand_on_one_side():
    labels = made(p1=1.0, q1=0.0)
    for seed in range(20):
        training, held_out = split_held_out(labels, {"p": "g", "q": "g"}, 0.5, seed)
        assert not training or not held_out
        assert sorted([*training, *held_out], key=lambda one: one.response_id) == labels


def test_labels_order_responses_where_they_differ():
    pairs = ordered_pairs(made(p1=0.2, p2=1.0, p3=1.0, q1=0.3))
    found = [(one.chosen_id, one.rejected_id, one.margin, one.p_chosen) for one in pairs]
    assert found == [("p2", "p1", 0.8, 0.9), ("p3", "p1", 0.8, 0.9)]


def test_what_is_no_probability_is_refused():
    with pytest.raises(DataError, match=r"response p1 1\.5, which is no probability"):
        made(p1=1.5)


def scored(response_id, score, by="main", kind="judge", scale="1-5"):
    return replace(
        verdict(response_id, response_id, "scored", by=by, kind=kind),
        b_id="",
        score=float(score),
        scale=scale,
    )


def thumb(response_id, score, by="ann"):
    return scored(response_id, score, by=by, kind="human", scale="thumbs")


def test_a_score_from_the_threshold_on_is_a_thumb_up():
    given = judged(verdicts=[scored("a", 3), scored("b", 2.9), scored("c", 5, by="other")], **OWN)
    said = rule("thumbs", judges={"main": 3})(given)
    assert said.desirable == {"a": 1.0, "b": 0.0} and said.left_out == {"c": "no_opinion"}


def test_people_overrule_judges_and_share_a_label():
    opinions = [scored("a", 5), thumb("a", 0), thumb("a", 1, "bo"), thumb("a", 0, "cy")]
    given = judged(verdicts=[*opinions, scored("b", 5)], **OWN)
    said = rule("thumbs", judges={"main": 3})(given)
    assert said.desirable == pytest.approx({"a": 1 / 3, "b": 1.0})
    most = rule("thumbs", judges={"main": 3}, several="majority")(given)
    assert most.desirable == {"a": 0.0, "b": 1.0}


def test_people_overrule_judges_on_every_response_of_the_same_text():
    """Of equal texts a judge is shown one, and a table of thumbs may mean another."""
    given = judged(verdicts=[scored("a", 5), thumb("b", 0), scored("c", 5)], **OWN)
    same = {name: candidate(name, origin="policy", text="a fig") for name in "ab"}
    given = given._replace(candidates={**given.candidates, **same})
    assert rule("thumbs", judges={"main": 3})(given).desirable == {"a": 0.0, "b": 0.0, "c": 1.0}


def test_people_who_are_split_evenly_and_too_few_thumbs_give_no_label():
    given = judged(verdicts=[thumb("a", 0), thumb("a", 1, "bo"), thumb("b", 1)], **OWN)
    said = rule("thumbs", several="majority", min_thumbs=2)(given)
    assert said.desirable == {}
    assert said.left_out == {"a": "people_disagree", "b": "too_few_thumbs", "c": "no_opinion"}


def test_scores_of_aspects_and_of_unnamed_judges_are_no_thumbs():
    aspect = replace(scored("a", 5), criterion="style")
    given = judged(verdicts=[aspect, scored("b", 5, by="other")], **OWN)
    assert rule("thumbs", judges={"main": 3})(given).desirable == {}
