"""Commands on a run that was really done: its report again, and forks that go on."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.refresh import report_page
from tasks.rounds import committed_round
from tests.whole_runs import nothing_was_done

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


NAME = '<span class="name">small</span>'


def tso(story, *arguments):
    given = [*map(str, arguments), "--preset", str(story.world.preset)]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def written(story, round_index):
    """The report as the round wrote it."""
    path = story.manifests[round_index]["report"].partition("/store/")[2]
    return story.world.store.read(path).decode()


@pytest.mark.parametrize("round_index", [0, 1])
def test_the_report_made_again_is_the_report_that_was_written(story, round_index):
    config, place = committed_round(story.world.store, "small", round_index)
    assert report_page(config, place) == written(story, round_index)


def test_the_command_writes_the_report_and_prints_its_path(story, tmp_path):
    page = tmp_path / "page.html"
    said = tso(story, "report", "small", 0, "--no-open", "--out", page)
    assert said.strip() == str(page)
    alone = written(story, 0).replace('<a href="../../report.html" class="name">small</a>', NAME)
    assert page.read_text(encoding="utf-8") == alone


def test_the_page_of_the_run_comes_with_those_of_its_rounds(story, tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_WORK", str(tmp_path))
    page = Path(tso(story, "report", "small", "--no-open").strip())
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'href="(rounds/[^"]+)"', text)
    assert [link[7:12] for link in links] == ["00001", "00000"]
    for index, link in zip((1, 0), links, strict=True):
        assert (page.parent / link).read_text(encoding="utf-8") == written(story, index)


def test_the_log_tells_time_figures_and_code_of_each_round(story):
    newest, first = json.loads(tso(story, "log", "small", "--as", "json"))
    assert (newest["round_index"], first["round_index"]) == (1, 0)
    assert newest["seconds"] > 0 and len(newest["code"]) == 1
    assert newest["reference"] == story.manifests[0]["reference_out"]["sha256"]
    assert {"checks", "words"} <= {one["metric"] for one in first["figures"]}
    assert "round 1  promoted" in tso(story, "log", "small", "-n", 1)


def test_two_rounds_differ_in_their_prompts_and_say_why_their_stages_do(story):
    found = json.loads(tso(story, "diff", "small@0", "@1", "--as", "json"))
    stages = {one["role"]: one for one in found["stages"]}
    assert stages["collect-train"]["state"] == "other"
    assert "inputs.pairs" in stages["train"]["because"]
    assert found["settings"] == [] and {"checks", "words"} <= {
        one["metric"] for one in found["figures"]
    }
    assert "settings: the same" in tso(story, "diff", "small@0", "@1")


def test_a_pair_of_a_real_round_leads_to_its_scores_and_its_training(story):
    pair = story.world.table(story.manifests[1], "pair").to_pylist()[0]
    found = json.loads(tso(story, "why", "small", pair["pair_id"], "--as", "json"))
    assert found["round_index"] == 1 and found["prompt"]["prompt_id"] == pair["prompt_id"]
    assert [one["side"] for one in found["authors"]] == ["chosen", "rejected"]
    assert "reference" in {one["by"] for one in found["scores"]}
    assert "dual_clip_dpo made policy" in found["training"]


def test_cards_of_a_real_run_count_its_pairs(story, tmp_path):
    tso(story, "card", "small", "--out", tmp_path)
    data = (tmp_path / "dataset" / "README.md").read_text(encoding="utf-8")
    pairs = sum(one["artifacts"]["pair"]["rows"] for one in story.manifests)
    assert f"- name: train\n    num_examples: {pairs}\n" in data
    assert story.manifests[1]["policy"]["sha256"] in (tmp_path / "model" / "README.md").read_text()


def test_a_fork_with_equal_settings_does_the_round_that_is_done_already(story):
    tso(story, "fork", "small@0", "same")
    state = story.world.rounds(run="same")
    assert state.message == "same: 1 rounds done, 2 in all" and nothing_was_done()
    first, second = story.world.tree("same").manifests()
    assert second["artifacts"] == story.manifests[1]["artifacts"]
    assert first["run"] == second["run"] == "same"
