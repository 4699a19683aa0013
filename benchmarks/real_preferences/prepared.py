"""The preference sets as the model sees them: token ids, parts, rows to score and to train on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.real_preferences.preferences import Pair, Preferences, Split, draw, split_by_prompt
from tasks.errors import DataError
from tasks.pair_examples import pair_examples
from tasks.pairs import reweigh
from tasks.records import PreferencePair, ReferenceScore, TrainingExample
from tasks.tables import to_table
from tasks.tokens import load_tokenizer, render, response_ids
from tasks.training_data import SCORE_ROWS, Tokenised
from tasks.weights import weights_digest

Logps = Mapping[str, Sequence[float]]
"""Log-probability of each token (nats) by response id."""


@dataclass(frozen=True, kw_only=True)
class PreparedSet:
    """One preference set as the model sees it."""

    name: str
    settings: dict[str, Any]
    split: Split
    """Pairs whose sides both fit."""
    ids: Tokenised
    counts: dict[str, int]


def prepare(name: str, found: Preferences, model: Path, plan: Mapping[str, Any]) -> PreparedSet:
    """Tokenise a set, leave out the pairs that are too long, and split it by prompt."""
    tokenizer, settings = load_tokenizer(model), plan["sets"][name]
    ids = Tokenised(
        {one: render(tokenizer, messages) for one, messages in found.prompts.items()},
        {
            one: response_ids(tokenizer, text, finished=True)
            for one, (_, text) in found.responses.items()
        },
    )
    fitting = [pair for pair in found.pairs if longest(pair, ids) <= plan["max_tokens"]]
    split = split_by_prompt(
        fitting,
        held_out=settings["held_out_prompts"],
        dev=settings["dev_prompts"],
        seed=plan["split_seed"],
    )
    parts_of = {one: getattr(split, one) for one in ("train", "dev", "held_out")}
    counts = found.counts | {"longer_than_max_tokens": len(found.pairs) - len(fitting)}
    for one, pairs in parts_of.items():
        counts[f"{one}_pairs"] = len(pairs)
        counts[f"{one}_prompts"] = len({pair.prompt_id for pair in pairs})
    return PreparedSet(name=name, settings=settings, split=split, ids=ids, counts=counts)


def longest(pair: Pair, ids: Tokenised) -> int:
    """Tokens of prompt and longer response."""
    sides = (len(ids.responses[one]) for one in (pair.chosen_id, pair.rejected_id))
    return len(ids.prompts[pair.prompt_id]) + max(sides)


def is_length_matched(pair: Pair, ids: Tokenised, share: float) -> bool:
    """Whether the token counts of both sides differ by at most `share` of the larger one."""
    chosen, rejected = len(ids.responses[pair.chosen_id]), len(ids.responses[pair.rejected_id])
    return abs(chosen - rejected) <= share * max(chosen, rejected)


def measured_pairs(
    one: PreparedSet, part: str, plan: Mapping[str, Any]
) -> tuple[list[Pair], set[str]]:
    """The pairs of `part` (dev, held_out) to measure on, and the ids of those drawn at random.

    Drawn: some pairs of each prompt. The others are added because they are length-matched.
    """
    pairs = getattr(one.split, part)
    drawn = draw(pairs, one.settings["measured_pairs_per_prompt"], plan["split_seed"], part)
    chosen = {pair.pair_id for pair in drawn}
    share = plan["length_matched"]
    more = [p for p in pairs if p.pair_id not in chosen and is_length_matched(p, one.ids, share)]
    return [*drawn, *more], chosen


def training_pairs(one: PreparedSet, plan: Mapping[str, Any], seed: int) -> list[Pair]:
    """The pairs that the run with `seed` is trained on."""
    return draw(one.split.train, one.settings["trained_pairs_per_prompt"], seed, "train")


def score_rows(one: PreparedSet, pairs: Iterable[Pair]) -> pa.Table:
    """The distinct responses of `pairs` as the rows of a scoring job."""
    used = {(p.prompt_id, side) for p in pairs for side in (p.chosen_id, p.rejected_id)}
    columns = {
        "response_id": [side for _, side in sorted(used)],
        "prompt_ids": [one.ids.prompts[prompt] for prompt, _ in sorted(used)],
        "response_ids": [one.ids.responses[side] for _, side in sorted(used)],
    }
    return pa.Table.from_pydict(columns, schema=SCORE_ROWS)


def preference_examples(
    one: PreparedSet, pairs: Iterable[Pair], reference: Logps, model: Path
) -> pa.Table:
    """Training examples; the pairs of a prompt share its weight."""
    records = reweigh([_record(pair) for pair in pairs])
    fingerprint = weights_digest(model)
    used = {side for pair in records for side in (pair.chosen_id, pair.rejected_id)}
    scores = {
        side: ReferenceScore(
            response_id=side,
            reference=fingerprint,
            logp=sum(reference[side]),
            num_tokens=len(reference[side]),
            token_logps=list(reference[side]),
        )
        for side in used
    }
    made = pair_examples(records, one.ids, [scores], {})
    if made.counts:
        raise DataError(f"pairs of {one.name} that fit make no examples: {made.counts}")
    return to_table(TrainingExample, made.examples)


def _record(pair: Pair) -> PreferencePair:
    """The pair as the project's record; a recorded verdict counts as certain."""
    return PreferencePair(
        pair_id=pair.pair_id,
        prompt_id=pair.prompt_id,
        chosen_id=pair.chosen_id,
        rejected_id=pair.rejected_id,
        p_chosen=1.0,
        margin=1.0,
        weight=1.0,
        rule="recorded",
    )
