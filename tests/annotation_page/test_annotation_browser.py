"""The annotation page in a real browser (its soak: benchmarks/soak/annotation_page.py)."""

import pytest

from infra.annotation.page.serving import free_port
from infra.storage import open_store
from tasks.annotation_items import latest
from tests.annotation_page.annotation_world import ServedPage, answers_of, made_batch
from tests.annotation_page.browsers import NEEDED, Person, browser, chromium

pytestmark = [pytest.mark.slow, pytest.mark.service]


@pytest.fixture
def shared():
    pytest.importorskip("playwright", reason=NEEDED)
    if chromium() is None:
        pytest.skip(NEEDED)
    with browser() as made:
        yield made


@pytest.fixture
def served(tmp_path):
    root = f"file://{tmp_path}/store"
    made_batch(open_store(root), 8)
    with ServedPage(root, tmp_path / "work", free_port(0)) as page:
        page.root = root
        yield page


def test_keys_a_reload_and_a_killed_server_lose_no_answer_and_count_none_twice(served, shared):
    ann = Person(shared, served.link("ann"))
    first = ann.answer("1")
    ann.press("a", "f")  # correct, clear
    second = ann.answer("4")
    ann.page.reload()
    ann.settle()
    third = ann.answer("3")
    served.kill()
    fourth = ann.answer("6")
    ann.page.reload()  # the server is away: the page comes from the browser
    ann.settle()
    served.start()
    ann.wait_until_sent()
    ann.press("z")
    ann.see(fourth)
    ann.press("e")
    ann.page.keyboard.type("Neither: read the question again.")
    ann.press("Escape")
    assert ann.answer("6") == fourth
    ann.wait_until_sent()
    assert ann.faults == [] and ann.page.title() == "weekly · round 0"
    said = {item: one for (item, _), one in latest(answers_of(served.root)).items()}
    assert set(said) == {first, second, third, fourth}
    assert said[first].strength == 1.0 and said[first].outcome == said[first].first_shown
    assert said[second].tags == ["correct", "clear"] and said[second].strength == 0.5
    assert (said[third].outcome, said[fourth].outcome) == ("tie", "both_bad")
    assert said[fourth].ideal == "Neither: read the question again." and said[fourth].revision == 2
