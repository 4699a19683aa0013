"""Finds in texts what they repeat of evaluation sets: equal, edited, quoted, or a long passage.

How much of an evaluation text is repeated is told by its letters that lie in shared runs of ten
letters and more, as Llama 2 did with tokens (arXiv:2307.09288, A.6). A letter weighs the less the
more texts have what stands there: what many prompts share, a template, says little. And most of its
words have to be there: one rare word that two short texts share is no copy.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.decontamination.index import GramIndex
from tasks.decontamination.letters import GRAM, Grams, Places, letters
from tasks.decontamination.settings import DecontaminationSettings

_WORD = re.compile(r"[\u2e80-\U0010ffff]|[^\W_\u2e80-\U0010ffff]+")
Weights = NDArray[np.float64]
Kind = Literal["exact", "near", "quoted", "passage"]

SHORT = 30
"""Letters of a text below which a response may repeat it by chance."""
TINY, WHOLE = 20, 0.9
"""Of a text of fewer letters than TINY the share WHOLE must be repeated: it has little to tell."""
MUCH_LONGER = 1.5
"""A text that many times as long as what it repeats quotes it."""
FEW = 2
"""Texts that may have what stands somewhere before it weighs less: the text and an edited copy."""
OWN = 0.11
"""Mean weight of its letters below which a text has nothing of its own: it is found where it is
equal, since whatever it has in common with others is a pattern of the whole set."""
COMMON = 16
"""Evaluation texts with the same gram, from which on it leads to none of them."""
CANDIDATES = 5
"""Evaluation texts that one text is compared with in full, the likeliest first."""
BACKGROUND = 4096
"""Texts that are enough to know what many share; more would make common speech look like it."""
TEXTS_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one text repeats of an evaluation set."""

    kind: Kind
    """exact: equal letters; near: most of it, at its length; quoted: most of it, within a longer
    text; passage: one long run of it."""
    of: str
    """Name of the evaluation text."""
    share: float
    """How much of it, by letters of its own, 0 to 1."""


class _Text(NamedTuple):
    """What is to be repeated of one evaluation text."""

    grams: Places
    """The number of each gram, in order."""
    weights: Weights
    """Of each letter."""
    total: float
    """Of all letters."""
    share: float
    """Of the total, from which on it is repeated."""
    passage: float
    """Weight of one run that is too long; infinite if none is."""


class Screen:
    """Evaluation texts, ready to be found in others."""

    def __init__(
        self,
        evaluation: Mapping[str, str],
        background: Iterable[str],
        settings: DecontaminationSettings,
    ) -> None:
        """`evaluation` are texts by name; `background` texts tell what many prompts share.

        A sample of the texts that are to be looked at is the best background: BACKGROUND of them.
        """
        self._equal: dict[str, str] = {}
        for name, text in evaluation.items():
            self._equal.setdefault(letters(text) or text.strip(), name)
        written = [one for one in self._equal if settings.share is not None]
        self._names = list(self._equal.values())
        self._words = [words(evaluation[name]) for name in self._names]
        self._least_words = settings.words
        self._index = GramIndex(written)
        counts = self._index.num_texts(np.arange(len(self._index))).astype(float)
        for part in _parts(background):
            found = self._index.known(list(dict.fromkeys(map(letters, part))))
            counts += np.bincount(found.numbers, minlength=len(counts))
        self._rarity: Weights = np.minimum(1.0, FEW / counts)
        self._texts = [self._text(i, len(one), settings) for i, one in enumerate(written)]
        self._least: Weights = np.array(
            [min(one.share * one.total, one.passage) for one in self._texts]
        )

    def _text(self, text: int, length: int, settings: DecontaminationSettings) -> _Text:
        """Each letter has the weight of the commonest gram that it is in."""
        grams = self._index.grams(text)
        weights = np.full(length, np.inf)
        for offset in range(GRAM if len(grams) else 0):
            part = weights[offset : offset + len(grams)]
            np.minimum(part, self._rarity[grams], out=part)
        total = float(weights.sum())
        if total < OWN * length or not total:
            return _Text(grams, weights, np.inf, np.inf, np.inf)
        share = max(settings.share or 1.0, WHOLE if length < TINY else 0.0)
        passage = np.inf if settings.passage is None else settings.passage * weights.max()
        return _Text(grams, weights, total, share, float(passage))

    def look(self, texts: Iterable[str]) -> Iterator[Found | None]:
        """What each of `texts` repeats most of, or None."""
        for part in _parts(texts):
            written = [letters(text) for text in part]
            near = self._near(written, part)
            for index, (one, text) in enumerate(zip(written, part, strict=True)):
                equal = self._equal.get(one or text.strip())
                found = near.get(index)
                yield Found(kind="exact", of=equal, share=1.0) if equal is not None else found

    def _near(self, written: Sequence[str], texts: Sequence[str]) -> dict[int, Found]:
        """What is found in those texts that are not equal to an evaluation text."""
        known = self._index.known(written)
        bounds = np.searchsorted(known.owners, np.arange(len(written) + 1))
        repeated = np.zeros(len(self._index), bool)
        found = {}
        for owner, candidates in self._candidates(known).items():
            own = known.numbers[bounds[owner] : bounds[owner + 1]]
            repeated[own] = True
            said = words(texts[owner])
            seen = [
                self._compared(text, len(written[owner]), said, repeated) for text in candidates
            ]
            repeated[own] = False
            if real := [one for one in seen if one]:
                found[owner] = max(real, key=lambda one: one.share)
        return found

    def _candidates(self, known: Grams) -> dict[int, list[int]]:
        """For each text the evaluation texts that it may repeat, the likeliest first.

        A gram covers GRAM letters at most, so no text is left out that repeats enough.
        """
        rare = self._index.num_texts(known.numbers) <= COMMON
        numbers, owners = known.numbers[rare], known.owners[rare]
        texts, which = self._index.texts_with(numbers)
        pairs, inverse = np.unique(owners[which] * len(self._texts) + texts, return_inverse=True)
        covered = GRAM * np.bincount(inverse, self._rarity[numbers[which]], len(pairs))
        owners, texts = np.divmod(pairs, max(1, len(self._texts)))
        chances = covered / self._least[texts]
        chosen: dict[int, list[int]] = {}
        for place in np.lexsort((texts, -chances)):
            if chances[place] < 1:
                break
            listed = chosen.setdefault(int(owners[place]), [])
            if len(listed) < CANDIDATES:
                listed.append(int(texts[place]))
        return chosen

    def _compared(
        self, text: int, length: int, said: Counter[str], repeated: NDArray[np.bool_]
    ) -> Found | None:
        """What a text has of an evaluation text, by its letters, words and `repeated` grams."""
        one = self._texts[text]
        hits = repeated[one.grams]
        covered = np.zeros(len(one.weights), bool)
        for offset in range(GRAM):
            covered[offset : offset + len(hits)] |= hits
        weights = np.where(covered, one.weights, 0.0)
        share = float(weights.sum()) / one.total
        kind: Kind
        if share >= one.share and self._has_words(text, said):
            kind = "quoted" if length > MUCH_LONGER * len(covered) else "near"
        elif _longest(covered, weights) >= one.passage:
            kind = "passage"
        else:
            return None
        return Found(kind=kind, of=self._names[text], share=min(1.0, share))

    def _has_words(self, text: int, said: Counter[str]) -> bool:
        wanted = self._words[text]
        return (wanted & said).total() >= self._least_words * wanted.total()


def words(text: str) -> Counter[str]:
    """How often each word is in `text`; of scripts without spaces each character is one."""
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _parts(texts: Iterable[str]) -> Iterator[list[str]]:
    left = iter(texts)
    while part := list(islice(left, TEXTS_AT_ONCE)):
        yield part


def _longest(covered: NDArray[np.bool_], weights: Weights) -> float:
    """The weight of the heaviest run of covered letters."""
    edges = np.flatnonzero(np.diff(covered, prepend=False, append=False))
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    return float((sums[edges[1::2]] - sums[edges[::2]]).max(initial=0))
