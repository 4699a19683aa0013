"""From texts to log-probabilities: teach the model, score the pairs, train, score again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from benchmarks.real_preferences import corpus, parts
from benchmarks.real_preferences.model import save_untaught
from benchmarks.real_preferences.preferences import (
    DATA,
    Pair,
    Preferences,
    Split,
    draw,
    prompt_texts,
    read_preferences,
    split_by_prompt,
)
from tasks.pairs import reweigh
from tasks.records import PreferencePair, ReferenceScore, TrainingExample
from tasks.tables import to_table
from tasks.tokens import load_tokenizer, render, response_ids
from tasks.training_data import SCORE_ROWS, Tokenised, pair_examples, response_example
from tasks.weights import file_digest, weights_digest

PLAN = Path(__file__).with_name("real_preferences.yaml")
Logps = Mapping[str, Sequence[float]]
"""Log-probability of each token (nats) by response id."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run on a set: what the plan leaves open."""

    loss: str
    """Name of one of the plan's losses."""
    learning_rate: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class PreparedSet:
    """One preference set as the model sees it."""

    name: str
    settings: dict[str, Any]
    split: Split
    """Pairs whose sides both fit."""
    ids: Tokenised
    counts: dict[str, int]


def read_plan(path: Path = PLAN) -> dict[str, Any]:
    """The study's settings."""
    plan: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return plan


def read_sets(plan: Mapping[str, Any]) -> dict[str, Preferences]:
    """The preference sets by name."""
    return {name: read_preferences(DATA / one["file"]) for name, one in plan["sets"].items()}


def taught_model(
    plan: Mapping[str, Any], sets: Mapping[str, Preferences], root: Path, threads: int
) -> tuple[Path, dict[str, Any]]:
    """The folder of the taught model, and what it was taught on, with what effort."""
    rows, counts = corpus.teaching_mix(
        DATA / corpus.CORPUS, plan["teaching"]["rows"], prompt_texts(sets), plan["split_seed"]
    )
    texts = [text for one in rows for text in (one.prompt, one.response)]
    made_of = [plan["model"], file_digest(DATA / corpus.CORPUS), counts]

    def make(folder: Path) -> Mapping[str, Any]:
        step = max(1, len(texts) // plan["model"]["vocabulary_texts"])
        return {"parameters": save_untaught(folder / "model", texts[::step], plan["model"])}

    made = parts.part(root, "untaught", made_of, make)
    untaught = made / "model"
    examples, too_long = _demonstrations(rows, untaught, plan["max_tokens"])
    settings = {**plan["teaching"]["settings"], "max_tokens": plan["max_tokens"]}
    spec = {"loss": {"kind": "sft"}, "settings": settings, "seed": plan["split_seed"]}
    folder = parts.trained(root, "teach", untaught, examples, spec, threads)
    counts |= {"longer_than_max_tokens": too_long, "taught": len(examples)}
    last = parts.last_steps(folder)[-1]["loss"]
    noted = parts.notes_of(made) | parts.notes_of(folder)
    return folder / "model", {"rows": counts, "last_loss": last, **noted}


def _demonstrations(
    rows: Iterable[corpus.Taught], model: Path, max_tokens: int
) -> tuple[pa.Table, int]:
    """Examples of the rows that fit, and how many do not."""
    tokenizer = load_tokenizer(model)
    examples = [
        response_example(
            example_id=str(number),
            prompt_id=str(number),
            prompt_ids=render(tokenizer, corpus.messages_of(row)),
            response_ids=response_ids(tokenizer, row.response, finished=True),
        )
        for number, row in enumerate(rows)
    ]
    fitting = [one for one in examples if len(one.prompt_ids) + len(one.chosen_ids) <= max_tokens]
    return to_table(TrainingExample, fitting), len(examples) - len(fitting)


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


def reference_scores(
    one: PreparedSet, model: Path, plan: Mapping[str, Any], root: Path, seeds: Iterable[int]
) -> tuple[Path, dict[str, list[float]]]:
    """Token log-probabilities, under the taught model, of all responses that are used anywhere."""
    pairs = [pair for seed in seeds for pair in training_pairs(one, plan, seed)]
    for part in ("dev", "held_out"):
        pairs += measured_pairs(one, part, plan)[0]
    return parts.scored(root, f"reference-{one.name}", model, score_rows(one, pairs), threads=1)


def score_rows(one: PreparedSet, pairs: Iterable[Pair]) -> pa.Table:
    """The distinct responses of `pairs` as the rows of a scoring job."""
    used = {(p.prompt_id, side) for p in pairs for side in (p.chosen_id, p.rejected_id)}
    columns = {
        "response_id": [side for _, side in sorted(used)],
        "prompt_ids": [one.ids.prompts[prompt] for prompt, _ in sorted(used)],
        "response_ids": [one.ids.responses[side] for _, side in sorted(used)],
    }
    return pa.Table.from_pydict(columns, schema=SCORE_ROWS)


def train_and_score(
    one: PreparedSet,
    trial: Trial,
    part: str,
    model: Path,
    reference: Logps,
    plan: Mapping[str, Any],
    root: Path,
) -> tuple[Logps, Path, Path]:
    """Log-probabilities of the measured pairs of `part` under the trained policy.

    Also the parts that trained and that scored it.
    """
    name = f"{one.name}-{trial.loss}-{trial.learning_rate:g}-{trial.seed}"
    examples = preference_examples(one, training_pairs(one, plan, trial.seed), reference, model)
    spec = {
        "loss": plan["losses"][trial.loss],
        "seed": trial.seed,
        "expect_reference": True,
        "reference": weights_digest(model),
        "settings": {
            **plan["training"],
            "learning_rate": trial.learning_rate,
            "epochs": one.settings["epochs"],
            "max_tokens": plan["max_tokens"],
        },
    }
    folder = parts.trained(root, name, model, examples, spec, threads=1)
    rows = score_rows(one, measured_pairs(one, part, plan)[0])
    measured, logps = parts.scored(root, f"{name}-{part}", folder / "model", rows, threads=1)
    return logps, folder, measured


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
    return to_table(TrainingExample, pair_examples(records, one.ids, scores, {}).examples)


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
