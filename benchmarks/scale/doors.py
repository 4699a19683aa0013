"""One door of a round in a process of its own: what it takes, and what it leaves for the next.

`python -m benchmarks.scale.doors FOLDER DOOR` reads FOLDER/state.json, runs the door inside a flow,
and writes state.json with what the door returned, its seconds and the process's peak memory.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from pydantic import TypeAdapter

from benchmarks.scale.world import PRESET
from flows.tso import measure
from tasks.annotate import annotate, assess
from tasks.collect import collect, foresee
from tasks.config import Config
from tasks.judge import judge
from tasks.pair import pair
from tasks.records import Artifact, Collected, Evaluated, Feedback, Place, RoundWork, Trained
from tasks.refresh import refresh
from tasks.rounds import first_place, resolve
from tasks.sample import resolve_matrix, sample
from tasks.score import resolve_references, score
from tasks.train import train

STATE = "state.json"


@dataclass(kw_only=True)
class State:
    """What the doors of a round have returned so far, and what each of them took."""

    prompts: Collected | None = None
    responses: list[Artifact] = field(default_factory=list)
    verdicts: list[Artifact] = field(default_factory=list)
    feedback: Feedback | None = None
    pairs: Artifact | None = None
    scores: list[Artifact] = field(default_factory=list)
    trained: Trained | None = None
    held_out: Artifact | None = None
    report: Evaluated | None = None
    took: dict[str, dict[str, float]] = field(default_factory=dict)


_STATES = TypeAdapter(State)


def read_state(folder: Path) -> State:
    """What is there after an earlier door; nothing at the start."""
    path = folder / STATE
    return _STATES.validate_json(path.read_bytes()) if path.exists() else State()


def write_state(folder: Path, state: State) -> None:
    """Keep `state` as a whole or not at all."""
    made = folder / f"{STATE}.part"
    made.write_bytes(_STATES.dump_json(state, indent=1))
    made.replace(folder / STATE)


def _collect(config: Config, place: Place, state: State) -> None:
    state.prompts = collect(config.prompts, place)
    foresee(config, state.prompts, place)


def _sample(config: Config, place: Place, state: State) -> None:
    cells = resolve_matrix(config.matrix, state.prompts, place)
    state.responses = sample(state.prompts.train, cells, "train", place)


def _judge(config: Config, place: Place, state: State) -> None:
    given = (state.prompts.train, state.responses, config.judges, config.comparisons)
    state.verdicts = judge(*given, "train", place)


def _annotate(config: Config, place: Place, state: State) -> None:
    seen = (state.prompts.train, state.responses, state.verdicts)
    state.feedback = annotate(*seen, config.annotate, config.comparisons, place)


def _assess(config: Config, place: Place, state: State) -> None:
    assess(state.feedback, config, place)


def _pair(config: Config, place: Place, state: State) -> None:
    given = (state.prompts.train, state.feedback, config.correction, config.pairs)
    state.pairs = pair(*given, place)


def _score(config: Config, place: Place, state: State) -> None:
    given = (state.prompts.train, state.feedback.responses, state.pairs)
    state.scores = [
        score(role, *given, one, config.training, place)
        for role, one in resolve_references(config.training, place).items()
    ]


def _train(config: Config, place: Place, state: State) -> None:
    given = (state.prompts.train, state.feedback, state.pairs, state.scores)
    state.trained = train(*given, config.training, config.pairs.filters, place)
    answered = (state.prompts.train, state.feedback.responses, state.pairs)
    state.held_out = score("policy", *answered, state.trained.policy, config.training, place)


def _evaluate(config: Config, place: Place, state: State) -> None:
    scores = [state.scores[0], state.held_out]
    given = (state.prompts.evaluation, state.pairs, scores, state.trained.policy)
    state.report = measure(*given, config, place)


def _refresh(config: Config, place: Place, state: State) -> None:
    work = RoundWork(
        prompts=state.prompts,
        feedback=state.feedback,
        pairs=state.pairs,
        trained=state.trained,
        report=state.report,
    )
    refresh(work, config, place)


DOORS: dict[str, Callable[[Config, Place, State], None]] = {
    "collect": _collect,
    "sample": _sample,
    "judge": _judge,
    "annotate": _annotate,
    "assess": _assess,
    "pair": _pair,
    "score": _score,
    "train": _train,
    "evaluate": _evaluate,
    "refresh": _refresh,
}
"""In the order of a round; `assess` belongs to annotate, and is shown apart."""


def peak_bytes() -> int:
    """The most memory that this process has held (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    [line] = [one for one in lines if one.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def run_door(folder: Path, name: str) -> None:
    """Run the door inside a flow and note what it took."""
    config, _ = resolve(str(folder / PRESET), {})
    place, state = first_place(config), read_state(folder)

    @flow(name=f"scale-{name}", persist_result=False)
    def one_door() -> None:
        DOORS[name](config, place, state)

    before, started = peak_bytes(), time.monotonic()
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # as `local_api` does
        one_door()
    state.took[name] = {
        "seconds": round(time.monotonic() - started, 2),
        "peak_bytes": peak_bytes(),
        "bytes_at_start": before,
        "largest_child_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
    }
    write_state(folder, state)


if __name__ == "__main__":
    run_door(Path(sys.argv[1]), sys.argv[2])
    sys.stdout.write(json.dumps(read_state(Path(sys.argv[1])).took[sys.argv[2]]) + "\n")
