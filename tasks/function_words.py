"""Words that a language needs and that say little: lists of the library stop-words."""

from functools import cache

from stop_words import StopWordError, get_stop_words

from tasks.errors import ConfigError

StopWords = str | tuple[str, ...]
"""The English name of a language, or words of one's own."""


@cache
def stop_words(given: StopWords) -> frozenset[str]:
    """The words in small letters; ConfigError lists the languages there are."""
    if isinstance(given, tuple):
        return frozenset(word.lower() for word in given)
    try:
        return frozenset(word.lower() for word in get_stop_words(given))
    except StopWordError as error:
        raise ConfigError(f"stop_words is {given!r}: {error}") from error
