"""An editor rewrites the rejected response toward the chosen one (the bridge of BMC)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.canonical import short_id
from tasks.config_matrix import WriterSection
from tasks.errors import ConfigError
from tasks.records import PreferencePair, Response
from tasks.responses import Drawn
from tasks.seeds import uniform_of
from tasks.templates import render_template, template_text
from tasks.transforms._contract import (
    CUT,
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

FAMILY = "tasks.transforms"
DECLINED = "NO EDIT"
"""What an editor says that has nothing to mend."""
REFUSALS = (
    r"(?i)^(?:i'?m|i am) (?:sorry|afraid|unable|not able)\b",
    r"(?i)^i (?:cannot|can'?t|can not|won'?t|will not) (?:assist|help|comply|edit|provide|do)\b",
    r"(?i)^as an ai\b",
)


@dataclass(frozen=True, kw_only=True)
class EditRejected:
    """The pair becomes (edited, rejected): responses that differ in what matters, and little else.

    Source: Bridging and modeling correlations, arXiv:2408.07471, where a pseudo-winning response is
    made of the losing one with the winning one as a guide.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"writer": {"engine": "scripted", "default": "a fig"}}
    SEMANTICS: ClassVar[int] = 2
    SUPPLIES: ClassVar[tuple[str, ...]] = ()
    READS_TOKENS: ClassVar[bool] = False

    writer: WriterSection | None = None
    """The editor: engine, model and decoding, written flat like a cell of the matrix; null: no
    model, but some of the changes of words that lead to the chosen response are made."""
    share_of_changes: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Without a writer: share of these changes, drawn by seed, one at least."""
    template: str = "edit_rejected"
    """A template of this package, or the path of a .j2 file: it may use messages, chosen, rejected,
    fence and declined."""
    becomes: Literal["edited_over_rejected", "chosen_over_edited"] = "edited_over_rejected"
    """The pair that takes the place of (chosen, rejected)."""
    unedited: Literal["drop", "keep"] = "drop"
    """A pair whose edit is no use: it is dropped, or stays as it was; counted either way."""
    max_growth: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.5
    """An edit longer than this times the longer of the two responses is no use (characters)."""
    refusals: tuple[str, ...] = REFUSALS
    """Regular expressions: an edit in which one is found, and in neither response, is a refusal."""
    guard: Guard | None = None
    """A judge that compares without being asked over a network, e.g. {kind: rule}: an edit that it
    finds worse than what it is chosen over, or better than what is chosen over it, is no use; null:
    nobody looks."""

    def __post_init__(self) -> None:
        check_guard(self.guard)
        for pattern in self.refusals:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(f"refusals: {pattern!r} is no regular expression: {error}") from (
                    error
                )

    def version(self) -> str:
        """Digest of the settings and of the template's text."""
        return short_id(settings_of(self), template_text(self.template, FAMILY))

    def most(self, pairs: int, responses: int) -> int:
        """One edit for each pair."""
        return pairs if self.writer else 0

    def asks(self, view: PromptPairs, maker: Maker) -> list[Ask]:
        """One question for each pair; none without a writer."""
        if self.writer is None:
            return []
        return [Ask(ask_id=one.pair_id, messages=self._question(one, view)) for one in view.pairs]

    def _question(self, pair: PreferencePair, view: PromptPairs) -> list[Any]:
        texts = {
            "chosen": view.responses[pair.chosen_id].text,
            "rejected": view.responses[pair.rejected_id].text,
        }
        question = render_template(
            self.template, view.prompt.messages, texts, FAMILY, declined=DECLINED
        )
        return [{"role": "user", "content": question}]

    def made(self, view: PromptPairs, written: Mapping[str, Drawn], maker: Maker) -> Made:
        """The edited pairs, and what could not be edited by reason."""
        made = Made(pairs=[])
        for index, pair in enumerate(view.pairs):
            edited, why = self._edited(pair, view, written, maker, index)
            if edited is None:
                made.counts[f"{'kept' if self.unedited == 'keep' else 'dropped'}_{why}"] += 1
                made.pairs.extend([pair] if self.unedited == "keep" else [])
                continue
            made.counts["edited"] += 1
            made.responses.append(edited)
            made.origins.append(origin_of(self, edited, pair.rejected_id, pair.pair_id))
            made.pairs.append(self._pair(pair, edited.response_id))
        return made

    def _edited(
        self,
        pair: PreferencePair,
        view: PromptPairs,
        written: Mapping[str, Drawn],
        maker: Maker,
        index: int,
    ) -> tuple[Response | None, str]:
        """The edited response, or why there is none."""
        chosen, rejected = (view.responses[one] for one in (pair.chosen_id, pair.rejected_id))
        ends_as = rejected
        if self.writer is None:
            mixed, ends_as = self._mixed(rejected, chosen, (*maker.seeds, pair.pair_id))
            drawn = mixed, "stop"
        elif why := why_unwritten(written, pair.pair_id):
            return None, why
        else:
            found = written[pair.pair_id]
            drawn = (found.text or "").strip(), found.finish_reason
        if why := self._why_no_use(*drawn, chosen.text, rejected.text):
            return None, why
        # What was cut stays cut: training closes a response that says it finished by itself.
        text = _framed(drawn[0], rejected.text)
        edited = response_made(text, rejected, maker, index, ends_as.finish_reason)
        why = self._wrong_side(view, chosen, edited, rejected)
        return (None, why) if why else (edited, "")

    def _wrong_side(
        self, view: PromptPairs, chosen: Response, edited: Response, rejected: Response
    ) -> str:
        """Why the guard does not let an edit stand where it is to stand; empty if it does."""
        if self.becomes == "edited_over_rejected":
            worse = is_worse(self.guard, view.prompt, edited, rejected)
            return "worse_than_rejected" if worse else ""
        better = is_worse(self.guard, view.prompt, chosen, edited)
        return "better_than_chosen" if better else ""

    def _mixed(
        self, rejected: Response, chosen: Response, names: tuple[str | int, ...]
    ) -> tuple[str, Response]:
        """`rejected` with some of its words replaced by those of `chosen`, where they differ.

        With it the response whose end it has.
        """
        steps = list(_steps(rejected.text.strip(), chosen.text.strip()))
        changes = [place for place, (old, new) in enumerate(steps) if old != new]
        changes.sort(key=lambda place: uniform_of(*names, "edit_rejected", place))
        made = set(changes[: max(1, round(self.share_of_changes * len(changes)))])
        words = [new if place in made else old for place, (old, new) in enumerate(steps)]
        return "".join(words).strip(), chosen if len(steps) - 1 in made else rejected

    def _why_no_use(self, text: str, finish: str, chosen: str, rejected: str) -> str:
        """The first thing that is wrong with an edit, or nothing."""
        longest = self.max_growth * max(len(chosen), len(rejected))
        found = {
            EMPTY: not text,
            CUT: finish == "length",
            "declined": text == DECLINED,
            "refused": any(self._refuses(one, text, chosen, rejected) for one in self.refusals),
            "unchanged": text == rejected.strip(),
            "equal_to_chosen": text == chosen.strip(),
            "too_long": len(text) > longest,
        }
        return next((reason for reason, holds in found.items() if holds), "")

    @staticmethod
    def _refuses(pattern: str, text: str, chosen: str, rejected: str) -> bool:
        """A response that is a refusal itself is edited as any other."""
        return bool(
            re.search(pattern, text)
            and not re.search(pattern, chosen.strip())
            and not re.search(pattern, rejected.strip())
        )

    def _pair(self, pair: PreferencePair, edited_id: str) -> PreferencePair:
        if self.becomes == "edited_over_rejected":
            return pair_of(pair, edited_id, pair.rejected_id)
        return pair_of(pair, pair.chosen_id, edited_id)


def _framed(text: str, like: str) -> str:
    """`text` with the white space around it that `like` has: an edit is to differ in words."""
    begin, end = len(like) - len(like.lstrip()), len(like.rstrip())
    return like[:begin] + text + like[end:]


def _steps(rejected: str, chosen: str) -> Iterator[tuple[str, str]]:
    """Both texts word by word with the white space in front, what has no counterpart beside ''."""
    old, new = (re.findall(r"\s*\S+", text) for text in (rejected, chosen))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for _, first, end, other_first, other_end in matcher.get_opcodes():
        yield from zip_longest(old[first:end], new[other_first:other_end], fillvalue="")


VARIANT = EditRejected
