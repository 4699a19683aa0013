"""Every way of judging through the judge door: grades, log-probabilities, panels, models."""

import json
from collections import Counter

import pytest

from infra.place import counts_of, records_of, side_of
from tasks.judge import judge_with
from tasks.records import Prompt, Response, Verdict
from tasks.variants import load_variant
from tests.infra.chat_server import running_server, send
from tests.judged import committed, number_of, say
from tests.opinion_makers import prompt, response
from tests.small_config import small_place


@pytest.fixture
def server():
    with running_server() as running:
        yield running


@pytest.fixture
def place(tmp_path):
    return small_place(root=f"file://{tmp_path}/store", round_index=0, strengths={})


PROMPTS = [prompt(prompt_id=f"p{n}", text=f"Say {n}.") for n in range(3)]
CELLS = ("small", "large", "huge")
ANSWERS = [
    response(f"{cell}-{one.prompt_id}", f"{cell} fox", prompt_id=one.prompt_id, cell=cell)
    for one in PROMPTS
    for cell in CELLS
]


def judged(place, kind, name="main", **settings):
    artifact = judge_with.fn(
        name=f"{name} · train",
        prompts=committed(place, Prompt, PROMPTS),
        responses=[committed(place, Response, ANSWERS)],
        judge=load_variant("tasks.judges", kind, **settings),
        comparisons=load_variant("tasks.comparison_rules", "all"),
        place=place,
    )
    return artifact, records_of(place, Verdict, artifact)


def asks(server, **settings):
    return {"model": "m", "base_url": server.url, **settings}


def grade(text):
    """small 2, large 4, huge 4."""
    return 2 if "small fox" in text else 4


def test_each_response_is_graded_once_and_all_comparisons_follow(server, place):
    server.play = lambda handler, number, text: say(handler, f"So.\nScore: {grade(text)}")
    artifact, made = judged(place, "likert", **asks(server))
    assert sum(server.asked.values()) == 9 and set(server.asked.values()) == {1}
    scores = {one.a_id: one.score for one in made if one.outcome == "scored"}
    assert scores == {one.response_id: 2.0 if one.cell == "small" else 4.0 for one in ANSWERS}
    counts = {"verdicts": 27, "a": 12, "scored": 9, "tie": 6}  # small-... has the largest id
    assert counts_of(place, artifact) == counts
    lost = [one for one in made if one.outcome == "a"]
    assert all(one.b_id.startswith("small") and one.p_b_wins == 0.25 for one in lost)
    assert {one.strength for one in lost} == {0.5}


def test_a_grade_costs_once_however_many_verdicts_it_makes(server, place):
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    reply = "accuracy: 4\nclarity: 2"
    server.play = lambda handler, number, text: say(handler, reply, usage=usage)
    aspects = {"accuracy": {"question": "True?"}, "clarity": {"question": "Clear?"}}
    artifact, made = judged(place, "rubric", aspects=aspects, **asks(server, price=[1.0, 1.0]))
    assert counts_of(place, artifact)["scored"] == 27
    assert sum(one.cost_usd or 0 for one in made) == pytest.approx(9 * 110e-6)
    assert side_of(place, artifact)["cost_usd"] == pytest.approx(9 * 110e-6)


def test_a_grade_that_is_not_understood_spoils_only_its_own_comparisons(server, place):
    def play(handler, number, text):
        bad = number_of(text) == 1 and "large fox" in text
        say(handler, "Score: ?" if bad else "Score: 3")

    server.play = play
    _, made = judged(place, "likert", **asks(server))
    lost = [one for one in made if one.outcome == "unparsed"]
    assert len(lost) == 1 + 2 * 2 and {one.prompt_id for one in lost} == {"p1"}
    assert all("large-p1" in (one.a_id, one.b_id) for one in lost)


def test_refusals_and_silence_are_unparsed(server, place):
    def play(handler, number, text):
        message = {"role": "assistant", "content": None}
        message |= {"refusal": "No."} if number_of(text) else {}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
        send(handler, 200, json.dumps({**body, "choices": [choice]}))

    server.play = play
    artifact, _ = judged(place, "pairwise", **asks(server))
    assert counts_of(place, artifact) == {
        "verdicts": 18, "unparsed": 18, "reply_empty": 6, "reply_refusal": 12,
    }  # fmt: skip


def with_tokens(handler, tokens):
    listed = [{"token": token, "logprob": logp, "bytes": None} for token, logp in tokens]
    first = {**listed[0], "top_logprobs": listed}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": tokens[0][0]},
        "finish_reason": "length",
        "logprobs": {"content": [first]},
    }
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    send(handler, 200, json.dumps(body))


def test_log_probabilities_come_from_the_server_and_out_of_the_journal(server, place):
    def play(handler, number, text):
        if number == 1 and number_of(text) == 2 and -1 < text.find("huge") < text.find("large"):
            send(handler, 400, "{}")
        else:
            with_tokens(handler, [("A", -0.5), ("B", -1.5)])

    server.play = play
    with pytest.raises(ConnectionError):
        judged(place, "logprob", **asks(server))
    _, made = judged(place, "logprob", **asks(server))
    assert sum(server.asked.values()) < 2 * 18
    assert {one.outcome for one in made} == {"a", "b"} and len(made) == 18
    for one in made:
        assert one.outcome == one.first_shown
        assert min(one.p_b_wins, 1 - one.p_b_wins) == pytest.approx(0.2689414214)
    assert all(body["logprobs"] and body["top_logprobs"] == 20 for body in server.bodies)


def test_a_server_that_gives_no_log_probabilities_gives_no_verdict(server, place):
    server.play = lambda handler, number, text: say(handler, "A")
    artifact, _ = judged(place, "logprob", **asks(server))
    assert counts_of(place, artifact) == {"verdicts": 18, "unparsed": 18}


def test_structured_output_is_asked_for(server, place):
    server.play = lambda handler, number, text: say(handler, '{"reasons": "", "verdict": "tie"}')
    artifact, _ = judged(place, "pairwise", **asks(server, structured="json_schema"))
    assert counts_of(place, artifact) == {"verdicts": 18, "tie": 18}
    assert {body["response_format"]["type"] for body in server.bodies} == {"json_schema"}
    server.play = lambda handler, number, text: say(handler, "A")
    judged(place, "pairwise", name="other", **asks(server, structured="choice"))
    assert server.bodies[-1]["structured_outputs"] == {"choice": ["A", "B", "tie"]}


def test_a_panel_asks_each_member_once_and_another_rule_asks_nobody(server, place):
    server.play = lambda handler, number, text: say(handler, "Verdict: A")
    members = {
        "one": {"kind": "pairwise", **asks(server, price=[1.0, 1.0])},
        "two": {"kind": "pairwise", **asks(server, model="n")},
        "grade": {"kind": "likert", **asks(server)},
    }
    artifact, made = judged(place, "panel", members=members)
    assert len(server.bodies) == 18 + 18 + 9
    assert {one.annotator for one in made} == {"main"} and len(made) == 18
    assert all(one.outcome == one.first_shown for one in made)  # the grades were not understood
    kept = Counter(one.annotator for one in records_of(place, Verdict, artifact, "members"))
    assert kept == {"one": 18, "two": 18, "grade": 9 + 18}
    assert side_of(place, artifact)["calls"] == 45
    judged(place, "panel", members=members, rule="unanimous", name="strict")
    assert len(server.bodies) == 45


def test_the_rule_scores_through_the_same_path(place):
    _, made = judged(place, "rule")
    assert Counter(one.outcome for one in made) == {"scored": 9, "tie": 18}
    assert {one.scale for one in made if one.outcome == "scored"} == {"checks"}
