"""Replies that have not exactly the agreed form: what must come out of each, family by family."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judges_asking import asking
from tests.malformed_replies import (
    CHOICE_UNPARSED,
    JSON_UNPARSED,
    LIKERT_UNPARSED,
    PAIRWISE_UNPARSED,
    RUBRIC_UNPARSED,
)


def outcomes(judge, replies):
    return {reply: judge.parse(reply).outcome for reply in replies}


@pytest.mark.parametrize(
    ("judge", "replies"),
    [
        (asking("pairwise"), PAIRWISE_UNPARSED),
        (asking("reference_guided"), PAIRWISE_UNPARSED),
        (asking("likert"), LIKERT_UNPARSED),
        (asking("rubric"), RUBRIC_UNPARSED),
        (asking("pairwise", structured="json_schema"), JSON_UNPARSED),
        (asking("pairwise", structured="choice"), CHOICE_UNPARSED),
    ],
    ids=["line", "reference", "score line", "aspect lines", "json", "choice"],
)
def test_each_of_forty_malformed_replies_is_unparsed_and_kept(judge, replies):
    assert len(set(replies)) >= 40
    wrong = {reply: said for reply, said in outcomes(judge, replies).items() if said != "unparsed"}
    assert wrong == {}
    opinions = [judge.parse(reply) for reply in replies]
    assert all(one.reply == reply for one, reply in zip(opinions, replies, strict=True))
    assert all(one.score is None and one.p_second_wins is None for one in opinions)


def graded(value, **more):
    return json.dumps({"reasons": "x", "score": value, **more})


@pytest.mark.parametrize(
    "reply",
    [
        *(
            graded(value)
            for value in (0, 6, 4.0, 4.5, "4", True, None, [4], {"score": 4}, -4, 1e300)
        ),
        *(
            '{"reasons": "x", "score": 4.}',
            '{"reasons": "x", "score": 04}',
            '{"reasons":"x","score":"4"}',
        ),
        *('{"reasons": "x", "score": Infinity}', '{"reasons": "x", "score": NaN}', '{"score": 4}'),
        graded(4, why=1),
    ],
)
def test_a_grade_in_json_is_a_whole_number_of_the_scale_or_unparsed(reply):
    assert asking("likert", structured="json_schema").parse(reply).outcome == "unparsed"


@pytest.mark.parametrize(
    "scores",
    [
        *({}, [], 4, "4", None, {"accuracy": 4}, {"accuracy": 4, "clarity": 4, "style": 4}),
        *(
            {"accuracy": 4, "clarity": "4"},
            {"accuracy": 4, "clarity": 4.0},
            {"accuracy": True, "clarity": 4},
        ),
        *(
            {"accuracy": 4, "clarity": None},
            {"accuracy": 4, "clarity": 6},
            {"Accuracy": 4, "clarity": 4},
        ),
        *({"accuracy": [4], "clarity": 4}, {"accuracy": {"": 4}, "clarity": 4}, [4, 4], 1.5, True),
    ],
)
def test_grades_in_json_are_one_for_each_aspect_or_unparsed(scores):
    reply = json.dumps({"reasons": "x", "scores": scores})
    assert asking("rubric", structured="json_schema").parse(reply).outcome == "unparsed"


WELL_FORMED = [
    (asking("pairwise"), "B is wrong.\nVerdict: A", "first"),
    (asking("pairwise", structured="json_schema"), '{"reasons": "x", "verdict": "B"}', "second"),
    (asking("pairwise", structured="json_schema"), ' {"verdict":"tie","reasons":""}\n', "tie"),
    (asking("pairwise", structured="choice"), "A", "first"),
    (asking("pairwise", structured="choice"), " tie\n", "tie"),
    (asking("likert"), "Fine.\n**Score: 4**", "scored"),
    (asking("likert", structured="choice"), "5", "scored"),
    (asking("likert", structured="json_schema"), graded(2), "scored"),
    (asking("rubric"), "Fine.\naccuracy: 4\nClarity: 2", "scored"),
]


@pytest.mark.parametrize(("judge", "reply", "outcome"), WELL_FORMED)
def test_the_agreed_form_is_understood(judge, reply, outcome):
    assert judge.parse(reply).outcome == outcome


FAMILIES = [
    asking(kind) for kind in ("pairwise", "reference_guided", "likert", "rubric", "logprob")
]
FAMILIES += [asking("pairwise", structured=one) for one in ("json_schema", "choice")]
FAMILIES += [asking("likert", structured=one) for one in ("json_schema", "choice")]
FAMILIES += [asking("rubric", structured="json_schema")]
PIECES = [
    "Verdict:",
    "Score:",
    "accuracy:",
    "clarity:",
    "A",
    "B",
    "tie",
    "4",
    "5",
    " ",
    "\n",
    "**",
    ".",
]
PIECES += ['{"reasons":', '"x"', ',"verdict":', '"A"', "}", "```", "\u2028", "\x85", "[", "-1e999"]
REPLIES = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
)


@settings(max_examples=150, deadline=None)
@given(REPLIES)
def test_no_reply_raises_and_each_becomes_one_of_the_known_outcomes(reply):
    for judge in FAMILIES:
        opinion = judge.parse(reply)
        assert opinion.outcome in ("first", "second", "tie", "scored", "unparsed")
        assert (opinion.score is not None) == (opinion.outcome == "scored")


@settings(max_examples=150, deadline=None)
@given(REPLIES)
def test_a_verdict_stands_on_the_last_line_and_nowhere_else(reply):
    if asking("pairwise").parse(reply).outcome == "unparsed":
        return
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    assert lines[-1].lower().replace("*", "").startswith("verdict:")
    assert not any(line.lower().startswith("verdict:") for line in lines[:-1])


TOKENS = st.lists(
    st.tuples(st.sampled_from(["A", "B", " A", "a", "", "C", "\n"]), st.floats(allow_nan=True)),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(TOKENS)
def test_no_tokens_raise_and_a_probability_is_one(tokens):
    opinion = asking("logprob", least_mass=0.0).parse("A", tokens)
    p = opinion.p_second_wins
    assert (p is None) == (opinion.outcome == "unparsed")
    assert p is None or 0 <= p <= 1
