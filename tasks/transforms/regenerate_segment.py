"""A segment of the chosen response is written anew: the rejected response of SAPO."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import ConfigDict, Field

from tasks.canonical import short_id
from tasks.config_matrix import WriterSection
from tasks.errors import DataError
from tasks.records import PreferencePair, Response
from tasks.responses import Drawn, Tokens, ids_for_training
from tasks.seeds import uniform_of
from tasks.tokens import stop_ids
from tasks.transforms._contract import (
    EMPTY,
    Ask,
    Made,
    Maker,
    PromptPairs,
    origin_of,
    pair_of,
    response_made,
    why_unwritten,
)
from tasks.transforms._guard import Guard, check_guard, is_worse
from tasks.variants import settings_of


class Segment(NamedTuple):
    """Where a response is cut: A is before `start`, B up to `end`, C behind."""

    ids: Sequence[int]
    """Token ids of the whole response."""
    start: int
    end: int


class Rewritten(NamedTuple):
    """A response with another segment."""

    ids: list[int]
    """A B' C, or A B' where B' ended the response."""
    written: int
    """Tokens of B'."""
    ended: bool
    """Whether B' ended the response."""


@dataclass(frozen=True, kw_only=True)
class RegenerateSegment:
    """The pair becomes (y, A B' C) where y = A B C is the chosen response and B' is drawn after A.

    B is a segment at an offset drawn by seed. Where B' ends the response, C is left out. Only the
    chosen response of a pair is read. Source: SAPO, arXiv:2405.20830.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {
        "writer": {"engine": "transformers", "model": "policy", "max_tokens": 4}
    }
    SEMANTICS: ClassVar[int] = 1
    SUPPLIES: ClassVar[tuple[str, ...]] = (
        "token column chosen.segment",
        "token column rejected.segment",
    )
    READS_TOKENS: ClassVar[bool] = True

    writer: WriterSection
    """Who writes anew, with the policy's tokenizer: usually `model: policy`. Its max_tokens is the
    length of the segment, unless largest_share makes it shorter."""
    largest_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A segment is at most this share of its response, and at least one token; 1 as published."""
    least_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """A rewritten response with fewer tokens than this share of the chosen one is no use."""
    guard: Guard | None = None
    """A judge that compares without being asked over a network, e.g. {kind: rule}: what it finds
    better than the chosen response is no use; null: nobody looks, as published."""

    def __post_init__(self) -> None:
        check_guard(self.guard)

    def version(self) -> str:
        """Digest of the settings."""
        return short_id(settings_of(self))

    def most(self, pairs: int, responses: int) -> int:
        """One segment for each chosen response."""
        return min(pairs, responses)

    def asks(self, view: PromptPairs, maker: Maker) -> list[Ask]:
        """The continuation of A for each chosen response that has a token."""
        asks = []
        for response_id in dict.fromkeys(pair.chosen_id for pair in view.pairs):
            found = self.segment(view.responses[response_id], maker)
            if found is not None:
                asks.append(
                    Ask(
                        ask_id=response_id,
                        messages=view.prompt.messages,
                        prefix_ids=list(found.ids[: found.start]),
                        max_tokens=found.end - found.start,
                    )
                )
        return asks

    def segment(self, response: Response, maker: Maker) -> Segment | None:
        """Where `response` is cut; None if it has no token. The closing stop id is never in B."""
        tokens = _tokens(maker)
        ids = ids_for_training(response, tokens)
        body = len(ids) - (ids[-1:] != [] and ids[-1] in stop_ids(tokens.tokenizer))
        if not body:
            return None
        length = min(self.writer.max_tokens, max(1, int(self.largest_share * body)))
        offsets = body - length + 1
        start = int(offsets * uniform_of(*maker.seeds, "segment", response.response_id))
        return Segment(ids, start, start + length)

    def made(self, view: PromptPairs, written: Mapping[str, Drawn], maker: Maker) -> Made:
        """One pair for each chosen response, and why others were not made."""
        made, seen = Made(pairs=[]), set[str]()
        for pair in view.pairs:
            if pair.chosen_id in seen:
                made.counts["dropped_same_chosen"] += 1
                continue
            seen.add(pair.chosen_id)
            self._add(made, pair, view, written, maker)
        return made

    def _add(
        self,
        made: Made,
        pair: PreferencePair,
        view: PromptPairs,
        written: Mapping[str, Drawn],
        maker: Maker,
    ) -> None:
        chosen = view.responses[pair.chosen_id]
        cut = self.segment(chosen, maker)
        why = EMPTY if cut is None else why_unwritten(written, pair.chosen_id)
        if cut is None or why:
            made.counts[f"dropped_{why}"] += 1
            return
        found = rewritten(cut, written[pair.chosen_id].token_ids or [], _tokens(maker))
        other = self._response(found, chosen, maker, len(made.responses))
        if why := self._why_no_use(cut, found, chosen, other, view):
            made.counts[f"dropped_{why}"] += 1
            return
        origin = replace(
            origin_of(self, other, pair.chosen_id, pair.pair_id),
            start=cut.start,
            replaced=cut.end - cut.start,
            written=found.written,
        )
        made.counts["rewritten"] += 1
        made.counts["ended_early"] += found.ended
        made.responses.append(other)
        made.origins.append(origin)
        made.pairs.append(pair_of(pair, pair.chosen_id, other.response_id))

    def _response(self, found: Rewritten, of: Response, maker: Maker, index: int) -> Response:
        tokens = _tokens(maker)
        text = str(tokens.tokenizer.decode(found.ids, skip_special_tokens=True))
        finish = "stop" if found.ended else of.finish_reason
        return replace(
            response_made(text, of, maker, index, finish),
            token_ids=found.ids,
            tokenizer=tokens.tokenizer_digest,
            template=tokens.template_digest,
        )

    def _why_no_use(
        self, cut: Segment, found: Rewritten, chosen: Response, other: Response, view: PromptPairs
    ) -> str:
        if found.ids == list(cut.ids):
            return "unchanged"
        if not other.text.strip():
            return EMPTY
        if len(found.ids) < self.least_share * len(cut.ids):
            return "too_short"
        worse = is_worse(self.guard, view.prompt, chosen, other)
        return "better_than_chosen" if worse else ""


def _tokens(maker: Maker) -> Tokens:
    if maker.tokens is None:
        raise DataError("a segment is cut in token ids, and the policy's tokenizer is not given")
    return maker.tokens


def rewritten(cut: Segment, drawn: Sequence[int], tokens: Tokens) -> Rewritten:
    """The response with the first tokens of `drawn` in place of B, as many as B has at most."""
    new = list(drawn[: cut.end - cut.start])
    ended = new[-1:] != [] and new[-1] in stop_ids(tokens.tokenizer)
    ids = [*cut.ids[: cut.start], *new]
    return Rewritten(ids if ended else [*ids, *cut.ids[cut.end :]], len(new), ended)


VARIANT = RegenerateSegment
