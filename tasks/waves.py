"""One prompt's comparisons in waves: each wave is chosen by all that was said on those before.

`chosen` and `dialogue` are generators that somebody else drives: they yield what to ask and are
sent what was said. So nothing here waits, and prompts, shards and judges go on side by side, each
at its own pace; what is asked follows from seed and verdicts alone.
"""

import math
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from math import comb
from typing import Any, NamedTuple

import pyarrow as pa

from tasks.candidates import Candidate, different_texts
from tasks.comparison_rules._budget import Comparison
from tasks.comparison_rules._contract import Heard
from tasks.errors import DataError
from tasks.judging import Asked, Looking, gives_scores, opinions_of_pure
from tasks.near_duplicates import standing
from tasks.opinions import Annotator, Opinion, questions
from tasks.records import Prompt, Response, Verdict
from tasks.replies import LOST
from tasks.seeds import seed_of
from tasks.tables import counted, to_table
from tasks.voices import P_B_WINS, p_b_wins

LEFT_OUT = LOST[0]
"""With what the names of counts begin that say why comparisons were not asked."""


class Told(NamedTuple):
    """All that a judge said about one prompt's responses."""

    verdicts: list[Verdict]
    """In the order in which they were asked for."""
    left_out: dict[str, int]
    """Comparisons that were not asked, and questions that were lost, by reason."""
    looks: int = 0
    """Comparisons, or single responses, that the judge was shown."""


Dialogue = Generator[list[Asked], list[Verdict], Told]
"""Yields the questions of a wave and is sent their verdicts, in any order."""


class Asking(NamedTuple):
    """What all dialogues of a judge have in common."""

    rule: Any
    """The comparison rule."""
    judge: Any
    """Who is asked: in both orders or in one, about comparisons or about single responses."""
    seed: int
    """The run's seed."""


def chosen(
    rule: Any, members: Sequence[Candidate], seed: int
) -> Generator[list[Comparison], Iterable[Heard], str]:
    """The waves of `rule` for ONE prompt; returns why the comparisons left were not asked."""
    heard: list[Heard] = []
    while (wave := rule.next(members, heard, seed)).comparisons:
        asked = {one[:2] for one in heard}
        if twice := asked & set(wave.comparisons):
            raise DataError(
                f"comparison rule {type(rule).__name__} asks for {min(twice)} twice; its `next` "
                "must leave out what it has heard"
            )
        heard += yield wave.comparisons
    return str(wave.left_out)


def dialogue(
    prompt: Prompt,
    members: Sequence[Candidate],
    responses: Mapping[str, Response],
    asking: Asking,
) -> Dialogue:
    """All questions about the `members` of one prompt, wave after wave."""
    waves = chosen(asking.rule, members, seed_of(asking.seed, "comparisons", prompt.prompt_id))
    verdicts: list[Verdict] = []
    asked: list[Comparison] = []
    try:
        wave = next(waves)
        while True:
            said = yield _asked(prompt, wave, responses, asking)
            verdicts += said
            asked += wave
            wave = waves.send(heard_of(said, wave))
    except StopIteration as end:
        return Told(verdicts, _left_out(members, len(asked), end.value))


def heard_of(verdicts: Iterable[Verdict], wave: Iterable[Comparison]) -> list[Heard]:
    """What verdicts say of each comparison of `wave`, all orders taken together; sorted by ids.

    One without a verdict was lost: it has been asked, and nothing was heard.
    """
    said: dict[Comparison, list[Verdict]] = {ids: [] for ids in wave}
    for one in verdicts:
        if one.b_id:
            said[one.a_id, one.b_id].append(one)
    return [Heard(*ids, _mean(rows)) for ids, rows in sorted(said.items())]


def _mean(verdicts: Iterable[Verdict]) -> float | None:
    understood = [p_b_wins(one) for one in verdicts if one.outcome in P_B_WINS]
    # Summed exactly: the order of arrival must not change the last digit.
    return math.fsum(understood) / len(understood) if understood else None


def _asked(
    prompt: Prompt,
    wave: Iterable[Comparison],
    responses: Mapping[str, Response],
    asking: Asking,
) -> list[Asked]:
    return [
        Asked(question, prompt, responses[question.first_id], responses[question.second_id])
        for ids in wave
        for question in questions(prompt.prompt_id, ids, asking.judge.both_orders, asking.seed)
    ]


def _left_out(members: Sequence[Candidate], asked: int, reason: str) -> dict[str, int]:
    differ = len(different_texts(members))
    counts = {"same_text": comb(len(members), 2) - differ, reason: differ - asked}
    return {f"{LEFT_OUT}{name}": count for name, count in counts.items() if count}


class Shard(NamedTuple):
    """The dialogues about some prompts, none of which has begun."""

    dialogues: list[Dialogue]
    """One for each prompt, in the order of ids."""
    most: int
    """Questions of all of them, at most."""


def dialogues_about(
    prompts: Sequence[Prompt],
    candidates: Mapping[str, Sequence[Candidate]],
    responses: Mapping[str, Response],
    asking: Asking,
) -> Shard:
    """A dialogue for each prompt of a shard, by id, about responses that stand for themselves."""
    members = {one.prompt_id: candidates.get(one.prompt_id, ()) for one in prompts}
    return Shard(
        [
            dialogue(one, standing(members[one.prompt_id]), responses, asking)
            for one in sorted(prompts, key=lambda one: one.prompt_id)
        ],
        sum(most_questions(len(some), asking) for some in members.values()),
    )


def asked_of(shards: Iterable[Shard]) -> list[Asked]:
    """All that the dialogues of a rule of one wave ask; their shards are used up."""
    return [one for shard in shards for part in shard.dialogues for one in next(part, ())]


def most_questions(responses: int, asking: Asking) -> int:
    """Questions about so many responses to one prompt, at most."""
    comparisons = int(asking.rule.most(responses))
    if gives_scores(asking.judge):
        return min(2 * comparisons, responses)
    return comparisons * (2 if asking.judge.both_orders else 1)


def looked(
    dialogue: Dialogue, judge: Any, annotator: Annotator
) -> Generator[list[Asked], Sequence[Opinion | None], Told]:
    """A dialogue as what `judge` is shown in each wave; it is sent what the judge says of it."""
    looking = Looking(judge=judge, annotator=annotator)
    try:
        asked = next(dialogue)
        while True:
            work = looking.work(asked)
            opinions = yield work
            asked = dialogue.send(looking.verdicts(asked, work, opinions))
    except StopIteration as end:
        told: Told = end.value
        return told._replace(looks=looking.looks)


def told(dialogue: Dialogue, judge: Any, annotator: Annotator) -> Told:
    """What a judge that waits for nobody says in the dialogue."""
    looks = looked(dialogue, judge, annotator)
    try:
        work = next(looks)
        while True:
            work = looks.send(opinions_of_pure(work, judge))
    except StopIteration as end:
        ended: Told = end.value
        return ended


def rows_of(ended: Sequence[Told]) -> tuple[pa.Table, dict[str, int]]:
    """The verdicts of a shard's dialogues; their counts with what was left out or lost, and why."""
    verdicts = [verdict for one in ended for verdict in one.verdicts]
    outcomes = counted(one.outcome for one in verdicts)
    lost = lost_in(one.left_out for one in ended)
    return to_table(Verdict, verdicts), {**outcomes, **lost}


def lost_in(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """What `parts` say of questions without a verdict that can be read, added up by reason."""
    total: Counter[str] = Counter()
    for counts in parts:
        total.update({name: n for name, n in counts.items() if name.startswith(LOST)})
    return dict(sorted(total.items()))
