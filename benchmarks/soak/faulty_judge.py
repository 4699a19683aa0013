"""`python -m benchmarks.soak.faulty_judge`: judge behind a server where 30 % of the calls go wrong.

A server in its own process answers with 429, 500, 503, timeouts, closed connections, cut bodies and
streams, completions without choices, refusals, replies cut at their limit and forty kinds of
malformed verdict. It knows the right verdict of every question and writes down what it did. No
verdict may differ from the right one, and whatever is lost must be counted with its reason.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.measurement import write_result
from benchmarks.soak.sampling import place_in
from benchmarks.soak.watched import wait
from infra.place import counts_of, open_stage, records_of, side_of
from tasks.judge import judge_with
from tasks.prompts import prompt_of
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.sources import Row
from tasks.spending import Terms
from tasks.tables import content, to_table
from tasks.variants import load_variant
from tests.infra.faulty_judge import MALFORMED, Plan
from tests.opinion_makers import response

CONCURRENCY = 64
MODEL = "org/faulty"
PRICE = (0.15, 0.6)
STARTS = 4
"""A call may fail more often than it is tried: then the stage is started again."""
LOST_CONNECTIONS = ("closed", "cut", "cut_stream")
"""Faults that the client cannot tell apart."""


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What is done."""

    calls: int
    """Questions: two for each prompt, one in each order."""
    share: float
    """Of the attempts that go wrong."""
    seed: int
    timeout_seconds: float = 5.0
    """After which the client gives an answer up."""


def soak(folder: Path, given: Soak) -> dict[str, Any]:
    """Judge everything; the accounts."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    place = replace(place_in(folder, given.seed), terms=Terms(prices={MODEL: PRICE}))
    with serving(folder, given) as url:
        artifact, starts = _judged(place, url, given)
    seconds = round(time.monotonic() - started, 1)
    return {**accounts(folder, place, artifact, given), "starts": starts, "seconds": seconds}


@contextmanager
def serving(folder: Path, given: Soak) -> Iterator[str]:
    """The server in its own process."""
    plan = {
        "seed": given.seed,
        "share": given.share,
        "timeout_seconds": 1.5 * given.timeout_seconds,
    }
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with (folder / "log.txt").open("ab") as log:
        command = [sys.executable, "-m", "tests.infra.faulty_judge", str(folder)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = folder / "url"
        if not wait(url.exists, lambda: process.poll() is not None, 120):
            raise RuntimeError(f"the server did not start; see {folder}/log.txt")
        yield url.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


def _judged(place: Place, url: str, given: Soak) -> tuple[Artifact, int]:
    """The stage's artifact, and how many starts it took."""
    prompts = [prompt_of(Row(f"row {n}", {"prompt": f"Say {n}."})) for n in range(given.calls // 2)]
    answers = [
        response(f"{one}-{n:06}", f"{one} {n}", prompt_id=prompt.prompt_id, cell=one)
        for n, prompt in enumerate(prompts)
        for one in ("large", "small")
    ]
    judge = load_variant(
        "tasks.judges", "pairwise", model=MODEL, base_url=url, max_tokens=50,
        concurrency=CONCURRENCY, timeout_seconds=given.timeout_seconds,
    )  # fmt: skip
    stages = [_committed(place, Prompt, prompts), _committed(place, Response, answers)]
    for start in range(1, 1 + STARTS):
        try:
            return _door(place, judge, *stages), start
        except ConnectionError as error:
            print(f"start {start}: {error}")
    raise RuntimeError(f"judging fails by itself after {STARTS} starts")


def _door(place: Place, judge: Any, prompts: Artifact, responses: Artifact) -> Artifact:
    done: Artifact = judge_with.fn(
        name="main · train",
        prompts=prompts,
        responses=[responses],
        judge=judge,
        comparisons=load_variant("tasks.comparison_rules", "all"),
        place=place,
    )
    return done


def _committed(place: Place, record: type, rows: list[Any]) -> Artifact:
    table = to_table(record, rows)
    inputs = {"rows": content(record, table)}
    stage = open_stage(place, "test", settings=record.__name__, inputs=inputs, semantics=1)
    return stage.commit(tables={"rows": (record, table)})


def accounts(folder: Path, place: Place, artifact: Artifact, given: Soak) -> dict[str, Any]:
    """Where every call belongs, and what became of every question."""
    lines = (folder / "received.jsonl").read_text(encoding="utf-8").splitlines()
    received = [json.loads(line) for line in lines]
    found = records_of(place, Verdict, artifact)
    counts, usage = counts_of(place, artifact), side_of(place, artifact)
    last = {one["question"]: one["fault"] for one in received}
    faults = Counter(one["fault"] for one in received)
    labels = Counter(_label(one) for one in found)
    answered = Counter(last.values())
    plan = Plan(seed=given.seed, share=given.share, timeout_seconds=0)
    said = {plan.malformed(question) for question, fault in last.items() if fault == "malformed"}
    return {
        "calls_needed": given.calls,
        "calls_received": len(received),
        "faults": dict(sorted(faults.items())),
        "kinds_of_malformed_verdict": len(said),
        "verdicts": len(found),
        "right": labels["right"],
        "wrong": labels["wrong"],
        "unparsed": labels["unparsed"],
        "counts": counts,
        "failed_attempts": usage["failed_attempts"],
        "unexplained": unexplained(answered, faults, counts, usage),
        "cost_usd": usage["cost_usd"],
    }


def _label(verdict: Verdict) -> str:
    """Whether the verdict is the right one; ids tell which response is which."""
    if verdict.outcome == "unparsed":
        return "unparsed"
    number = int(verdict.a_id.partition("-")[2])
    right = ("a", "b", "tie")[number % 3]  # a is large, b is small
    return "right" if verdict.outcome == right else "wrong"


def unexplained(
    answered: Counter[str], faults: Counter[str], counts: dict[str, int], usage: dict[str, Any]
) -> dict[str, int]:
    """How far each count of ours is from what the server did; nothing is left out if all are 0.

    An answer that came too late is a timeout here and none there: those are added up.
    """
    failed = Counter(usage["failed_attempts"])
    content = sum(answered[kind] for kind in ("malformed", "refusal", "cut_at_length", "no_choice"))
    connections = sum(faults[kind] for kind in LOST_CONNECTIONS)
    late = failed["timeout"] - faults["timeout"]
    # An answer without text counts as unparsed whatever was wrong with it.
    return {
        "unparsed": counts.get("unparsed", 0) - content,
        "refusals": counts.get("reply_refusal", 0) - answered["refusal"],
        "cut_at_length": counts.get("reply_length", 0) - answered["cut_at_length"],
        "no_choice": counts.get("reply_malformed", 0) - answered["no_choice"],
        **{kind: failed[kind] - faults[kind] for kind in ("429", "500", "503")},
        "connections": failed["connection"] + failed["cut"] - connections,
        "late": min(0, late),
        "attempts": failed.total() + usage["calls"] - sum(faults.values()),
        "answers": usage["calls"] + counts.get("reply_malformed", 0) - sum(answered.values()),
    }


def is_exact(result: dict[str, Any]) -> bool:
    """Whether no label is wrong and every loss has its reason."""
    whole = result["verdicts"] == result["calls_needed"] == result["right"] + result["unparsed"]
    return whole and not result["wrong"] and not any(result["unexplained"].values())


def main() -> int:
    """Soak, write benchmarks/results/faulty_judge.json; 1 unless the accounts are exact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout-seconds", type=float, default=5.0)
    given = Soak(**vars(parser.parse_args()))
    folder = Path("work/soak").absolute() / "faulty-judge"
    os.environ["TSO_WORK"] = str(folder / "work")
    metrics = soak(folder, given)
    assert len(MALFORMED) == 40
    print(json.dumps(metrics, indent=1), write_result("faulty_judge", metrics), sep="\n")
    return int(not is_exact(metrics))


if __name__ == "__main__":
    sys.exit(main())
