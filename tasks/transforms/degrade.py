"""Variants of responses with some or all of their key content taken out (SPO's degrees)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.canonical import short_id
from tasks.key_phrases._contract import KeyPhrase
from tasks.key_phrases.rake import Rake
from tasks.responses import Drawn
from tasks.transforms._contract import (
    Ask,
    Made,
    Maker,
    PromptPairs,
    origin_of,
    response_made,
)
from tasks.variants import chosen_from, settings_of

Extractor = Annotated[Any, *chosen_from("tasks.key_phrases")]
SIDES = {
    "both": ("chosen_id", "rejected_id"),
    "chosen": ("chosen_id",),
    "rejected": ("rejected_id",),
}
BREAKS = ",;:"
"""What stands between the parts of a list."""
CLOSE = f"{BREAKS}.!?\n"
"""What no space is put in front of."""


@dataclass(frozen=True, kw_only=True)
class Degrade:
    """Pairs stay; each response gets a variant for every degree, for a loss that tells them apart.

    Of degree k of K - 1 the k / (K - 1) highest key phrases are gone. Source: the idea,
    arXiv:2409.17791; the number of degrees and the control of length are ours.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {}
    SEMANTICS: ClassVar[int] = 4
    SUPPLIES: ClassVar[tuple[str, ...]] = ("auxiliary head",)
    READS_TOKENS: ClassVar[bool] = False
    writer: ClassVar[None] = None

    extractor: Extractor = field(default_factory=Rake)
    """What finds the key phrases of a text."""
    num_degrees: Annotated[int, Field(ge=2)] = 3
    """Degrees, the response as it is among them; that of the loss."""
    how: Literal["remove", "mask"] = "remove"
    """Phrases are removed, or their letters and digits are masked: the variant then has as many
    characters and words as the response, and its length says nothing."""
    mask: Annotated[str, Field(min_length=1, max_length=1)] = "_"
    """The character that masks another."""
    sides: Literal["both", "chosen", "rejected"] = "both"
    """Which responses of pairs get variants."""

    def version(self) -> str:
        """Digest of the settings."""
        return short_id(settings_of(self))

    def most(self, pairs: int, responses: int) -> int:
        """Nobody writes."""
        return 0

    def asks(self, view: PromptPairs, maker: Maker) -> list[Ask]:
        """Nothing."""
        return []

    def made(self, view: PromptPairs, written: Mapping[str, Drawn], maker: Maker) -> Made:
        """The pairs as they are, and the variants of their responses."""
        made = Made(pairs=list(view.pairs))
        ids = [getattr(pair, side) for pair in view.pairs for side in SIDES[self.sides]]
        for response_id in dict.fromkeys(ids):
            of = view.responses[response_id]
            for degree, text in self.variants(of.text):
                if not text:
                    made.counts["dropped_equal_or_empty"] += 1
                    continue
                one = response_made(text, of, maker, len(made.responses), of.finish_reason)
                made.responses.append(one)
                made.origins.append(replace(origin_of(self, one, response_id), degree=degree))
                made.counts["degraded"] += 1
        return made

    def variants(self, text: str) -> Iterator[tuple[int, str]]:
        """Degrees from 1 with their texts; empty where a lower one has it, or nothing is left."""
        phrases, before = self.extractor(text), text
        for degree in range(1, self.num_degrees):
            number = len(phrases) * degree // (self.num_degrees - 1)
            made = self._without(text, phrases[:number])
            differs, before = made != before, made
            yield degree, made if differs and any(one.isalnum() for one in made) else ""

    def _without(self, text: str, phrases: Sequence[KeyPhrase]) -> str:
        """`text` without `phrases`; all that is left of it stays as it is."""
        spans = sorted(span for one in phrases for span in one.spans)
        cuts = [0, *(place for span in spans for place in span), len(text)]
        parts = [text[start:end] for start, end in pairwise(cuts)]
        if self.how == "mask":
            parts[1::2] = map(self._masked, parts[1::2])
            return "".join(parts)
        return reduce(_closed, parts[::2])

    def _masked(self, phrase: str) -> str:
        return "".join(self.mask if one.isalnum() else one for one in phrase)


def _closed(before: str, behind: str) -> str:
    """Two parts of a text from between which a phrase was taken: one space, and one comma of two.

    Spaces anywhere else are the response's own: if they were tidied, too, they alone would tell
    what was degraded.
    """
    line = before.rpartition("\n")[2]
    if not line.strip():
        return _line_closed(before, line, behind.lstrip(f" \t{BREAKS}"))
    left = before.rstrip(" \t")
    right = behind.lstrip(f" \t{BREAKS}" if left[-1] in BREAKS else " \t")
    seam = before[len(left) :] + behind[: len(behind) - len(right)]
    apart = bool(seam.strip(BREAKS)) and right[:1] not in CLOSE
    return f"{left} {right}" if apart else left + right


def _line_closed(before: str, line: str, behind: str) -> str:
    """As `_closed` where a `line` began with the phrase; one that held nothing else goes whole."""
    if not behind:
        return before.rstrip()
    if behind[0] != "\n":
        return before + behind
    above, below = before.removesuffix(line), behind[1:]
    apart = above and not above.endswith("\n\n")
    return above + (below if apart else below.lstrip("\n"))


VARIANT = Degrade
