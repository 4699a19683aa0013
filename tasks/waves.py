"""One prompt's comparisons in waves: each wave is chosen by all that was said on those before.

`chosen` and `dialogue` are generators that somebody else drives: they yield what to ask and are
sent what was said. So nothing here waits, and prompts, shards and judges go on side by side, each
at its own pace; what is asked follows from seed and verdicts alone.
"""

import math
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from math import comb
from typing import Any, NamedTuple

import pyarrow as pa

from tasks.candidates import Candidate, different_texts
from tasks.comparison_rules._budget import Comparison
from tasks.comparison_rules._contract import Heard
from tasks.errors import DataError
from tasks.judging import Asked
from tasks.opinions import questions
from tasks.records import Prompt, Response, Verdict
from tasks.responses import shards_of
from tasks.seeds import seed_of
from tasks.tables import counted, to_table
from tasks.voices import P_B_WINS, p_b_wins

LEFT_OUT = "left_out_"
"""With what the names of counts begin that say why comparisons were not asked."""


class Told(NamedTuple):
    """All that a judge said about one prompt's responses."""

    verdicts: list[Verdict]
    """In the order in which they were asked for."""
    left_out: dict[str, int]
    """Comparisons that were not asked, by reason."""


Dialogue = Generator[list[Asked], list[Verdict], Told]
"""Yields the questions of a wave and is sent their verdicts, in any order."""


class Asking(NamedTuple):
    """What all dialogues of a judge have in common."""

    rule: Any
    """The comparison rule."""
    both_orders: bool
    """Whether each comparison is asked in both orders."""
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
    try:
        wave = next(waves)
        while True:
            said = yield _asked(prompt, wave, responses, asking)
            verdicts += said
            wave = waves.send(heard_of(said))
    except StopIteration as end:
        return Told(verdicts, _left_out(members, verdicts, end.value))


def heard_of(verdicts: Iterable[Verdict]) -> list[Heard]:
    """What verdicts say of each comparison, all orders taken together; sorted by ids."""
    said: dict[Comparison, list[Verdict]] = {}
    for one in verdicts:
        said.setdefault((one.a_id, one.b_id), []).append(one)
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
        for question in questions(prompt.prompt_id, ids, asking.both_orders, asking.seed)
    ]


def _left_out(
    members: Sequence[Candidate], verdicts: Iterable[Verdict], reason: str
) -> dict[str, int]:
    differ = len(different_texts(members))
    asked = len({(one.a_id, one.b_id) for one in verdicts})
    counts = {"same_text": comb(len(members), 2) - differ, reason: differ - asked}
    return {f"{LEFT_OUT}{name}": count for name, count in counts.items() if count}


class Shard(NamedTuple):
    """The dialogues about some prompts, none of which has begun."""

    dialogues: list[Dialogue]
    """One for each prompt, in the order of ids."""
    most: int
    """Questions of all of them, at most."""


def dialogues_in_shards(
    prompts: Sequence[Prompt],
    candidates: Mapping[str, Sequence[Candidate]],
    responses: Mapping[str, Response],
    asking: Asking,
) -> list[Shard]:
    """A dialogue for each prompt in the order of ids, cut into shards of a fixed size."""
    return [
        Shard(
            [dialogue(one, candidates.get(one.prompt_id, ()), responses, asking) for one in shard],
            sum(most_questions(candidates.get(one.prompt_id, ()), asking) for one in shard),
        )
        for shard in shards_of(prompts)
    ]


def most_questions(members: Sequence[Candidate], asking: Asking) -> int:
    """Questions about the members of one prompt, at most."""
    texts = len({one.text_digest for one in members})
    return int(asking.rule.most(texts)) * (2 if asking.both_orders else 1)


def told(
    dialogues: Sequence[Dialogue], opinions: Callable[[list[Asked]], list[Verdict]]
) -> list[Told]:
    """What `opinions`, which waits for nobody, says in all `dialogues`: a wave of all at a time."""
    results: dict[int, Told] = {}
    under_way = _sent(results, dict.fromkeys(range(len(dialogues)), None), dialogues)
    while under_way:
        verdicts = iter(opinions([one for wave in under_way.values() for one in wave]))
        said = {index: [next(verdicts) for _ in wave] for index, wave in under_way.items()}
        under_way = _sent(results, said, dialogues)
    return [results[index] for index in range(len(dialogues))]


def _sent(
    results: dict[int, Told],
    said: Mapping[int, list[Verdict] | None],
    dialogues: Sequence[Dialogue],
) -> dict[int, list[Asked]]:
    """The next waves after `said`; what dialogues end with goes to `results`."""
    waves = {}
    for index, verdicts in said.items():
        try:
            # The first send of a generator takes None only.
            waves[index] = dialogues[index].send(verdicts)  # type: ignore[arg-type]
        except StopIteration as end:
            results[index] = end.value
    return waves


def rows_of(ended: Sequence[Told]) -> tuple[pa.Table, dict[str, int]]:
    """The verdicts of a shard's dialogues; their counts with what was left out, and why."""
    verdicts = [verdict for one in ended for verdict in one.verdicts]
    outcomes = counted(one.outcome for one in verdicts)
    left_out = left_out_in(one.left_out for one in ended)
    return to_table(Verdict, verdicts), {**outcomes, **left_out}


def left_out_in(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """What `parts` say of comparisons that were not asked, added up by reason."""
    total: Counter[str] = Counter()
    for counts in parts:
        total.update({name: n for name, n in counts.items() if name.startswith(LEFT_OUT)})
    return dict(sorted(total.items()))
