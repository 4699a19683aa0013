"""Cells that neither win nor lose usefully are asked for nothing more."""

import pytest

from tasks.retiring import (
    Contribution,
    contribution_rows,
    contributions,
    retired_after,
    retired_cells,
    shares_of,
)
from tests.opinion_makers import pair, response
from tests.small_config import small_config


def config(**overrides):
    return small_config(**{"quotas__retire_after": 2, **overrides})


def round_of(index, share, settings, cell="large", retired=()):
    """A manifest of a round in which `cell` was needed on `share` of 100 prompts."""
    found = {cell: Contribution(prompts=100, won=round(100 * share), only_rejected=0)}
    return {
        "round_index": index,
        "contributions": contribution_rows(found, settings),
        "retired": [vars_of(one) for one in retired],
    }


def vars_of(one):
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def world():
    """Prompt p0: large beats policy and tiny; p1: policy beats tiny alone; p2: no pair."""
    rows = [
        response(f"{cell}{index}", "x", prompt_id=f"p{index}", cell=cell)
        for cell in ("policy", "large", "tiny", "idle")
        for index in range(3)
    ]
    pairs = [
        pair("large0", "policy0", prompt_id="p0"),
        pair("large0", "tiny0", prompt_id="p0"),
        pair("policy1", "tiny1", prompt_id="p1"),
    ]
    return rows, pairs


def test_a_cell_contributes_where_it_wins_or_is_the_only_one_to_lose():
    found = contributions(*world())
    assert found["large"] == Contribution(prompts=3, won=1, only_rejected=0)
    assert found["policy"] == Contribution(prompts=3, won=1, only_rejected=0)
    # on p0 policy loses too, so tiny is not needed there; on p1 nobody else does
    assert found["tiny"] == Contribution(prompts=3, won=0, only_rejected=1)
    assert found["idle"].share == 0.0


def test_winning_over_its_own_other_sample_is_no_contribution_by_winning():
    rows = [response(name, name, cell="large") for name in ("r1", "r2", "r3")]
    found = contributions(rows, [pair("r1", "r2")])
    assert found["large"] == Contribution(prompts=1, won=0, only_rejected=1)


def test_a_cell_that_was_idle_for_two_rounds_in_a_row_retires():
    settings = config()
    first, second = round_of(0, 0.01, settings), round_of(1, 0.0, settings)
    assert retired_after(settings, [first]) == []
    [found] = retired_after(settings, [first, second])
    assert (found.cell, found.after_round, found.rounds) == ("large", 1, [0, 1])
    assert found.why == "needed on 1.0% in round 0, 0.0% in round 1 of the prompts it answered"


def test_one_useful_round_begins_the_count_anew():
    settings = config()
    rounds = [round_of(0, 0.0, settings), round_of(1, 0.5, settings), round_of(2, 0.0, settings)]
    assert retired_after(settings, rounds) == []


def test_a_round_in_which_a_cell_answered_nothing_says_nothing():
    settings = config()
    silent = {"round_index": 1, "contributions": {}, "retired": []}
    rounds = [round_of(0, 0.0, settings), silent, round_of(2, 0.0, settings)]
    assert [one.rounds for one in retired_after(settings, rounds)] == [[0, 2]]


@pytest.mark.parametrize("overrides", [{"quotas__retire_after": None}, {"quotas__keep": ["large"]}])
def test_nobody_retires_unless_it_is_asked_for(overrides):
    settings = config(**overrides)
    rounds = [round_of(0, 0.0, settings), round_of(1, 0.0, settings)]
    assert retired_after(settings, rounds) == []


def test_the_policys_cell_never_retires():
    settings = config()
    rounds = [round_of(index, 0.0, settings, cell="policy") for index in (0, 1, 2)]
    assert retired_after(settings, rounds) == []


def retired_world():
    settings = config()
    rounds = [round_of(0, 0.0, settings), round_of(1, 0.0, settings)]
    rounds[1]["retired"] = [vars_of(one) for one in retired_after(settings, rounds)]
    return settings, rounds


def test_a_retired_cell_answers_no_prompt_of_later_rounds_and_stays_retired():
    settings, rounds = retired_world()
    assert shares_of(settings, rounds) == {"policy": 1.0, "large": 0.0}
    after = [*rounds, {"round_index": 2, "contributions": {}}]
    [still] = retired_after(settings, after)
    assert (still.cell, still.after_round) == ("large", 1)


@pytest.mark.parametrize(
    "change",
    [
        {"matrix__large__temperature": 1.0},
        {"matrix__large__model": "another"},
        {"quotas__keep": ["large"]},
        {"quotas__retire_after": None},
    ],
)
def test_another_model_under_the_name_or_the_settings_bring_a_cell_back(change):
    _, rounds = retired_world()
    settings = config(**change)
    assert retired_cells(settings, rounds) == []
    assert shares_of(settings, rounds)["large"] == 1.0
    assert retired_after(settings, [*rounds, round_of(2, 0.0, settings)]) == []


def test_answering_fewer_prompts_makes_no_other_cell_of_it():
    _, rounds = retired_world()
    assert shares_of(config(matrix__large__samples=3), rounds)["large"] == 0.0
