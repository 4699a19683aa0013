"""Online DPO: micro-rounds, of which some are measured."""

import pytest

pytestmark = [pytest.mark.slow]

SMALL = {"prompts__per_round": 4, "training__prompts_per_batch": 4, "evaluation__every": 2}


def measured(manifest):
    return {role for role in manifest["artifacts"] if "evaluat" in role} - {"collect-evaluation"}


def test_micro_rounds_go_on_unmeasured_and_every_second_one_is_measured(recipes):
    world, first = recipes.round("online_dpo", **SMALL)
    assert measured(first) == set() and "score-policy" not in first["artifacts"]
    assert first["measured"] is False and first["figures"] == {}
    assert first["gate"]["outcome"] == "promoted"
    assert first["gate"]["reasons"] == [
        "not measured: evaluation.every is 2, round 1 is the next that is"
    ]
    assert first["reference_out"] == first["policy"]
    assert first["policy"]["step"] == 1, "a micro-round is one step"
    page = world.store.read("runs/online-dpo/rounds/00000/report.html").decode()
    assert "evaluation.every is 2" in page
    world, second = recipes.round("online_dpo", **SMALL)
    assert second["round_index"] == 1 and "measured" not in second
    assert measured(second) and second["figures"].keys() == {"checks", "words"}
    assert second["reference_in"] == first["policy"]
    assert "online-dpo" in world.store.read("runs/online-dpo/report.html").decode()


def test_measuring_a_round_changes_nothing_of_its_training(recipes):
    _, plain = recipes.round(
        "online_dpo", run="online-measured", **SMALL | {"evaluation__every": 1}
    )
    _, unmeasured = recipes.round("online_dpo", run="online-unmeasured", **SMALL)
    assert plain["artifacts"]["train"] == unmeasured["artifacts"]["train"]
    assert plain["policy"] == unmeasured["policy"]
