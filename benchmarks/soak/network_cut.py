"""`python -m benchmarks.soak.network_cut`: a worker of the live stack is cut off from the network.

The whole stack is brought up, with one worker in a network namespace of its own, which reaches the
servers over one link. The first run is undisturbed. In the others the link goes down in a training,
once a checkpoint is in the store: for so long that the flow run on that worker is taken for dead
and is done elsewhere, or again, while the cut-off attempt lives on; or only for a while. In the
end all runs must be the same, each from a store of its own. It needs root and `ip`.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from benchmarks.measurement import write_result
from benchmarks.soak.cut import FLOW, STAGE, Case, Cut
from benchmarks.soak.cut_network import CutNetwork, check_possible
from benchmarks.soak.cut_stack import CutRun, CutStack
from benchmarks.soak.stack_kills import ENDED
from benchmarks.soak.stack_run import RUN
from infra.prefect.automations import make_automations
from infra.stack.leftovers import processes_of
from infra.stack.parts import BUCKET
from infra.stack.settings import StackSettings, chosen_settings, load_settings
from infra.stack.stack import bring_up, take_down
from tests.small_run import LONGER, small_preset

ENDED_BADLY = {"Crashed", "Failed", "Cancelled", "TimedOut"}
CALM = Case(pool=STAGE, cut="none")
CASES = (
    Case(pool=STAGE, cut="long", elsewhere=True),
    Case(pool=STAGE, cut="long"),
    Case(pool=STAGE, cut="short"),
    Case(pool=FLOW, cut="long", elsewhere=True),
    Case(pool=FLOW, cut="long"),
    Case(pool=FLOW, cut="short"),
)
SAMPLING = ("matrix.policy.samples=4", "matrix.policy.max_tokens=12")
"""Little of it: the link is cut during a training."""
PLACEMENT = {"train": STAGE, "poll_seconds": 1.0}


def soak(options: argparse.Namespace) -> dict[str, Any]:
    """All runs, and what they have in common with the undisturbed one."""
    check_possible()
    folder = Path(options.folder).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "presets").mkdir(parents=True)
    small_preset(folder / "presets")
    os.environ["TSO_PRESETS"] = str(folder / "presets")
    changes = {"port": options.port, "store": "s3", "gpus": 1}
    chosen = chosen_settings(folder / "stack", Path.cwd(), changes)
    try:
        bring_up(chosen, print)
        settings = load_settings(chosen.folder)  # with the variables that its parts got
        with (
            temporary_settings({PREFECT_API_URL: settings.api}),
            CutNetwork([settings.port_of("prefect"), settings.port_of("s3")]) as network,
        ):
            make_automations(settings.api, silence_seconds=options.silence)
            found = _survived(settings, network, options)
    finally:
        take_down(chosen.folder, print)
    named = {name: getattr(options, name) for name in ("silence", "short", "rounds")}
    return named | found | {"processes_left": len(processes_of(chosen.folder))}


def _survived(
    settings: StackSettings, network: CutNetwork, options: argparse.Namespace
) -> dict[str, Any]:
    """The undisturbed run, then one run for each case, compared with it."""
    calm = _done(CALM, settings, network, options)
    found = {}
    for case in CASES:
        if options.only in case.name:
            cut = _done(case, settings, network, options)
            found[case.name] = _compared(calm.run, cut)
            print(case.name, found[case.name], flush=True)
    return {"undisturbed_seconds": calm.seconds["complete"], "cases": found}


def _done(
    case: Case, settings: StackSettings, network: CutNetwork, options: argparse.Namespace
) -> Cut:
    """One run with its cut, from trigger to end."""
    stack, root = CutStack(settings, network, case.pool), f"s3://{BUCKET}/{case.name}"
    stack.furnish()
    run = CutRun(settings, root)
    cut = Cut(case, stack, run, network)
    run.trigger(_parameters(options, root))
    cut.through(options.short, options.silence)
    return cut


def _parameters(options: argparse.Namespace, root: str) -> Mapping[str, Any]:
    """What the form holds: settings of a longer training, pools, and a store of its own."""
    pairs = (one.partition("=") for one in (*LONGER, *SAMPLING))
    overrides = {key: yaml.safe_load(value) for key, _, value in pairs}
    overrides |= {f"placement.{name}": value for name, value in PLACEMENT.items()}
    overrides |= {"training.epochs": options.epochs, "storage.root": root}
    return {"run": RUN, "preset": "preset", "until": options.rounds, "overrides": overrides}


def _compared(calm: CutRun, cut: Cut) -> dict[str, Any]:
    run = cut.run
    items, histories = run.items(), run.histories()
    equal = calm.stage_manifests() == run.stage_manifests()
    return {
        "seconds_since_last": cut.seconds,
        "retries_pressed": cut.retries,
        "attempts": run.flow_run().run_count,
        "crashed": {
            f"{one.name} ({one.id.hex[:8]})": states
            for one, states in histories
            if set(states) & ENDED_BADLY
        },
        "untruthful": _untruthful(histories),
        "items": len(set(items)),
        "repeated_items": len(items) - len(set(items)),
        "repeated_after_commit": cut.redone("down"),
        "begun_after_commit_elsewhere": cut.redone("up"),
        "worker_restarts": cut.worker_restarts(),
        "equal_manifests": equal and calm.round_manifests() == run.round_manifests(),
        "damaged": run.damaged(),
        "state": run.state(),
    }


def _untruthful(histories: Sequence[tuple[Any, list[str]]]) -> list[str]:
    """Flow runs that seem to be under way, and work whose last flow run did not complete."""
    last = {one.name: one for one, _ in histories}
    under_way = [one for one, _ in histories if one.state_name not in ENDED]
    return sorted(
        f"{one.name}: {one.state_name}"
        for one in {one.id: one for one in [*under_way, *last.values()]}.values()
        if one.state_name != "Completed"
    )


def _is_wrong(case: Mapping[str, Any]) -> bool:
    return bool(
        case["repeated_after_commit"]
        or case["damaged"]
        or case["untruthful"]
        or not case["equal_manifests"]
    )


def main() -> int:
    """Soak, write benchmarks/results/network_cut.json; 1 if anything was lost, redone or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=40, help="passes of a round's training")
    parser.add_argument("--silence", type=float, default=120.0, help="seconds until taken for dead")
    parser.add_argument("--short", type=float, default=45.0, help="seconds of a short cut")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--port", type=int, default=4900)
    parser.add_argument("--folder", default="work/soak/network-cut")
    options = parser.parse_args()
    metrics = soak(options)
    print(metrics, write_result("network_cut", metrics), sep="\n")
    wrong = metrics["processes_left"] or any(map(_is_wrong, metrics["cases"].values()))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
