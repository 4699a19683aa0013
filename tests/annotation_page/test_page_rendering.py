"""Texts of models as HTML that can do nothing."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.annotation.page.rendering import LONGEST_MARKDOWN, rendered

ELEMENTS = {
    *("p", "em", "strong", "s", "a", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "br"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "div", "span"),
}
ATTRIBUTES = {
    *("href", "title", "target", "rel", "class", "tabindex", "data-language", "start"),
}


class Seen(HTMLParser):
    """Every element and attribute of a text."""

    def __init__(self):
        super().__init__()
        self.elements, self.attributes = set(), []

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes += attrs


def seen(text):
    parser = Seen()
    parser.feed(rendered(text))
    return parser


def is_harmless(text):
    found = seen(text)
    names = {name for name, _ in found.attributes}
    links = [value for name, value in found.attributes if name == "href"]
    assert found.elements <= ELEMENTS and names <= ATTRIBUTES
    assert all(one.lower().startswith(("http://", "https://", "mailto:")) for one in links)


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x) <javascript:alert(1)>",
    "![x](https://example.org/track.png)",
    "![x](javascript:alert(1))",
    '[x](https://e.org "\\"onmouseover=alert(1)")',
    "```<img src=x onerror=alert(1)>\n</code></pre><script>alert(1)</script>\n```",
    "| <b>a</b> |\n|:-:|\n| <script>x</script> |",
    "<a href='javascript:alert(1)'>x</a>\n\n<style>*{display:none}</style>",
    "&lt;script&gt; &#60;script&#62;",
    "[x]: javascript:alert(1)\n[x]",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_text_becomes_more_than_words(text):
    is_harmless(text)


@given(st.text(alphabet="<>\"'&`[]()!|:-#*_~ \n\\abjs/=", max_size=120))
def test_no_mixture_of_signs_becomes_more_than_words(text):
    is_harmless(text)


def test_html_is_shown_as_the_text_it_is():
    assert rendered("a <b>c</b>") == "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"


def test_pictures_are_words_and_nothing_is_loaded():
    html = rendered("![a cat](https://example.org/cat.png)")
    assert '<span class="image" title="https://example.org/cat.png">image: a cat</span>' in html
    assert "<img" not in html


def test_links_open_elsewhere_and_say_where_they_lead():
    assert rendered("[x](https://e.org/)") == (
        '<p><a href="https://e.org/" title="https://e.org/" target="_blank" '
        'rel="noopener noreferrer nofollow">x</a></p>\n'
    )


def test_headings_stand_below_those_of_the_page():
    assert rendered("# a\n\n###### b") == "<h3>a</h3>\n<h6>b</h6>\n"


def test_code_keeps_its_signs_and_names_its_language():
    html = rendered("```python\nif a < b:\n    pass\n```")
    assert html == (
        '<pre tabindex="0" data-language="python"><code>if a &lt; b:\n    pass\n</code></pre>\n'
    )


def test_columns_are_aligned_without_a_style():
    html = rendered("| a | b |\n|:-:|--:|\n| 1 | 2 |")
    assert '<td class="centre">1</td>' in html and '<td class="right">2</td>' in html
    assert "style" not in html


def test_a_text_without_end_is_shown_as_it_is():
    html = rendered("*" * (LONGEST_MARKDOWN + 1))
    assert html.startswith('<pre class="plain" tabindex="0">***')
