"""Which texts evaluation sets consist of, and which rows of a pool or of responses repeat them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.decontamination.letters import letters
from tasks.decontamination.screen import BACKGROUND, SHORT, Found, Screen
from tasks.decontamination.settings import DecontaminationSettings
from tasks.prompts import SPLITS, Pool, each_prompt, members
from tasks.records import Prompt
from tasks.tables import KEYS, to_table

ALONE = 2
"""Turns of a person from which on each turn of a conversation is looked for by itself, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationText:
    """One text that must not be trained on. Key: name."""

    name: str
    """The prompt_id; of a part of it with #turn-N or #answer behind."""
    text: str
    """As it stands in the prompt, system prompts left out, or in a reference answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contaminated:
    """A prompt or response that is kept out of training. Key: row_id."""

    row_id: str
    """Its prompt_id or response_id."""
    kind: str
    """exact, near, quoted or passage."""
    of: str
    """Name of the evaluation text that it repeats."""
    share: float
    """How much of it, by letters of its own, 0 to 1."""
    text: str
    """The text of the row."""


KEYS[EvaluationText] = ("name",)
KEYS[Contaminated] = ("row_id",)


class Cleaned(NamedTuple):
    """A pool without what repeats its evaluation sets."""

    pool: Pool
    texts: list[EvaluationText]
    found: list[Contaminated]


def asked(prompt: Prompt) -> str:
    """What a prompt says, system prompts left out: many share them."""
    turns = [turn["content"] for turn in prompt.messages if turn["role"] != "system"]
    return "\n\n".join(turns)


def evaluation_texts(prompts: Iterable[Prompt]) -> Iterator[EvaluationText]:
    """Every prompt; each turn of a person in longer conversations; reference answers."""
    for prompt in prompts:
        yield EvaluationText(name=prompt.prompt_id, text=asked(prompt))
        turns = [one["content"] for one in prompt.messages if one["role"] == "user"]
        if len(turns) >= ALONE:
            for number, text in enumerate(turns, start=1):
                yield EvaluationText(name=f"{prompt.prompt_id}#turn-{number}", text=text)
        for number, check in enumerate(prompt.checks, start=1):
            answer = json.loads(check).get("answer")
            if isinstance(answer, str) and is_telling(answer):
                yield EvaluationText(name=f"{prompt.prompt_id}#answer-{number}", text=answer)


def is_telling(text: str) -> bool:
    """Whether a text is long enough that a response does not repeat it by chance."""
    return len(letters(text)) >= SHORT


def cleaned(pool: Pool, elsewhere: Iterable[Prompt], settings: DecontaminationSettings) -> Cleaned:
    """The pool without train prompts that repeat a prompt of another split, or of `elsewhere`.

    What is dropped is counted by its kind.
    """
    train = members(pool.table, "train")
    measured = pool.table.filter(pc.not_equal(pool.table.column("split"), "train"))
    texts = {
        one.name: one
        for prompts in (each_prompt(measured), elsewhere)
        for one in evaluation_texts(prompts)
    }
    places = np.linspace(0, train.num_rows - 1, min(train.num_rows, BACKGROUND)).astype(int)
    background = map(asked, each_prompt(train.take(pa.array(places))))
    screen = Screen({one.name: one.text for one in texts.values()}, background, settings)
    ids = train.column("prompt_id").to_pylist()
    found = found_in(ids, map(asked, each_prompt(train)), screen)
    gone = pa.array([one.row_id for one in found], pa.string())
    table = pool.table.filter(pc.invert(pc.is_in(pool.table.column("prompt_id"), gone)))
    counts = {
        **pool.counts,
        **{split: members(table, split).num_rows for split in SPLITS},
        **counted(found),
    }
    return Cleaned(Pool(table, counts), list(texts.values()), found)


def found_in(ids: Sequence[str], texts: Iterable[str], screen: Screen) -> list[Contaminated]:
    """Those of `texts`, named by `ids`, that repeat an evaluation text."""
    held: list[str] = []

    def kept() -> Iterator[str]:
        for text in texts:
            held.append(text)
            yield text

    rows = []
    for row_id, found in zip(ids, screen.look(kept()), strict=True):
        text = held.pop(0)
        if found is not None:
            rows.append(_contaminated(row_id, text, found))
    return rows


def _contaminated(row_id: str, text: str, found: Found) -> Contaminated:
    return Contaminated(
        row_id=row_id, kind=found.kind, of=found.of, share=round(found.share, 4), text=text
    )


def screen_of_responses(
    texts: Iterable[EvaluationText], background: Iterable[str], settings: DecontaminationSettings
) -> Screen:
    """What responses are looked at with: a short prompt or answer is repeated by chance."""
    told = {one.name: one.text for one in texts if is_telling(one.text)}
    return Screen(told, background, settings)


def counted(found: Iterable[Contaminated]) -> dict[str, int]:
    """How many are kept out, for which reason."""
    kinds = Counter(one.kind for one in found)
    return {f"contaminated_{kind}": number for kind, number in sorted(kinds.items())}


def as_tables(
    texts: Sequence[EvaluationText], found: Sequence[Contaminated]
) -> Mapping[str, tuple[type, pa.Table]]:
    """Both as tables of a stage."""
    return {
        "texts": (EvaluationText, to_table(EvaluationText, list(texts))),
        "contaminated": (Contaminated, to_table(Contaminated, list(found))),
    }
