"""The grams of evaluation texts, numbered, to be found in millions of other texts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.decontamination.letters import Grams, Hashes, Places, hashes_of, owners_of

_SLOTS_FOR_A_GRAM = 8
"""Of the filter that most unknown grams stop at."""
_FEWEST_BITS, _MOST_BITS = 16, 28


class GramIndex:
    """Which grams there are in some texts, and in which of them each."""

    def __init__(self, written: Sequence[str]) -> None:
        """Number the grams of the texts `written` (as `letters` writes them)."""
        hashes = hashes_of("".join(written))
        places, owners = owners_of(np.arange(len(hashes)), written)
        self._hashes, numbers = np.unique(hashes[places], return_inverse=True)
        self._filter = _Filter(self._hashes)
        self._grams: Places = numbers.astype(np.int64)
        self._starts = np.searchsorted(owners, np.arange(len(written) + 1))
        pairs = _distinct(self._grams, owners, len(written))
        self._texts = pairs.owners
        self._bounds = np.searchsorted(pairs.numbers, np.arange(len(self) + 1))

    def __len__(self) -> int:
        """How many grams are different."""
        return len(self._hashes)

    def grams(self, text: int) -> Places:
        """The number of each gram of a text, in its order."""
        return self._grams[self._starts[text] : self._starts[text + 1]]

    def num_texts(self, numbers: Places) -> Places:
        """In how many texts each gram of `numbers` is."""
        return self._bounds[numbers + 1] - self._bounds[numbers]

    def texts_with(self, numbers: Places) -> tuple[Places, Places]:
        """Each text that has one of `numbers`, and the index in `numbers` of what it has."""
        sizes = self.num_texts(numbers)
        which = np.repeat(np.arange(len(numbers)), sizes)
        within = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self._texts[self._bounds[numbers][which] + within], which

    def known(self, written: Sequence[str]) -> Grams:
        """The grams that are known in each of the texts `written`, each once, by text."""
        hashes = hashes_of("".join(written))
        places, owners = owners_of(self._filter.passing(hashes), written)
        some = hashes[places]
        numbers = np.searchsorted(self._hashes, some)
        real = self._hashes[np.minimum(numbers, len(self) - 1)] == some if len(self) else some > 0
        pairs = _distinct(owners[real], numbers[real], len(self))
        return Grams(numbers=pairs.owners, owners=pairs.numbers)


class _Filter:
    """Stops nearly all hashes that are not among the known ones, at the cost of one look."""

    def __init__(self, known: Hashes) -> None:
        bits = int(len(known) * _SLOTS_FOR_A_GRAM).bit_length()
        self._shift = np.uint64(64 - min(max(bits, _FEWEST_BITS), _MOST_BITS))
        self._taken: NDArray[np.bool_] = np.zeros(1 << int(np.uint64(64) - self._shift), bool)
        self._taken[known >> self._shift] = True

    def passing(self, hashes: Hashes) -> Places:
        """The places of those that may be known."""
        return np.flatnonzero(self._taken[hashes >> self._shift])


def _distinct(first: Places, second: Places, seconds: int) -> Grams:
    """The different pairs of `first` and `second` (below `seconds`), in order."""
    width = max(1, seconds)
    pairs = np.unique(first * width + second)
    return Grams(pairs // width, pairs % width)
