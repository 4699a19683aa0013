"""Feedback is measured before training: a floor ends the round there, and nothing is lost by it."""

import json

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.errors import DataError
from tests.whole_runs import children, error_of, nothing_was_done

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

STRICT = {
    "agreement.floor": {"order_consistency": 1.0},
    "agreement.holds": "surely",
    "agreement.min_prompts": 2,
}


def known(story, run, round_index=0):
    path = f"runs/{run}/rounds/{round_index:05d}/agreement.json"
    return json.loads(story.world.store.read(path))


def test_a_round_keeps_its_figures_about_judges_and_responses(story):
    [manifest, _] = story.manifests
    figures = story.world.table(manifest, "agreement").to_pylist()
    assert {row["annotator"] for row in figures} == {"main"}
    consistent = next(row for row in figures if row["figure"] == "order_consistency")
    assert consistent["estimate"] is None and "agreement.min_prompts" in consistent["reason"]
    cells = story.world.table(manifest, "agreement", "diversity").column("cell").to_pylist()
    assert {"", "policy", "other", "human"} == set(cells)
    assert story.world.table(manifest, "agreement", "prompts").num_rows == 8
    assert known(story, "small")["figures"] == figures
    assert manifest["contributions"].keys() == {"policy", "other", "human"}
    assert manifest["retired"] == []


def test_below_a_floor_the_round_ends_before_training_and_goes_on_with_a_lower_one(story):
    error = error_of(story.world.rounds(run="floored", overrides=STRICT))
    assert isinstance(error, DataError)
    assert "round 0 is not trained on its feedback: main: order_consistency is 1.000 [" in str(
        error
    )
    assert "agreement.floor.order_consistency is 1, to hold surely" in str(error)
    done = story.world.tree("floored").roles_done(0)
    assert "agreement" in done and "judge-main-train" in done
    assert not [role for role in done if role.startswith(("pair", "score", "train"))]
    [breach] = known(story, "floored")["breaches"]
    assert breach["stops"] and nothing_was_done()
    lower = STRICT | {"agreement.floor": {"order_consistency": 0.5}}
    assert story.world.rounds(run="floored", overrides=lower).is_completed()
    assert nothing_was_done() and known(story, "floored")["breaches"] == []


def test_the_command_line_prints_the_table_and_what_is_objected_to(story):
    warned = STRICT | {"agreement.action": "warn"}
    assert story.world.rounds(run="warned", overrides=warned).is_completed()
    command = ["show", "warned", "0", "agreement", "--preset", str(story.world.preset)]
    shown = CliRunner().invoke(app, command, env={"COLUMNS": "200"}).output
    assert "order_consistency" in shown and "length_effect" in shown
    assert "warn: main: order_consistency is 1.000" in shown
    report = story.world.tree("warned").read_round(0, "manifest.json")["report"]
    page = story.world.store.read(report.partition("/store/")[2]).decode()
    assert "Feedback quality" in page and "agreement.floor.order_consistency is 1" in page


def test_a_retired_cell_is_asked_for_nothing_in_later_rounds(story):
    rule = {"quotas.retire_after": 1, "quotas.idle_below": 1.0, "quotas.keep": ["human"]}
    assert story.world.rounds(run="retiring", until=2, overrides=rule).is_completed()
    first, second = story.world.tree("retiring").manifests()
    [gone] = first["retired"]
    assert (gone["cell"], gone["after_round"]) == ("other", 0) and second["retired"] == [gone]
    rows = {
        cell: story.world.table(second, f"sample-train-{cell}").num_rows
        for cell in ("policy", "other")
    }
    assert rows == {"policy": 16, "other": 0} and "train" in children()
    shown = (
        CliRunner().invoke(app, ["show", "retiring", "--preset", str(story.world.preset)]).output
    )
    assert "retired: other, after round 0: needed on" in shown
    [earlier, _] = story.manifests
    assert known(story, "retiring", 1)["drift"] == []
    assert earlier["artifacts"]["agreement"] == first["artifacts"]["agreement"]
