"""From a round's pairs to what its loss trains on, filters that need reference scores included."""

from dataclasses import replace

from tasks.derivations import Derivation
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


def made(loss, variants=None, origins=()):
    """The examples of PAIRS for `loss`; the filter drops what the reference tells apart.

    `variants` are further texts, which transforms have made.
    """
    tokens = Tokens(load_tokenizer(tiny_model()), "tok", "tem")
    prompts = {"p": prompt(text="Name a fruit.")}
    texts = TEXTS | (variants or {})
    answers = {name: replace(response(name, text), origin="model") for name, text in texts.items()}
    ids = tokenised(prompts, answers, TEXTS, tokens).responses
    rows = RoundRows(
        pairs=PAIRS, prompts=prompts, responses=answers,
        scores=[{name: score(name, logp, len(ids[name])) for name, logp in LOGPS.items()}],
        verdicts=[], origins=origins,
    )  # fmt: skip
    transforms = [{"kind": "degrade"}] if origins else []
    training = small_config(
        training__loss=loss, training__max_tokens=60, transforms=transforms
    ).training
    filters = small_config().pairs.filters
    assert [one.STAGE for one in filters] == ["paired", "scored"]
    return round_examples(rows, tokens, training, filters)


def test_words_that_say_little_are_not_marked_wherever_they_stand():
    """The small tokenizer reads "a pear" as a, space, p, ear, and "a nut" as a, space, n, ut."""
    [plain] = made({"kind": "bmc"}).side
    assert plain["chosen_edited"] == plain["rejected_edited"] == [0, 0, 1, 1, 0]
    [stopped] = made({"kind": "bmc", "stop_words": ["EAR", "n", "u"]}).side
    assert stopped["chosen_edited"] == [0, 0, 1, 0, 0]
    assert stopped["rejected_edited"] == [0, 0, 0, 1, 0]


def degraded(variant, of, degree):
    return Derivation(
        response_id=variant, made_from=of, prompt_id="p", transform="degrade", pair_id="",
        degree=degree, start=None, replaced=None, written=None,
    )  # fmt: skip


def test_each_response_of_a_pair_stands_as_degree_0_before_its_variants():
    """Of pear there are two variants, of nut one that fits; fig is in no pair that is left."""
    variants = {"pear-1": "a", "pear-2": "pear", "nut-1": "nut", "nut-2": "nut " * 40, "fig-1": "f"}
    origins = [
        degraded("pear-2", "pear", 2), degraded("nut-1", "nut", 1), degraded("pear-1", "pear", 1),
        degraded("nut-2", "nut", 2), degraded("fig-1", "fig", 1),
    ]  # fmt: skip
    found = made({"kind": "spo_degree", "loss": {"kind": "dpo"}}, variants, origins)
    [row] = found.side
    assert row["example_id"] == PAIRS[1].pair_id
    assert row["degrees"] == [0, 1, 2, 0, 1]
    tokens = Tokens(load_tokenizer(tiny_model()), "tok", "tem")
    texts = [tokens.tokenizer.decode(ids[:-1]) for ids in row["degraded_ids"]]
    assert texts == ["a pear", "a", "pear", "a nut", "nut"]
    assert len({ids[-1] for ids in row["degraded_ids"]}) == 1, "all of them finished"
    assert found.counts["variants_longer_than_max_tokens"] == 1


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
