"""From a round's pairs to what its loss trains on, filters that need reference scores included."""

from dataclasses import replace

from tasks.records import ReferenceScore
from tasks.responses import Tokens
from tasks.round_examples import RoundRows, round_examples
from tasks.tokens import load_tokenizer
from tasks.training_data import tokenised
from tests.opinion_makers import pair, prompt, response
from tests.small_config import small_config
from tests.tiny_models import tiny_model

TEXTS = {"fig": "a fig", "nut": "a nut", "pear": "a pear", "long": "word " * 40}
PAIRS = [pair("fig", "nut"), pair("pear", "nut"), pair("fig", "long")]
LOGPS = {"fig": -1.0, "pear": -9.0, "nut": -9.0}
"""Summed; what is too long has none."""


def made(loss):
    """The examples of PAIRS for `loss`; the filter drops what the reference tells apart."""
    tokens = Tokens(load_tokenizer(tiny_model()), "tok", "tem")
    prompts = {"p": prompt(text="Name a fruit.")}
    answers = {name: replace(response(name, text), origin="model") for name, text in TEXTS.items()}
    ids = tokenised(prompts, answers, TEXTS, tokens).responses
    rows = RoundRows(
        pairs=PAIRS, prompts=prompts, responses=answers,
        scores=[{name: score(name, logp, len(ids[name])) for name, logp in LOGPS.items()}],
        verdicts=[],
    )  # fmt: skip
    training = small_config(training__loss=loss, training__max_tokens=60).training
    filters = small_config().pairs.filters
    assert [one.STAGE for one in filters] == ["paired", "scored"]
    return round_examples(rows, tokens, training, filters)


def score(name, logp, number):
    return ReferenceScore(
        response_id=name, reference="ref", logp=logp, num_tokens=number,
        token_logps=[logp / number] * number,
    )  # fmt: skip


def test_a_filter_by_scores_leaves_a_pair_with_too_long_a_response_to_its_own_count():
    found = made({"kind": "dpo"})
    assert [one.example_id for one in found.examples] == [PAIRS[1].pair_id]
    assert found.counts == {"dropped_already_solved": 1, "dropped_longer_than_max_tokens": 1}


def test_upo_without_its_weight_drops_no_pair_for_want_of_opinions():
    """Nobody has said anything here; with its weight every pair lacks two opinions."""
    assert made({"kind": "upo", "alpha_max": 0.0}).counts == made({"kind": "dpo"}).counts
    assert made({"kind": "upo"}).counts["dropped_one_opinion"] == 2


def test_imitation_too_leaves_out_what_a_filter_drops():
    found = made({"kind": "sft"})
    assert [one.example_id for one in found.examples] == ["fig", "pear"]
    assert found.counts == {"dropped_already_solved": 1}
