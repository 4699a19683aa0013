"""RAKE: runs of words between stop words, scored by the company that their words keep."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from tasks.function_words import StopWords, stop_words
from tasks.key_phrases._contract import KeyPhrase, ranked

WORD = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")


@dataclass(frozen=True, kw_only=True)
class Rake:
    """A phrase's score is the sum of its words' degree / frequency.

    Source: Rose et al., Automatic keyword extraction from individual documents, 2010. Texts whose
    words are not set apart by white space need another extractor.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 1

    stop_words: StopWords = "english"
    """Words that end a phrase: the name of a language, or a list."""

    def __post_init__(self) -> None:
        stop_words(self.stop_words)

    def __call__(self, text: str) -> list[KeyPhrase]:
        """The phrases of `text`."""
        runs = self._runs(text)
        frequency, degree = Counter[str](), Counter[str]()
        for run in runs:
            for word in run:
                frequency[word[0].lower()] += 1
                degree[word[0].lower()] += len(run)
        found, scores = [], {}
        for run in runs:
            words = [word[0].lower() for word in run]
            phrase = " ".join(words)
            scores[phrase] = sum(degree[word] / frequency[word] for word in words)
            found.append((phrase, (run[0].start(), run[-1].end())))
        return ranked(found, scores)

    def _runs(self, text: str) -> list[list[re.Match[str]]]:
        """Words that follow each other with nothing but white space between, no stop word among."""
        stops, runs, last = stop_words(self.stop_words), list[list[re.Match[str]]](), -1
        for word in WORD.finditer(text):
            if word[0].lower().replace("\u2019", "'") in stops:
                last = -1
                continue
            follows = last >= 0 and text[last : word.start()].strip(" \t") == ""
            if follows:
                runs[-1].append(word)
            else:
                runs.append([word])
            last = word.end()
        return runs


VARIANT = Rake
