"""A round that never happened: some 600 prompts, made up from a seed, for tests and for looking."""

import itertools
import math
import random
from collections import Counter
from typing import Any

from example_feedback import measured
from example_measurements import (
    GATE,
    counts_of,
    evaluation,
    evidence,
    lineage,
    moved,
    steps,
)

from tasks.bradley_terry import votes_of
from tasks.canonical import digest, short_id
from tasks.diagnosis import diagnose
from tasks.matches import matches_of, pair_cells, pairs_between
from tasks.records import Preference, PreferencePair, Prompt, Response, Verdict
from tasks.report import RoundData
from tasks.report.tally import RangeRows
from tasks.tables import grouped

CELLS: list[dict[str, Any]] = [
    {
        "name": name,
        "engine": engine,
        "model": model,
        "strength": strength,
        "samples": samples,
        "temperature": temperature,
    }
    for name, engine, model, strength, samples, temperature in (
        ("human", "recorded", None, 9, 1, None),
        ("large", "openai", "org/large", 3, 1, 0.7),
        ("policy", "vllm", "policy", 2, 2, 1.0),
        ("small", "transformers", "models/small", 1, 1, 1.0),
    )
]
_STRENGTH = {cell["name"]: cell["strength"] for cell in CELLS}
_TIDE = (
    "the tide comes in twice a day because the moon pulls on the sea and the earth turns under it "
    "so a harbour that is dry at breakfast may float a ferry by noon and boats are tied loosely"
)
_WORDS = _TIDE.split()
_TOPICS = ("tides", "bread", "bicycles", "bees", "bridges", "letters", "trains", "wells", "maps")
_FORMS = ("three bullet points", "one sentence", "a short poem", "at most forty words", "a recipe")
CHECKPOINTS = {digest(name): name for name in ("policy", "reference", "sft")}


def example_round(seed: int = 0, num_prompts: int = 600) -> RoundData:
    """A promoted round 3 with every table filled."""
    random_ = random.Random(seed)
    prompts = [_prompt(random_, number) for number in range(num_prompts)]
    responses = [row for prompt in prompts for row in _responses(random_, prompt)]
    verdicts, preferences = _opinions(random_, responses)
    pairs = _pairs(preferences)
    cells = {row.response_id: row.cell for row in responses}
    reports = evaluation(random_)
    quality = measured(responses, verdicts, _STRENGTH)
    rows = RangeRows(
        prompts=prompts,
        responses=responses,
        verdicts=verdicts,
        preferences=preferences,
        pairs=pairs[: -len(pairs) // 12],
        diversity=quality.pop("prompt_diversity"),
    )
    return RoundData(
        run="harbour-2b",
        round_index=3,
        ranges=[rows],
        counts=counts_of(num_prompts, len(pairs)),
        steps=(made := steps(random_, 120)),
        findings=diagnose(evidence(made)),
        evaluation=reports,
        names=dict(CHECKPOINTS),
        movements=moved(random_, prompts[:40], [_text(random_, 24) for _ in range(80)]),
        gate=GATE,
        cells=CELLS,
        parts=[
            ("loss", "dual_clip_dpo (beta 0.1, chosen_ceiling 2.0, rejected_floor -2.0)"),
            ("judge main", "pairwise (model org/judge, temperature 0.0)"),
            ("gate", "not_worse (margin 0.03)"),
        ],
        lineage=lineage(),
        matches=matches_of(Counter(votes_of(verdicts, cells))),
        pair_cells=pair_cells(pairs_between(pairs, cells)),
        **quality,
    )


def _text(random_: random.Random, words: int) -> str:
    start = random_.randrange(len(_WORDS))
    chosen = [_WORDS[(start + i) % len(_WORDS)] for i in range(words)]
    return " ".join(chosen).capitalize() + "."


def _prompt(random_: random.Random, number: int) -> Prompt:
    form = random_.choice(_FORMS)
    text = f"Explain {random_.choice(_TOPICS)} to somebody new, in {form}. (No. {number})"
    messages = [{"role": "user", "content": text}]
    if number % 9 == 0:
        messages.insert(0, {"role": "system", "content": "Be brief and friendly."})
    return Prompt(
        prompt_id=short_id(text),
        messages=messages,
        source="pool",
        source_id=str(number),
        split="train",
        group_id=short_id("group", number),
        tags=[form.split()[-1]],
        checks=[],
    )


def _responses(random_: random.Random, prompt: Prompt) -> list[Response]:
    rows = []
    for cell in CELLS:
        if cell["name"] == "human" and random_.random() > 0.1:
            continue
        for index in range(cell["samples"]):
            words = max(4, int(random_.gauss(22 + 4 * cell["strength"], 8)))
            text = _text(random_, words)
            rows.append(
                Response(
                    response_id=short_id(prompt.prompt_id, cell["name"], index, text),
                    prompt_id=prompt.prompt_id,
                    text=text,
                    origin={"human": "human", "policy": "policy"}.get(cell["name"], "model"),
                    cell=cell["name"],
                    generator=digest(cell["name"]),
                    sample_index=index,
                    seed=None,
                    finish_reason="length" if random_.random() < 0.02 else "stop",
                    token_ids=None,
                    tokenizer=None,
                    template=None,
                )
            )
    return rows


def _opinions(
    random_: random.Random, responses: list[Response]
) -> tuple[list[Verdict], list[Preference]]:
    verdicts: list[Verdict] = []
    preferences = []
    for rows in grouped(responses).values():
        for a, b in itertools.combinations(sorted(rows, key=lambda row: row.response_id), 2):
            said = _said(random_, a, b)
            verdicts += said
            preferences.append(_preference(said, a, b))
    return verdicts, preferences


def _said(random_: random.Random, a: Response, b: Response) -> list[Verdict]:
    lead = _STRENGTH[b.cell] - _STRENGTH[a.cell]
    said = []
    if lead:
        said.append(verdict(a, b, "prior", "b" if lead > 0 else "a"))
    if random_.random() < 0.6:
        truth = random_.random() < 1 / (1 + math.exp(-0.8 * lead))
        for first in ("a", "b"):
            noisy = truth if random_.random() < 0.92 else first == "b"
            said.append(verdict(a, b, "judge", "b" if noisy else "a", first))
        if random_.random() < 0.08:
            human = truth if random_.random() < 0.85 else not truth
            said.append(verdict(a, b, "human", "b" if human else "a"))
    return said


def verdict(a: Response, b: Response, kind: str, outcome: str, first: str = "unknown") -> Verdict:
    """One opinion on two responses."""
    return Verdict(
        prompt_id=a.prompt_id,
        a_id=a.response_id,
        b_id=b.response_id,
        annotator={"judge": "main", "human": "ada"}.get(kind, kind),
        annotator_kind=kind,
        annotator_version="",
        criterion="overall",
        replicate=0,
        first_shown=first,
        outcome=outcome,
        p_b_wins=None,
        score=None,
        scale=None,
        strength=None,
        reply="Verdict: A" if kind == "judge" else None,
        session=None,
        duration_seconds=None,
        cost_usd=0.0004 if kind == "judge" else None,
    )


def _preference(said: list[Verdict], a: Response, b: Response) -> Preference:
    by_kind = {
        kind: [row.outcome for row in said if row.annotator_kind == kind]
        for kind in ("prior", "judge", "human")
    }
    prior, judge, human = by_kind.values()
    decided_by, outcome, reason = "none", "dropped", "uncompared"
    if human:
        decided_by, outcome, reason = "human", human[0], "human"
    elif judge and len(set(judge)) > 1:
        reason = "inconsistent"
    elif judge and prior not in ([], judge[:1]) and "human" in (a.cell, b.cell):
        reason = "protected_human"
    elif judge:
        decided_by, outcome = "judge", judge[0]
        reason = "no_prior" if not prior else "kept" if prior == judge[:1] else "swapped"
    elif prior:
        decided_by, outcome, reason = "prior", prior[0], "prior"
    against = {"a": "b", "b": "a"}.get(outcome)
    overruled = sorted({row.annotator for row in said if row.outcome == against})
    p = {"a": 0.1, "b": 0.9}.get(outcome, 0.5)
    return Preference(
        prompt_id=a.prompt_id,
        a_id=a.response_id,
        b_id=b.response_id,
        p_b_wins=p,
        outcome=outcome,
        margin=abs(2 * p - 1),
        decided_by=decided_by,
        overruled=overruled,
        reason=reason,
    )


def _pairs(preferences: list[Preference]) -> list[PreferencePair]:
    decided = grouped(row for row in preferences if row.outcome != "dropped")
    return [_pair(row) for rows in decided.values() for row in rows[:3]]


def _pair(row: Preference) -> PreferencePair:
    sides = (row.b_id, row.a_id) if row.outcome == "b" else (row.a_id, row.b_id)
    return PreferencePair(
        pair_id=short_id(row.prompt_id, *sides, "policy_first"),
        prompt_id=row.prompt_id,
        chosen_id=sides[0],
        rejected_id=sides[1],
        p_chosen=0.9,
        margin=0.8,
        weight=1 / 3,
        rule="policy_first",
    )
