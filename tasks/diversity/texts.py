"""Distinct n-grams and self-BLEU: how much texts repeat themselves and each other."""

from collections.abc import Iterable, Sequence
from statistics import fmean

WINDOW = 500
"""n-grams that are compared with each other: the more there are, the more of them repeat, so equal
numbers of them make cells comparable."""


def words_of(text: str) -> list[str]:
    """The words of a text, small letters; what is written without spaces is one word."""
    return text.lower().split()


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n words."""
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def distinct(texts: Iterable[str], n: int, window: int = WINDOW) -> float | None:
    """Share of different n-grams in `texts`, the mean over windows; None where there is no n-gram.

    Windows follow each other in the order of `texts`; a last one that is not full counts only where
    it is the only one. Source: Li et al., arXiv:1510.03055, made independent of the amount of text.
    """
    grams = [gram for text in texts for gram in ngrams(words_of(text), n)]
    if not grams:
        return None
    full = len(grams) // window
    parts = [grams[i * window : (i + 1) * window] for i in range(full)] or [grams]
    return fmean(len(set(part)) / len(part) for part in parts)


def self_bleu(texts: Sequence[str]) -> float | None:
    """Mean BLEU (0 to 100) of each text against all others; None for fewer than two texts.

    100: all are the same. Source: Zhu et al., arXiv:1802.01886.
    """
    from sacrebleu.metrics.bleu import BLEU  # a fifth of a second to import, needed once a round

    if len(texts) < 2:
        return None
    bleu = BLEU(effective_order=True)
    return fmean(
        bleu.sentence_score(text, [other for j, other in enumerate(texts) if j != i]).score
        for i, text in enumerate(texts)
    )
