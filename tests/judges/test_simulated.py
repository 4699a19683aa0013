import itertools
from dataclasses import replace

import pytest

from tasks.candidates import candidate_of
from tasks.comparison_rules.all import All
from tasks.correction import CorrectionSettings, correct
from tasks.errors import ConfigError
from tasks.judges.rule import Rule
from tasks.opinions import Annotator, questions, verdict_of
from tasks.pairs import PromptPreferences
from tasks.variants import load_variant
from tests.opinion_makers import prompt, response

SOUND = load_variant("tasks.judges", "simulated", judge={"kind": "rule"})
ALL_PAIRS = load_variant("tasks.pair_rules", "all_above_margin")


def simulated(**settings):
    return replace(SOUND, **settings)


def pairs_from(judge, responses, seed=0):
    """Everything from comparisons to pairs, as the verbs do it."""
    by_id = {one.response_id: one for one in responses}
    candidates = [candidate_of(one, strength=1.0) for one in responses]
    verdicts = [
        verdict_of(
            judge.compare(prompt(), by_id[asked.first_id], by_id[asked.second_id], asked.id),
            asked,
            Annotator(name="judge", kind="judge", version=judge.version()),
        )
        for ids in All()(candidates, seed)
        for asked in questions("p", ids, judge.both_orders, seed)
    ]
    preferences = correct(verdicts, candidates, CorrectionSettings())
    view = PromptPreferences(
        preferences=preferences, candidates={one.response_id: one for one in candidates}
    )
    return ALL_PAIRS({"p": view}, seed)


def test_a_judge_that_prefers_the_longer_text_always_chooses_the_longer():
    texts = {"r1": "a", "r2": "bb", "r3": "cccc"}
    responses = [response(name, text) for name, text in texts.items()]
    for seed in range(1000):
        order = list(itertools.permutations(responses))[seed % 6]
        pairs = pairs_from(simulated(prefers_longer=1.0, seed=seed), order, seed)
        assert len(pairs) == 3
        assert all(len(texts[one.chosen_id]) > len(texts[one.rejected_id]) for one in pairs)


def test_a_judge_that_prefers_the_first_shown_decides_nothing():
    responses = [response("r1", "a"), response("r2", "bb"), response("r3", "cccc")]
    for seed in range(200):
        assert pairs_from(simulated(position_bias=1.0, seed=seed), responses, seed) == []


def test_noise_reverses_a_comparison_alike_in_both_orders():
    judge = simulated(prefers_longer=1.0, noise=1.0)
    short, long = response("r1", "a"), response("r2", "bb")
    assert judge.compare(prompt(), short, long, "q").outcome == "first"
    assert judge.compare(prompt(), long, short, "q").outcome == "second"


def test_noise_strikes_its_share_of_comparisons():
    judge = simulated(prefers_longer=1.0, noise=0.2, seed=3)
    short, long = response("r1", "a"), response("r2", "bb")
    wrong = sum(
        judge.compare(prompt(), short, long, str(i)).outcome == "first" for i in range(2000)
    )
    assert 0.17 < wrong / 2000 < 0.23


def test_people_of_different_names_make_different_mistakes():
    short, long = response("r1", "a"), response("r2", "bb")

    def said(name):
        person = simulated(prefers_longer=1.0, noise=0.5, name=name)
        return [person.compare(prompt(), short, long, str(i)).outcome for i in range(50)]

    assert said("ann") == said("ann") != said("bob")


def test_a_judge_that_has_to_be_asked_cannot_be_wrapped():
    asked = {"kind": "pairwise", "model": "m", "base_url": "http://x/v1"}
    with pytest.raises(ConfigError, match="'pairwise' is asked or recorded"):
        load_variant("tasks.judges", "simulated", judge=asked)


def test_the_version_follows_every_fault():
    assert simulated(noise=0.1).version() != simulated(noise=0.2).version()
    assert simulated(judge=Rule(margin=0.5)).version() != simulated().version()
