"""`python -m benchmarks.sampling_throughput`: our doors against a bare client on one vLLM server.

A real server with a tiny model is started once and is warm. Sides alternate; each repetition has
prompts of its own, so neither finds its prompts in the server's cache. The bare client sends the
same requests, ready-made, at the concurrency that was fastest for it, and throws the answers away;
the doors render, sample, journal, commit and verify.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measurement import write_result
from benchmarks.sampling_throughput.bare import best_width, seconds_of
from benchmarks.sampling_throughput.world import NEW_TOKENS, SERVER, World, responses_to
from infra.vllm.server import Server
from infra.vllm.shared import shared_server
from tasks.comparison_rules.all import All
from tasks.judge import judge_with
from tasks.records import Prompt
from tasks.sample import sample_cell
from tasks.seeds import seed_of
from tasks.tokens import load_tokenizer, render, stop_ids

CALIBRATION = 0.1
"""Share of the work on which the bare client's best concurrency is found."""


class Sides:
    """The ways to do the same work on `server`."""

    def __init__(self, world: World, server: Server) -> None:
        self.world = world
        self.server = server
        self.tokenizer = load_tokenizer(world.model)

    def sample_by_door(self, name: str, count: int) -> float:
        world = self.world
        prompts, place, cell = world.committed(world.prompts(name, count)), world.place, world.cell
        started = time.monotonic()
        artifact = sample_cell.fn(name="p", prompts=prompts, cell=cell, role="train", place=place)
        seconds = time.monotonic() - started
        assert artifact.rows == count * world.samples, artifact
        return seconds

    def sample_bare(self, name: str, count: int, width: int) -> float:
        bodies = [self._sampling(prompt) for prompt in self.world.prompts(name, count)]
        return seconds_of(self.server.base_url, bodies, "completions", width)

    def judge_by_door(self, name: str, count: int, width: int) -> float:
        world = self.world
        prompts = world.prompts(name, count)
        judge, place = world.judge(width), world.place
        asked, answers = world.committed(prompts), world.answered(prompts)
        started = time.monotonic()
        artifact = judge_with.fn(
            name="main · train", prompts=asked, responses=[answers], judge=judge,
            comparisons=All(), place=place,
        )  # fmt: skip
        seconds = time.monotonic() - started
        assert artifact.rows == count, artifact
        return seconds

    def judge_bare(self, name: str, count: int, width: int) -> float:
        prompts = self.world.prompts(name, count)
        bodies = [self._question(prompt, width) for prompt in prompts]
        return seconds_of(self.server.base_url, bodies, "chat", width)

    def _sampling(self, prompt: Prompt) -> dict[str, Any]:
        exact = {
            "return_token_ids": True,
            "ignore_eos": True,
            "stop_token_ids": stop_ids(self.tokenizer),
        }
        return {
            "model": self.server.name,
            "prompt": render(self.tokenizer, prompt.messages),
            "n": self.world.samples,
            "max_tokens": NEW_TOKENS,
            "temperature": 1.0,
            "top_p": 1.0,
            "seed": seed_of(1, "bare", prompt.prompt_id) % 2**31,
            "extra_body": exact,
        }

    def _question(self, prompt: Prompt, width: int) -> dict[str, Any]:
        first, second = responses_to([prompt])
        judge = self.world.judge(width)
        return {
            "model": self.server.name,
            "messages": judge.render(prompt, first.text, second.text),
            "max_tokens": NEW_TOKENS,
            "temperature": 0.0,
        }


def compared(
    what: str, repetitions: int, door: Callable[[str], float], bare: Callable[[str], float]
) -> dict[str, Any]:
    """Seconds of both sides, who goes first alternating, and the ratio of the medians."""
    seconds: dict[str, list[float]] = {"door": [], "bare": []}
    for repetition in range(repetitions):
        order = [("door", door), ("bare", bare)]
        for side, run in order if repetition % 2 == 0 else reversed(order):
            seconds[side].append(run(f"{what} {repetition} {side}"))
            print(what, repetition, side, round(seconds[side][-1], 2), flush=True)
    return {
        "seconds": {side: [round(one, 3) for one in all_] for side, all_ in seconds.items()},
        "ratio_of_medians": round(median(seconds["door"]) / median(seconds["bare"]), 4),
        "ratios": [
            round(ours / theirs, 4)
            for ours, theirs in zip(seconds["door"], seconds["bare"], strict=True)
        ],
    }


def measured(folder: Path, prompts: int, samples: int, comparisons: int, repetitions: int) -> Any:
    """Both doors against the bare client on one warm server."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["TSO_WORK"] = str(folder / "work")
    world = World(folder=folder, samples=samples)
    with shared_server(SERVER, world.model, folder / "server") as shared:
        sides = Sides(world, shared.running())
        few, fewer = max(1, int(prompts * CALIBRATION)), max(1, int(comparisons * CALIBRATION))
        sides.sample_bare("warm", few, 64)
        sides.judge_bare("warm", fewer, 64)
        width, tried = best_width(lambda w: sides.sample_bare(f"width {w}", few, w))
        chat, asked = best_width(lambda w: sides.judge_bare(f"width {w}", fewer, w))
        print("best concurrency", width, chat, flush=True)
        sampling = compared(
            "sampling",
            repetitions,
            lambda name: sides.sample_by_door(name, prompts),
            lambda name: sides.sample_bare(name, prompts, width),
        )
        judging = compared(
            "judging",
            repetitions,
            lambda name: sides.judge_by_door(name, comparisons, chat),
            lambda name: sides.judge_bare(name, comparisons, chat),
        )
    return {
        "prompts": prompts,
        "samples": samples,
        "comparisons": comparisons,
        "new_tokens": NEW_TOKENS,
        "sampling": {**sampling, "bare_concurrency": width, "bare_seconds_by_concurrency": tried},
        "judging": {**judging, "bare_concurrency": chat, "bare_seconds_by_concurrency": asked},
    }


def main() -> int:
    """Measure, and write benchmarks/results/sampling_throughput.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--comparisons", type=int, default=4000)
    parser.add_argument("--repetitions", type=int, default=3)
    given = vars(parser.parse_args())
    metrics = measured(Path("work/sampling-throughput").absolute(), **given)
    print(metrics, write_result("sampling_throughput", metrics), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
