"""Texts of people and models as HTML that can do nothing: markdown in, a few plain elements out.

HTML in a text is shown as the text it is. Nothing is loaded from anywhere: an image is a link with
its description, and the page's Content-Security-Policy refuses the rest.
"""

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

LONGEST_MARKDOWN = 60_000
"""Characters; a longer text is shown as it is, so that nobody's text can keep the server busy."""
SCHEMES = ("http://", "https://", "mailto:")
DEEPEST_HEADING = 6
HEADINGS_BELOW = 2
"""The page's own headings stand above those of texts."""
ALIGNMENTS = {"text-align:right": "right", "text-align:center": "centre"}


class _Renderer(RendererHTML):
    """Elements that need no style attribute, scroll on their own and are reached by keyboard."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        language, _, _ = tokens[idx].info.strip().partition(" ")
        label = f' data-language="{escapeHtml(language)}"' if language else ""
        return f'<pre tabindex="0"{label}><code>{escapeHtml(tokens[idx].content)}</code></pre>\n'

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<pre tabindex="0"><code>{escapeHtml(tokens[idx].content)}</code></pre>\n'

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        address = escapeHtml(str(tokens[idx].attrs.get("src", "")))
        words = escapeHtml(tokens[idx].content) or "no description"
        return f'<span class="image" title="{address}">image: {words}</span>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return '<div class="table" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"])
    parser.validateLink = lambda url: url.lower().startswith(SCHEMES)  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


def rendered(text: str) -> str:
    """`text` as HTML, read as markdown."""
    if len(text) > LONGEST_MARKDOWN:
        return f'<pre class="plain" tabindex="0">{escapeHtml(text)}</pre>'
    env: dict[str, Any] = {}
    tokens = _PARSER.parse(text, env)
    for token in tokens:
        _tame(token)
        for child in token.children or ():
            _tame(child)
    html: str = _PARSER.renderer.render(tokens, _PARSER.options, env)
    return html


def _tame(token: Token) -> None:
    """Lower headings, let links open elsewhere without saying where they were, drop styles."""
    if token.type in ("heading_open", "heading_close"):
        level = min(DEEPEST_HEADING, int(token.tag[1]) + HEADINGS_BELOW)
        token.tag = f"h{level}"
    if token.type == "link_open":
        address = str(token.attrs.get("href", ""))
        token.attrs = {
            "href": address,
            "title": address,
            "target": "_blank",
            "rel": "noopener noreferrer nofollow",
        }
    if name := ALIGNMENTS.get(str(token.attrs.pop("style", ""))):
        token.attrs["class"] = name
