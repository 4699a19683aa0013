"""A run ends when its rounds gain no more."""

import pytest

from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.errors import ConfigError
from tasks.refresh import flattened
from tests.decided_runs import decision, made
from tests.small_config import small_config, small_place

STOP = {"metric": "win", "min_gain": 0.005, "patience": 2}


@pytest.mark.parametrize(
    ("outcomes", "gains", "flat"),
    [
        ("pp", (0.02, 0.01), False),  # levels 0.02, 0.03
        ("ppp", (0.02, 0.003, 0.003), False),  # 0.026 is 0.006 above 0.02
        ("ppp", (0.02, 0.002, 0.002), True),  # 0.024 is only 0.004 above
        ("ppp", (0.02, -0.01, 0.02), False),  # 0.02, 0.01, 0.03
        ("pppp", (0.02, 0.03, -0.01, 0.0), True),  # the best one, 0.05, is two rounds ago
        ("prr", (0.02, 0.05, 0.05), True),  # what was refused gains nothing
        ("r", (0.05,), False),  # fewer rounds than the patience
        ("pp", (-0.01, -0.01), True),  # never above the SFT model
    ],
)
def test_a_run_ends_when_its_rounds_gain_no_more(tmp_path, outcomes, gains, flat):
    names = {"p": "promoted", "r": "refused"}
    tree = RunTree(open_store(f"file://{tmp_path}/store"), "r")
    made(tree, [names[one] for one in outcomes], gains)
    place = small_place(root=tree.store.root, round_index=len(outcomes))
    settings = small_config(**stopping()).refresh
    why = flattened(settings, place)
    assert bool(why) == flat
    assert not flat or "a gain below 0.005 ends the run" in why
    assert flattened(small_config().refresh, place) == ""


def stopping(**changes):
    metrics = {"win": {"kind": "check_pass_rate"}, "words": {"kind": "length"}}
    return {"evaluation__metrics": metrics, "refresh__early_stop": STOP | changes}


def test_a_rollback_goes_back_to_the_level_of_that_round(tmp_path):
    tree = RunTree(open_store(f"file://{tmp_path}/store"), "r")
    made(tree, ["promoted"] * 3, (0.02, -0.05, 0.0))
    tree.add_decision(1, decision("rollback", "policy-0", to_round=0))
    place = small_place(root=tree.store.root, round_index=3)
    # Levels 0.02, back at 0.02, 0.02: nothing was gained since round 0.
    assert "changed by +0.0000" in flattened(small_config(**stopping()).refresh, place)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "wins"}, "refresh.early_stop.metric is 'wins'; evaluation.metrics has: win"),
        ({"metric": "words"}, "neither more nor less is better"),
    ],
)
def test_an_early_stop_names_a_metric_that_can_gain(changes, words):
    with pytest.raises(ConfigError, match=words):
        small_config(**stopping(**changes))


def test_an_early_stop_names_what_the_gate_sees():
    with pytest.raises(ConfigError, match="which the gate does not see"):
        small_config(**stopping(), refresh__guards=["safety"])
