"""What an extractor of key phrases is."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol


class KeyPhrase(NamedTuple):
    """Something that a text says, and where."""

    words: str
    """In small letters, white space as single spaces."""
    score: float
    """How much of the text's content it is, on the extractor's scale; larger is more."""
    spans: Sequence[tuple[int, int]]
    """First character and the first behind, of every occurrence, in order; they do not overlap."""


class KeyPhrases(Protocol):
    """Finds what a text is about; variants live in `tasks/key_phrases/`."""

    EXAMPLE: ClassVar[dict[str, Any]]
    SEMANTICS: ClassVar[int]

    def __call__(self, text: str) -> list[KeyPhrase]:
        """The key phrases, highest score first, then in the order of the text."""
        ...


def ranked(
    found: Sequence[tuple[str, tuple[int, int]]], scores: dict[str, float]
) -> list[KeyPhrase]:
    """Occurrences of phrases put together; `scores` by the phrase's words."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for words, span in found:
        spans.setdefault(words, []).append(span)
    phrases = [KeyPhrase(words, scores[words], tuple(some)) for words, some in spans.items()]
    return sorted(phrases, key=lambda one: (-one.score, one.spans[0]))
