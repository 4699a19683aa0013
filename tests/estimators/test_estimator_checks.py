"""What a configuration with or without an estimator may ask for, and how much work it is."""

import json

import pytest

from tasks.errors import ConfigError, DataError
from tasks.plan import Sizes, plan_round
from tasks.report.sides import part_facts
from tasks.reward_rows import human_pair
from tasks.sources import Row
from tasks.variants import load_variant
from tests.small_config import small_config

FITS = {"kind": "verdict_strength", "passes": 4}
ASKS = {"kind": "pairwise", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
SIZES = Sizes(
    prompts=8, evaluation_prompts=4, prompt_bytes=800, evaluation_bytes=300, weight_bytes=1000
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pairs__rule": {"kind": "best_vs_worst_score"}}, "scores of 'estimator'.*set estimator"),
        (
            {"pairs__selection": {"kind": "best_and_worst_k", "by": "nobody"}, "estimator": FITS},
            "pairs.selection reads the scores of 'nobody'.*there are: main, estimator",
        ),
        (
            {"pairs__selection": {"kind": "rejection_sampling", "by": "main"},
             "judges": {"main": ASKS}},
            "scores of 'main', who gives none; there are: nobody",
        ),
        ({"pairs__filters": [{"kind": "agreeing_with_estimator"}]}, "there is none: set estimator"),
        (
            {"pairs__filters": [{"kind": "reliable_sample"}], "estimator": FITS | {"passes": 1}},
            "estimator.passes is 1: set estimator, with passes of 2 or more",
        ),
        ({"judges": {"estimator": ASKS}}, "the name 'estimator' is reserved"),
        (
            {"judges": {"main": ASKS | {"both_orders": False}}, "training__loss": {"kind": "upo"}},
            "or let an estimator say how sure it is",
        ),
        (
            {"training__loss": {"kind": "upo"}, "estimator": FITS | {"passes": 1}},
            "estimator.passes is 1; set it to 2 or more, or to 0",
        ),
        ({"estimator": {"kind": "reward_model", "verdicts": False}}, "learn from nothing"),
        (
            {"estimator": {"kind": "reward_model", "fit": {"dropout": 0.0}}},
            "all passes are alike",
        ),
    ],
)  # fmt: skip
def test_what_nobody_gives_is_refused_by_name(changes, said):
    with pytest.raises(ConfigError, match=said):
        small_config(**changes)


def test_judges_that_score_may_be_read_and_passes_make_uncertainty():
    small_config(pairs__rule={"kind": "best_vs_worst_score", "by": "main"})
    alone = {"judges": {"main": ASKS | {"both_orders": False}}}
    small_config(**alone, training__loss={"kind": "upo"}, estimator=FITS)


def test_every_response_is_scored_once_and_in_each_pass():
    plan = {one.verb: one for one in plan_round(small_config(estimator=FITS), SIZES)}
    assert (plan["estimate"].what, plan["estimate"].amount) == ("verdict_strength", 8 * 3 * 5)
    assert "estimate" not in {one.verb for one in plan_round(small_config(), SIZES)}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": "Say.", "chosen": "a"}, "needs the text of rejected"),
        ({"prompt": "Say.", "chosen": "a", "rejected": "a"}, "are the same text"),
        ({"chosen": "a", "rejected": "b"}, "needs `messages`"),
        ({"prompt": "Say.", "chosen": "a", "rejected": "b", "score": 1}, "unknown field 'score'"),
        ({"prompt": "Say.", "chosen": ["a"], "rejected": "b"}, "needs the text of chosen"),
    ],
)
def test_a_row_that_is_no_pair_says_where_and_why(fields, said):
    with pytest.raises(DataError, match=said) as caught:
        human_pair(Row("own.jsonl:3", fields))
    assert "own.jsonl:3" in str(caught.value)


def test_a_row_is_a_pair_of_its_own_prompt():
    one = human_pair(Row("own.jsonl:1", {"prompt": "Say.", "chosen": "a", "rejected": "b"}))
    assert (one.messages, one.chosen, one.rejected, one.p_chosen, one.own) == (
        [{"role": "user", "content": "Say."}], "a", "b", 1.0, True,
    )  # fmt: skip


def test_the_rate_falls_with_the_width_unless_it_is_told():
    fit = load_variant("tasks.estimators", "reward_model").fit
    assert fit.rates(4096).learning_rate == pytest.approx(1.46e-5, rel=0.01)
    told = load_variant("tasks.estimators", "reward_model", fit={"learning_rate": 0.5}).fit
    assert told.rates(4096).learning_rate == 0.5
    assert json.dumps(fit.rates(128)._asdict())


def test_the_report_names_estimator_and_selection_where_there_are_some():
    plain = {name for name, _ in part_facts(small_config())}
    selection = {"kind": "best_and_worst_k", "k": 3}
    told = dict(part_facts(small_config(estimator=FITS, pairs__selection=selection)))
    assert told.keys() - plain == {"estimator", "selection"}
    assert told["estimator"].startswith("verdict_strength (passes 4")
    assert "k 3" in told["selection"]
