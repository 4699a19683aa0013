"""Where verbs work: as a preset says it, and what is refused before anything is begun."""

import pytest

from tasks.claims import Claim, round_config
from tasks.config import config_problems, plain_config
from tasks.errors import ConfigError
from tasks.placement import LOCAL, STAY, Part
from tasks.rounds import VERBS
from tasks.spending import EndpointLimits, RateLimits, Terms
from tests.small_config import plain_small, small_config

STORE = "s3://bucket/tso"
ASKED = {"kind": "pairwise", "model": "m", "base_url": "http://one/v1"}


def placed(store=STORE, **changes):
    return small_config(storage__root=store, **changes)


def problem(**changes):
    """What is wrong with a configuration."""
    with pytest.raises(ConfigError) as caught:
        placed(**changes)
    return str(caught.value)


def test_everything_is_done_in_the_process_of_the_flow_by_default():
    assert list(small_config().placement.elsewhere) == []
    assert small_config().placement.of("train").deployment == LOCAL


def test_a_verb_is_sent_to_a_deployment_by_its_name_alone():
    placement = placed(placement__train="gpu-training").placement
    assert placement.of("train").deployment == "gpu-training"
    [(setting, verb, spot)] = placement.elsewhere
    assert (setting, verb, spot.workers) == ("placement.train", "train", 1)


def test_a_cell_may_stay_where_the_others_do_not():
    where = {"deployment": "gpu-sampling", "workers": 3, "but": {"large": "local"}}
    placement = placed(placement__sample=where).placement
    assert placement.of("sample", "policy").workers == 3
    assert placement.of("sample", "large").deployment == LOCAL
    assert [setting for setting, *_ in placement.elsewhere] == ["placement.sample"]


def test_a_cell_may_go_where_the_others_do_not():
    placement = placed(placement__sample={"but": {"policy": "gpu-sampling"}}).placement
    assert placement.of("sample", "large").deployment == LOCAL
    assert [setting for setting, *_ in placement.elsewhere] == ["placement.sample.but.policy"]


@pytest.mark.parametrize(
    ("shards", "of", "ranges"),
    [
        (8, 2, [range(4), range(4, 8)]),
        (8, 3, [range(2), range(2, 5), range(5, 8)]),
        (1, 2, [range(0), range(1)]),
        (0, 2, [range(0), range(0)]),
    ],
)
def test_parts_are_ranges_of_shards_that_meet_without_a_gap(shards, of, ranges):
    assert [Part(index=index, of=of).indices(shards) for index in range(of)] == ranges


def test_without_parts_there_is_one_with_all_shards():
    assert Part().indices(5) == range(5) and Part().whole and not Part(index=0, of=2).whole


def test_placement_may_change_in_the_middle_of_a_round():
    claim = Claim(flow_run_id="f", first_index=0, last_index=0)
    before = round_config(None, plain_config(placed()), (), claim, 0)
    after = plain_config(placed(placement__train="gpu-training"))
    assert round_config(before, after, (), claim, 0)["config"] == after


def test_placement_is_written_as_a_preset_would():
    where = {"deployment": "gpu-sampling", "workers": 2, "but": {"large": "local"}}
    config = placed(placement__sample=where)
    assert small_config(placement=plain_config(config)["placement"], storage__root=STORE) == config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"store": "memory://x"}, "'memory://x', which this one alone sees"),
        ({"placement__train": {"deployment": "gpu", "workers": 2}}, "train is one piece of work"),
        ({"placement__sample": {"but": {"larg": "gpu"}}}, "there are: large, policy, reference"),
        ({"placement__train": {"but": {"large": "gpu"}}}, "train knows no cells or judges"),
        ({"placement__estimate": {"deployment": "gpu", "workers": 2}}, "estimate is one piece of"),
        (
            {"placement__transform": {"deployment": "cpu", "workers": 2}},
            "transform is one piece",
        ),
        ({"placement__teach": "gpu-training"}, "placement: teach is done by the flow of a round"),
        ({"placement__average": "cpu"}, "average is done by the flow of a round: it reads two"),
    ],
)
def test_what_cannot_work_is_refused_by_name(changes, said):
    assert said in problem(**{"placement__train": "gpu-training", **changes})


def test_every_verb_of_a_round_has_a_place_or_a_reason_to_stay():
    assert {*VERBS, "average"} == {*small_config().placement.verbs, *STAY}


@pytest.mark.parametrize(
    "where", ["GPU training", {"deployment": "gpu", "workers": 0}, {"pool": "gpu"}, 3]
)
def test_what_is_no_place_is_refused(where):
    assert config_problems(plain_small(storage__root=STORE, placement__train=where))


def test_a_judge_with_a_model_of_its_own_has_one_worker():
    judge = {"kind": "reward_model", "model": "models/reward"}
    where = {"deployment": "gpu-sampling", "workers": 2}
    said = problem(judges={"main": judge}, placement__judge=where)
    assert "placement.judge.but: {main: {deployment: NAME, workers: 1}}" in said
    alone = {**where, "but": {"main": "gpu-sampling"}}
    assert placed(judges={"main": judge}, placement__judge=alone)


BUDGET = {"calls_per_round": 100}


def test_a_budget_is_kept_by_one_process():
    judges = {"one": ASKED, "two": {**ASKED, "model": "n"}}
    said = problem(judges=judges, budget=BUDGET, placement__judge="cpu")
    assert "budget.calls_per_round" in said and "judges.one and judges.two" in said
    shared = {"deployment": "cpu", "workers": 2}
    assert "judges.one" in problem(judges={"one": ASKED}, budget=BUDGET, placement__judge=shared)
    beside = {"deployment": "cpu", "but": {"two": "local"}}
    assert "judges.two" in problem(judges=judges, budget=BUDGET, placement__judge=beside)
    assert placed(judges={"one": ASKED}, budget=BUDGET, placement__judge="cpu")
    assert placed(judges=judges, budget=BUDGET, placement__train="gpu-training")
    assert placed(judges=judges, placement__judge="cpu"), "without a budget nobody keeps one"


def test_members_with_one_limit_work_in_one_process():
    judges = {"one": ASKED, "two": {**ASKED, "model": "n"}}
    limits = {"home": {"base_url": "http://one/v1", "requests_per_minute": 60}}
    said = problem(judges=judges, endpoints=limits, placement__judge="cpu")
    assert "endpoints.home is one limit" in said
    other = {"one": ASKED, "two": {**ASKED, "base_url": "http://two/v1"}}
    assert placed(judges=other, endpoints=limits, placement__judge="cpu")


def test_workers_that_share_a_judge_share_its_limit():
    limits = EndpointLimits(base_url="http://one/v1", requests_per_minute=60)
    third = Terms(endpoints={"home": limits}).shared_by(3).limits_at("http://one/v1")
    assert third == RateLimits(requests_per_minute=20, tokens_per_minute=None)
