"""Variants of responses with some or all of their key content taken out (SPO's degrees)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    SEMANTICS: ClassVar[int] = 2
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
        phrases, before = self.extractor(text), 0
        for degree in range(1, self.num_degrees):
            number = len(phrases) * degree // (self.num_degrees - 1)
            made = self._without(text, phrases[:number]) if number > before else ""
            before = number
            yield degree, made if any(one.isalnum() for one in made) else ""

    def _without(self, text: str, phrases: Sequence[KeyPhrase]) -> str:
        """`text` without `phrases`; what is left of it keeps its order."""
        parts, last = [], 0
        for start, end in sorted(span for one in phrases for span in one.spans):
            parts += [text[last:start], self._instead(text[start:end])]
            last = end
        made = "".join([*parts, text[last:]])
        return _tidied(made) if self.how == "remove" else made.strip()

    def _instead(self, phrase: str) -> str:
        if self.how == "remove":
            return ""
        return "".join(self.mask if one.isalnum() else one for one in phrase)


def _tidied(text: str) -> str:
    """`text` without the white space and the lists of commas that removed words leave behind."""
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" ([,;:.!?])", r"\1", text)
    text = re.sub(r"([,;:])(?:[,;:])+", r"\1", text)
    text = re.sub(r"(?m)^[ ,;:]+", "", text)
    return re.sub(r" *\n *", "\n", text).strip()


VARIANT = Degrade
