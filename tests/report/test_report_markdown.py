"""The markdown form: small, and foreign text in it never becomes links, images or HTML."""

import dataclasses

import pytest
from example_round import example_round
from markdown_it import MarkdownIt
from poison import HOSTILE, PIECES, poisoned
from small_round import empty_round, small_round

from tasks.records import EvalReport
from tasks.report import markdown
from tasks.report.formatting import DASH, code_span, fence
from tasks.report.render import MARKDOWN_LIMIT


def tokens_of(text):
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in parser.parse(text):
        yield token
        yield from token.children or []


@pytest.fixture(scope="module")
def data():
    return example_round(num_prompts=40)


def test_hostile_texts_make_no_link_image_or_html(data):
    tokens = list(tokens_of(markdown(poisoned(data, HOSTILE))))
    kinds = [token.type for token in tokens]
    assert not set(kinds) & {"link_open", "html_inline", "html_block"}
    assert [t.attrs["src"][:22] for t in tokens if t.type == "image"] == ["data:image/png;base64,"]
    plain = "".join(token.content for token in tokens if token.type == "text")
    assert "evil" not in plain and "heading" not in plain


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_texts_leave_the_structure_of_the_document_as_it_is(piece):
    data = dataclasses.replace(example_round(num_prompts=10), steps=[])
    harmless, hostile = (
        [token.type for token in tokens_of(markdown(poisoned(data, text))) if token.type != "text"]
        for text in (" harmless", piece)
    )
    assert hostile == harmless


def test_a_round_of_long_texts_stays_below_the_limit(data):
    long = markdown(poisoned(data, "long " * 5_000 + "`" * 300))
    assert len(long.encode()) <= MARKDOWN_LIMIT
    assert "data:image/png" in long


def test_thousands_of_slices_and_cells_stay_below_the_limit(data):
    reports = [
        EvalReport(
            checkpoint=name,
            metric=f"{metric} " * 30,
            slice=f"{part} " * 30,
            value=0.5,
            standard_error=0.1,
            n=9,
        )
        for name in data.names
        for metric in range(60)
        for part in range(60)
    ]
    cells = [{"name": f"{number} " * 50, "model": "m" * 500} for number in range(2000)]
    text = markdown(dataclasses.replace(data, evaluation=reports, cells=cells))
    assert len(text.encode()) <= MARKDOWN_LIMIT


def test_the_example_is_small_enough_to_read(data):
    assert len(markdown(data).encode()) < 60_000


def test_an_empty_round_has_no_picture():
    text = markdown(empty_round())
    assert "![" not in text
    assert text.startswith("# Round 0: Not decided")


def test_of_a_model_folder_only_the_last_two_names_are_shown(data):
    cells = [{"name": "big", "model": "/data/models/team/big"}, {"name": "hub", "model": "org/m"}]
    text = markdown(dataclasses.replace(data, cells=cells))
    assert "| `big` | `team/big` |" in text and "| `hub` | `org/m` |" in text


def test_the_funnel_is_a_table():
    assert "| Responses | 3 | 3.0 a prompt |" in markdown(small_round())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`x`", "`` `x` ``"),
        ("a|b\nc", "`a¦b c`"),
        ("", DASH),
        ("<b>", "`<b>`"),
    ],
)
def test_a_code_span_holds_any_line(text, wanted):
    assert str(code_span(text)) == wanted


def test_findings_stand_in_the_list_of_the_training():
    text = markdown(example_round(num_prompts=10))
    assert "- **Act: Responses grow longer, and the pairs teach it.** The policy" in text
    assert "- **Fine: Chosen responses become less likely in training" in text


def test_a_fence_is_longer_than_those_in_the_text():
    assert str(fence("````\nx")) == "`````text\n````\nx\n`````"
