"""Commands on a run that was really done: its report again, its rows, forks of it."""

import pytest

from tasks.refresh import report_page
from tasks.rounds import committed_round

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.mark.parametrize("round_index", [0, 1])
def test_the_report_made_again_is_the_report_that_was_written(story, round_index):
    config, place = committed_round(story.world.store, "small", round_index)
    written = story.manifests[round_index]["report"].partition("/store/")[2]
    assert report_page(config, place) == story.world.store.read(written).decode()
