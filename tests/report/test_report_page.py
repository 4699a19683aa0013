"""The HTML report: self-contained, and nothing that anybody wrote becomes markup."""

from html.parser import HTMLParser

import pytest
from example_round import example_round
from poison import HOSTILE, poisoned
from small_round import empty_round, small_round

from tasks.findings import Finding
from tasks.report import html

RUN_PAGE = "../../report.html"


class Page(HTMLParser):
    """Tags with their attributes, and the text, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, attrs))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def data():
    return example_round(num_prompts=40)


def test_hostile_texts_leave_the_tags_of_the_page_as_they_are(data):
    harmless, hostile = (Page(html(poisoned(data, text))) for text in (" harmless", HOSTILE))
    assert hostile.tags == harmless.tags
    assert "<script>alert(1)</script></style>" in "".join(hostile.words)
    assert "{{ 7 * 7 }}" in "".join(hostile.words)


def test_the_page_needs_nothing_from_outside_and_runs_nothing(data):
    text = html(data)
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "base"}
    for _, attributes in page.tags:
        for name, value in attributes:
            assert not name.startswith("on") and name != "src"
            assert "href" not in name or value.startswith("#") or value == RUN_PAGE
    assert "url(http" not in text and "@import" not in text


def test_whatever_a_model_writes_the_page_can_be_encoded(data):
    assert b"\xef\xbf\xbd" in html(poisoned(data, "\ud800")).encode("utf-8")


def test_the_same_round_gives_the_same_page(data):
    assert html(data) == html(example_round(num_prompts=40))


def test_a_round_in_which_nothing_happened_still_has_a_report():
    page = "".join(Page(html(empty_round())).words)
    assert "Nothing was dropped." in page
    assert "Nothing was evaluated." in page
    assert "Not decided" in page


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("promoted", "becomes the next reference"),
        ("inconclusive", "too small to tell"),
        ("refused", "The former reference stays"),
    ],
)
def test_the_gate_is_put_in_plain_words(outcome, words):
    assert words in html(small_round(gate={"outcome": outcome}))


def test_long_texts_are_cut_and_the_rest_is_counted(data):
    page = html(poisoned(data, "x" * 20_000))
    assert "characters more]" in page
    assert len(page) < 1_000_000


def test_loss_judges_and_gate_are_named_with_their_settings_and_escaped():
    parts = [("loss", "hinge (beta 0.1)"), ("judge <b>", "rule (margin 0.0)")]
    text = html(small_round(parts=parts))
    words = " ".join("".join(Page(text).words).split())
    assert "loss: hinge (beta 0.1); judge <b>: rule (margin 0.0)." in words
    assert "<b>" not in text


def test_findings_say_what_was_seen_what_it_means_and_what_to_do_next():
    one = Finding(
        level="act", title="Too <long>", seen="3 < 4.", meaning="It drifts.", next_step="Stop."
    )
    text = html(small_round(steps=[{"step": 1, "loss": 0.5}], findings=[one]))
    words = " ".join("".join(Page(text).words).split())
    assert "ActToo <long>3 < 4.It drifts.Next step. Stop." in words and "<long>" not in text


def test_a_training_without_findings_says_that_nothing_stands_out():
    words = "".join(Page(html(small_round(steps=[{"step": 1, "loss": 0.5}]))).words)
    assert "Nothing in these numbers stands out." in words


def test_no_steps_no_word_about_them():
    assert "stands out" not in html(small_round())


def test_a_metric_that_a_loss_names_becomes_a_caption_and_no_markup():
    text = html(small_round(steps=[{"step": 1, "loss": 0.5, "<b>$\\frac$": 0.25}]))
    assert "&lt;b&gt;$\\frac$" in text and "<b>" not in text
