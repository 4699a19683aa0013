"""Commands on a run that was really done: its report again, and forks that go on."""

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.refresh import report_page
from tasks.rounds import committed_round
from tests.whole_runs import nothing_was_done

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


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
    assert said.strip() == str(page) and page.read_text(encoding="utf-8") == written(story, 0)


def test_a_fork_with_equal_settings_does_the_round_that_is_done_already(story):
    tso(story, "fork", "small@0", "same")
    state = story.world.rounds(run="same")
    assert state.message == "same: 1 rounds done, 2 in all" and nothing_was_done()
    first, second = story.world.tree("same").manifests()
    assert second["artifacts"] == story.manifests[1]["artifacts"]
    assert first["run"] == second["run"] == "same"
