"""Children for the tests of processes: what each does is in its spec."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tasks.child import Reporter, child_main
from tasks.errors import DataError


def work(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    for number in range(spec.get("events", 0)):
        reporter.event("progress", done=number)
    sys.stderr.write("a line for the log\n")
    getattr(sys.modules[__name__], spec["does"])(spec, reporter)
    return {"answer": 42, "cwd": os.getcwd()}


def nothing(spec: dict[str, Any], reporter: Reporter) -> None:
    pass


def bad_input(spec: dict[str, Any], reporter: Reporter) -> None:
    raise DataError("row 7 has no prompt")


def bug(spec: dict[str, Any], reporter: Reporter) -> None:
    raise KeyError("no such thing")


def host_memory(spec: dict[str, Any], reporter: Reporter) -> None:
    bytearray(1 << 60)


def torch_memory(spec: dict[str, Any], reporter: Reporter) -> None:
    import torch

    torch.empty(1 << 58)


def generation(spec: dict[str, Any], reporter: Reporter) -> None:
    import transformers.generation.candidate_generator as loaded

    assert not hasattr(loaded, "roc_curve"), "scikit-learn was loaded"


def surroundings(spec: dict[str, Any], reporter: Reporter) -> None:
    """Writes what it finds around itself."""
    ready = "transformers" in sys.modules
    generation(spec, reporter)
    found = {
        "told": os.environ["TSO_TOLD"],
        "niceness": os.nice(0),
        "ready": ready,
        "scikit_learn": bool(sys.modules.get("sklearn")),
    }
    (Path(sys.argv[1]) / "surroundings.json").write_text(json.dumps(found))


def tells_its_number(spec: dict[str, Any], reporter: Reporter) -> None:
    reporter.event("number", pid=os.getpid())
    time.sleep(60)


def dies(spec: dict[str, Any], reporter: Reporter) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def not_json(spec: dict[str, Any], reporter: Reporter) -> None:
    with reporter._path.open("a") as progress:
        progress.write("{torn\n")
    time.sleep(60)


def sleeps(spec: dict[str, Any], reporter: Reporter) -> None:
    time.sleep(60)


def beats(spec: dict[str, Any], reporter: Reporter) -> None:
    for _ in range(16):
        time.sleep(0.25)
        reporter.beat()


def swallows_the_stop(spec: dict[str, Any], reporter: Reporter) -> None:
    """SIGTERM meets a handler of everything; the next event still ends the work."""
    try:
        reporter.event("ready")
        time.sleep(60)
    except BaseException:
        reporter.event("never written twice")


def stops_at_checkpoints(spec: dict[str, Any], reporter: Reporter) -> None:
    """Steps of `step_seconds`; SIGTERM ends it after the one under way, and a checkpoint."""
    with reporter.stopping_at_checkpoints(spec["seconds"]):
        for step in range(1000):
            reporter.event("step", step=step)
            until = time.monotonic() + spec["step_seconds"]
            while time.monotonic() < until:
                time.sleep(0.05)
            if reporter.stop_asked:
                reporter.event("checkpoint", step=step)
                reporter.check_stopped()


def family(spec: dict[str, Any], reporter: Reporter) -> None:
    """Two grandchildren, one in the group and one in a session of its own; deaf to SIGTERM."""
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    command = [sys.executable, "-S", "-c", program]
    near = subprocess.Popen(command)
    far = subprocess.Popen(command, start_new_session=True)
    reporter.event("family", pids=[os.getpid(), near.pid], far=far.pid)
    time.sleep(60)


if __name__ == "__main__":
    child_main(work)()
