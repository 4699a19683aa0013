"""What every variant returns on inputs that never change: the outputs behind tests/golden.json.

One function per family; it gets a variant and returns plain data. A new kind is measured on its
family's inputs without anything to add here.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.engines._contract import Decoding, Job, Request
from tasks.aggregations._contract import Vote
from tasks.evaluation_view import EvaluationView
from tasks.pairs import PromptPreferences
from tasks.queue_reasons._contract import Evidence
from tasks.seeds import uniform_of
from tasks.sources import Row
from tasks.statistics import PairedValues
from tasks.variants import kind_of
from tasks.voices import Voice
from tests.golden_inputs import CHECKS, TEXTS, loss_inputs
from tests.golden_judges import of_judge
from tests.golden_pairs import of_estimator, of_label_rule, of_pair_filter, of_selection
from tests.golden_rounds import of_replay, of_teacher
from tests.golden_transforms import of_key_phrases, of_transform
from tests.opinion_makers import (
    candidate,
    preference,
    prompt,
    response,
    verdict,
    waves_of,
)


def of_check(check: Any) -> Any:
    """1 for each text that it accepts."""
    return "".join(str(int(check(text))) for text in TEXTS)


def _candidates(prompt_id: str = "p") -> list[Any]:
    origins = ("policy", "policy", "model", "model", "human", "recorded")
    texts = ("t1", "t2", "t3", "t1", "t5", "t6")
    return [
        candidate(f"r{i}", float(i // 2), origin=origin, text=text, prompt_id=prompt_id)
        for i, (origin, text) in enumerate(zip(origins, texts, strict=True))
    ]


def of_comparison_rule(rule: Any) -> Any:
    """The comparisons of prompts with six, two, one and no candidates, under two seeds.

    A rule that asks in waves hears that the later id is better; its waves are kept apart.
    """
    cases = [(_candidates()[:size], seed) for size in (6, 2, 1, 0) for seed in (1, 2)]
    if rule.ADAPTIVE:
        return [waves_of(rule, members, seed, lambda a_id, b_id: 1.0) for members, seed in cases]
    return [rule(members, seed) for members, seed in cases]


def of_pair_rule(rule: Any) -> Any:
    """The pairs of three prompts: all compared, some dropped, none."""
    by_prompt = {"none": PromptPreferences(preferences=[], candidates={})}
    for prompt_id, skipped in (("all", 0), ("some", 2)):
        members = {one.response_id: one for one in _candidates(prompt_id)}
        ids = sorted(members)
        every = [(a, b) for i, a in enumerate(ids) for b in ids[i + 1 :]]
        preferences = [
            preference(
                *both,
                "dropped" if skipped and number % skipped else "ab"[number % 3 == 0],
                margin=(number % 5 + 1) / 5,
                prompt_id=prompt_id,
            )
            for number, both in enumerate(every)
        ]
        scores = {one: float(number * number % 5) for number, one in enumerate(ids)}
        by_prompt[prompt_id] = PromptPreferences(
            preferences=preferences, candidates=members, scores={"estimator": scores}
        )
    return [
        [[one.prompt_id, one.chosen_id, one.rejected_id, one.margin] for one in rule(by_prompt, 3)],
        [[one.chosen_id, one.rejected_id] for one in rule(by_prompt, 4)],
    ]


def of_loss(loss: Any) -> Any:
    """Loss and metrics of four examples: equal to the reference, inside and beyond the bounds."""
    result = loss(loss_inputs(loss))
    numbers = {"loss": result.loss, **result.metrics}
    return {name: _rounded(values.tolist()) for name, values in sorted(numbers.items())}


def of_metric(metric: Any) -> Any:
    """Values of four prompts by slice, against one opponent, with verdicts of judge `main`."""
    prompts = {
        f"p{i}": prompt(*CHECKS[: i % 4], prompt_id=f"p{i}", tags=["odd"] * (i % 2))
        for i in range(4)
    }

    def answers(who: str, shift: int) -> dict[str, list[Any]]:
        return {
            name: [
                response(f"{who}{i}{k}", TEXTS[(4 * i + k + shift) % len(TEXTS)], prompt_id=name)
                for k in range(2)
            ]
            for i, name in enumerate(prompts)
        }

    own, other = answers("a", 2), answers("b", 7)
    verdicts = [
        verdict(mine.response_id, theirs.response_id, "ab"[(i + k) % 3 == 0], by=by, shown=shown)
        for i, name in enumerate(prompts)
        for k, (mine, theirs) in enumerate((m, t) for m in own[name] for t in other[name])
        for by in ("main", getattr(metric, "judge", "main"))
        for shown in "ab"
    ]
    opponents = {"sft": other, "reference": other}
    view = EvaluationView(prompts=prompts, responses=own, opponents=opponents, verdicts=verdicts)
    return _rounded(metric(view))


def of_gate(gate: Any) -> Any:
    """Outcomes where nothing changed, one slice fell, all rose, and too little was measured."""

    def slices(size: int, shift: float) -> PairedValues:
        reference = {f"p{i}": round(uniform_of("gate", i), 3) for i in range(size)}
        policy = {
            name: value + shift * (i % 3) for i, (name, value) in enumerate(reference.items())
        }
        return PairedValues(policy=policy, reference=reference)

    worlds = {
        "same": {"all": slices(60, 0.0)},
        "fell": {"all": slices(60, 0.0), "odd": slices(60, -0.3)},
        "rose": {"all": slices(60, 0.2), "odd": slices(60, 0.1)},
        "few": {"all": slices(5, -0.1)},
    }
    outcomes = {name: gate(world) for name, world in worlds.items()}
    return {name: [one.outcome, one.n_needed] for name, one in outcomes.items()}


def of_queue_reason(reason: Any) -> Any:
    """How strongly it asks where one, two or three judges say this and that."""
    said = [("a", 0.1), ("b", 0.55), ("inconsistent", 0.5), ("tie", 0.5), ("unparsed", 0.5)]
    voices = [
        Voice(f"j{number}", *one, weight=1 - number / 4)
        for number, one in enumerate(said * 2)
        if number < 8
    ]
    sceptic = getattr(reason, "judge", "implicit")
    cases = [
        Evidence(
            prior=(None, "a", "b")[place % 3],
            voices=tuple(voices[place : place + size]),
            sceptics=(Voice(sceptic, "ab"[place % 2], 0.2), Voice("another", "b", 0.9)),
            lengths=(10 + 30 * place, 40),
        )
        for place in range(6)
        for size in range(4)
    ]
    return _rounded([reason(one) for one in cases])


def of_aggregation(aggregation: Any) -> Any:
    """What four people, one of them often wrong, say together; three answers are known."""
    people = {"ann": 0.1, "bea": 0.15, "cleo": 0.2, "dan": 0.6}
    votes = [
        Vote(f"c{number:02}", name, "ab"[uniform_of("truth", number) < 0.5])
        if uniform_of(name, number) >= error
        else Vote(f"c{number:02}", name, "tie" if number % 2 else "a")
        for number in range(24)
        for name, error in people.items()
        if number % 8 or name == "ann"
    ]
    known = {f"c{number:02}": "ab"[uniform_of("truth", number) < 0.5] for number in (1, 2, 3)}
    found = aggregation(votes, known)
    return {name: [one.outcome, round(one.p_b_wins, 4)] for name, one in sorted(found.items())}


def of_evaluation_set(one: Any) -> Any:
    """The pool's rows of a set that has the columns of each published one."""
    raw = {
        **{"prompt": "Name a fruit.", "question": "What is 2 + 3?"},
        "answer": "2 + 3 = 5\n#### 5",
        "key": 7,
        "instruction_id_list": ["punctuation:no_comma", "keywords:existence"],
        "kwargs": [{}, {"keywords": ["pear"], "letter": None}],
        "tags": ["easy"],
    }
    return dict(one.row("set", Row("f:1", raw)).fields)


def of_engine(engine: Any) -> Any:
    """Samples of engines that need no model; nothing for the others."""
    if kind_of(engine) not in ("scripted", "recorded"):
        return None
    asked = ["Name a fruit.", "Name a tree."]
    requests = [
        Request(
            prompt_id=f"p{number}",
            sample_index=index,
            seed=index,
            messages=[{"role": "user", "content": text}],
            prompt_ids=None,
        )
        for number, text in enumerate(asked)
        for index in range(2)
    ]
    job = Job(
        stage="golden",
        model="",
        decoding=Decoding(temperature=1.0, top_p=1.0, max_tokens=5),
        shards={0: requests[:2], 1: requests[2:]},
        workdir=Path("unused"),
        stop_ids=[],
        item_log=None,
    )
    return [
        [index, [[one.prompt_id, one.sample_index, one.text, one.finish_reason] for one in samples]]
        for index, samples in engine.sample(job)
    ]


def recorded_file(folder: Path) -> None:
    """The file that the recorded engine's EXAMPLE names, in the working folder."""
    rows = [{"prompt": "Name a tree.", "response": text} for text in ("oak", "elm")]
    rows.append({"prompt_id": "p0", "response": "pear", "finish_reason": "length"})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "human.jsonl").write_text(text, encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


OUTPUTS: dict[str, Callable[[Any], Any]] = {
    "tasks.judges": of_judge,
    "tasks.checks": of_check,
    "tasks.comparison_rules": of_comparison_rule,
    "tasks.pair_rules": of_pair_rule,
    "tasks.label_rules": of_label_rule,
    "tasks.pair_filters": of_pair_filter,
    "tasks.selections": of_selection,
    "tasks.estimators": of_estimator,
    "tasks.transforms": of_transform,
    "tasks.key_phrases": of_key_phrases,
    "tasks.losses": of_loss,
    "tasks.metrics": of_metric,
    "tasks.gates": of_gate,
    "tasks.queue_reasons": of_queue_reason,
    "tasks.aggregations": of_aggregation,
    "tasks.evaluation_sets": of_evaluation_set,
    "tasks.replays": of_replay,
    "tasks.teachers": of_teacher,
    "infra.engines": of_engine,
}
"""The families, and what is measured of their variants."""
