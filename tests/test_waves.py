"""What is asked in waves is a function of seed and verdicts, whoever answers and however late."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.place import counts_of, records_of
from tasks.annotate import annotate, choose
from tasks.comparison_rules._contract import Wave
from tasks.config import AnnotateSection
from tasks.errors import ConfigError, DataError
from tasks.judge import judge_with
from tasks.judging import candidates_of
from tasks.opinions import Annotator
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.variants import load_variant
from tasks.waves import Asking, chosen, dialogues_about, heard_of, told
from tests.infra.chat_server import Server, running_server, send
from tests.judged import committed, say
from tests.opinion_makers import both, prompt, response, verdict
from tests.small_config import small_config, small_place

RULES = {"swiss": 12, "active": 12, "all": 28}
"""Comparisons of eight responses."""


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def place(tmp_path) -> Place:
    return small_place(root=f"file://{tmp_path}/store", round_index=0, strengths={})


def asked(count=3, members=8):
    prompts = [prompt(prompt_id=f"p{n}", text=f"Say {n}.") for n in range(count)]
    answers = [
        response(f"r{n}-{one}", f"text {n}{one}", prompt_id=f"p{n}", cell=f"c{one}")
        for n in range(count)
        for one in range(members)
    ]
    return prompts, answers


def judged(place: Place, judge: Any, rule: str, **settings: Any) -> Artifact:
    prompts, answers = asked()
    done: Artifact = judge_with.fn(
        name="main · train",
        prompts=committed(place, Prompt, prompts),
        responses=[committed(place, Response, answers)],
        judge=judge,
        comparisons=load_variant("tasks.comparison_rules", rule, **settings),
        place=place,
    )
    return done


def pairwise(server: Server, **settings: Any) -> Any:
    return load_variant("tasks.judges", "pairwise", model="m", base_url=server.url, **settings)


def higher_digit_wins(handler: Any, number: int, text: str) -> None:
    first, second = (part[:2] for part in text.split("text ")[1:3])
    say(handler, f"Verdict: {'A' if first > second else 'B'}")


@pytest.mark.parametrize("rule", RULES)
def test_late_replies_change_neither_questions_nor_verdicts(server, place, tmp_path, rule):
    chance = random.Random(1)

    def play(handler, number, text):
        time.sleep(chance.random() / 50)
        higher_digit_wins(handler, number, text)

    server.play = play
    one = judged(place, pairwise(server, concurrency=1), rule)
    elsewhere = small_place(root=f"file://{tmp_path}/other", round_index=0, strengths={})
    many = judged(elsewhere, pairwise(server, concurrency=16), rule)
    assert records_of(place, Verdict, one) == records_of(elsewhere, Verdict, many)
    assert one.rows <= 3 * 2 * RULES[rule]


@pytest.mark.parametrize("rule", ["swiss", "active"])
def test_a_run_that_broke_off_goes_on_with_the_same_questions_and_asks_none_twice(
    server, place, tmp_path, rule
):
    fails = random.Random(2)
    refused = set()

    def play(handler, number, text):
        if number == 1 and fails.random() < 0.15:
            refused.add(text)
            send(handler, 400, "{}")
        else:
            higher_digit_wins(handler, number, text)

    server.play = play
    for _ in range(20):
        try:
            artifact = judged(place, pairwise(server), rule)
            break
        except ConnectionError:
            continue
    assert refused
    assert all(count == 1 + (text in refused) for text, count in server.asked.items())
    server.play = higher_digit_wins
    elsewhere = small_place(root=f"file://{tmp_path}/other", round_index=0, strengths={})
    whole = judged(elsewhere, pairwise(server), rule)
    assert records_of(place, Verdict, artifact) == records_of(elsewhere, Verdict, whole)


def test_the_manifest_says_what_was_left_out_and_why(server, place):
    server.play = higher_digit_wins
    swiss = judged(place, pairwise(server), "swiss")
    assert counts_of(place, swiss)["verdicts"] == 3 * 2 * 12
    assert counts_of(place, swiss)["left_out_waves"] == 3 * (28 - 12)
    some = judged(place, pairwise(server), "all", budget=10)
    assert counts_of(place, some)["left_out_not_chosen"] == 3 * (28 - 10)
    every = judged(place, pairwise(server), "all")
    assert not any(name.startswith("left_out") for name in counts_of(place, every))


def test_a_judge_that_needs_nobody_is_asked_in_waves_too(place):
    longer = load_variant("tasks.judges", "simulated", judge={"kind": "rule"}, prefers_longer=1.0)
    artifact = judged(place, longer, "swiss")
    assert artifact.rows == 3 * 2 * 12


def test_dialogues_of_one_shard_end_as_those_of_shards_of_their_own():
    prompts, answers = asked()
    judge = load_variant("tasks.judges", "simulated", judge={"kind": "rule"}, noise=0.3)
    asking = Asking(load_variant("tasks.comparison_rules", "active"), judge, seed=4)

    main = Annotator(name="main", kind="judge")

    def ended(some):
        shard = dialogues_about(some, candidates_of(answers, {}), by_id(answers), asking)
        return [told(one, judge, main) for one in shard.dialogues]

    assert ended(prompts) == [one for alone in prompts for one in ended([alone])]


def test_both_orders_are_heard_together_and_what_was_lost_or_not_understood_is_none():
    said = heard_of(
        [
            *both("r1", "r2", "b", other="a"),
            *both("r1", "r3", "b", p=0.9),
            verdict("r2", "r3", "unparsed"),
            *both("r3", "r4", "a", other="unparsed"),
            replace(verdict("r1", "r2", "scored"), b_id=""),
        ],
        [("r1", "r2"), ("r1", "r3"), ("r1", "r4"), ("r2", "r3"), ("r3", "r4")],
    )
    assert [(one.a_id + one.b_id, one.p_b_wins) for one in said] == [
        ("r1r2", 0.5),
        ("r1r3", 0.9),
        ("r1r4", None),
        ("r2r3", None),
        ("r3r4", 0.0),
    ]


def test_a_rule_that_repeats_itself_is_refused():
    class Stubborn:
        def next(self, candidates, heard, seed):
            return Wave([("r1", "r2")])

    waves = chosen(Stubborn(), [], 0)
    next(waves)
    with pytest.raises(DataError, match=r"Stubborn asks for \('r1', 'r2'\) twice"):
        waves.send(heard_of([verdict("r1", "r2", "a")], [("r1", "r2")]))


def test_people_see_what_the_judges_were_asked(place):
    longer = load_variant("tasks.judges", "simulated", judge={"kind": "rule"}, prefers_longer=1.0)
    by_judge = judged(place, longer, "swiss")
    prompts, answers = asked()
    people = {"ann": {"kind": "simulated", "judge": {"kind": "rule"}}}
    seen = (committed(place, Prompt, prompts), [committed(place, Response, answers)], [by_judge])
    settings = AnnotateSection.model_validate({"budget": 1.0, "people": people})
    rule = load_variant("tasks.comparison_rules", "swiss")
    items = choose.fn(*seen, settings, rule, place)
    feedback = annotate.fn(*seen, items, settings, rule, place)
    judge_says, person_says = (records_of(place, Verdict, one) for one in feedback.verdicts)
    assert {(v.a_id, v.b_id) for v in person_says} == {(v.a_id, v.b_id) for v in judge_says}
    assert counts_of(place, feedback.verdicts[1])["comparisons"] == 3 * 12


def test_people_alone_cannot_answer_in_waves():
    people = {"ann": {"kind": "simulated", "judge": {"kind": "rule"}}}
    with pytest.raises(ConfigError, match="'swiss' chooses by judges' verdicts"):
        small_config(
            judges=None, comparisons={"kind": "swiss"}, annotate={"budget": 0.5, "people": people}
        )
