import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.child import (
    BAD_INPUT,
    BUG,
    OUT_OF_MEMORY,
    STOPPED,
    ItemLog,
    Reporter,
    Stopped,
    exit_code_of,
    read_spec,
    write_json,
)
from tasks.errors import ConfigError, DataError, StorageError
from tasks.memory import OutOfMemory


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), BAD_INPUT),
        (DataError("x"), BAD_INPUT),
        (MemoryError(), OUT_OF_MEMORY),
        (OutOfMemory("x"), OUT_OF_MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), OUT_OF_MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), OUT_OF_MEMORY),
        (type("OutOfMemoryError", (RuntimeError,), {})("as torch names it"), OUT_OF_MEMORY),
        (RuntimeError("shapes do not match"), BUG),
        (ValueError("out of memory is only a word here"), BUG),
        (StorageError("x"), BUG),
        (Stopped(), STOPPED),
        (KeyboardInterrupt(), STOPPED),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_unnamed_failure_of_onednn_is_want_of_memory_only_where_memory_is_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = RuntimeError("could not create a primitive")
    for limit, code in [(resource.RLIM_INFINITY, BUG), (1 << 40, OUT_OF_MEMORY)]:
        monkeypatch.setattr(resource, "getrlimit", lambda which, limit=limit: (limit, limit))
        assert exit_code_of(error) == code
        assert exit_code_of(RuntimeError("could not create a primitive descriptor")) == BUG


def test_items_of_a_batch_are_logged_in_one_append(tmp_path: Path) -> None:
    log = ItemLog(tmp_path / "items.jsonl", "score")
    log.starting(["a", "b"])
    log.starting(["c"])
    lines = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert lines == [{"stage": "score", "pid": os.getpid(), "item": item} for item in "abc"]


def test_no_item_log_is_no_file(tmp_path: Path) -> None:
    ItemLog(None, "score").starting(["a"])
    assert not list(tmp_path.iterdir())


def test_events_are_there_line_by_line_at_once(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path)
    reporter.event("step", step=1, loss=0.5)
    assert (tmp_path / "progress.jsonl").read_text() == (
        '{"event": "step", "step": 1, "loss": 0.5}\n'
    )


def test_a_beat_changes_the_time_but_not_the_file(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path)
    os.utime(tmp_path / "progress.jsonl", (1, 1))
    reporter.beat()
    assert (tmp_path / "progress.jsonl").stat().st_mtime > 1
    assert (tmp_path / "progress.jsonl").read_text() == ""


@pytest.mark.parametrize("text", ["", "[1]", "{torn"])
def test_a_spec_that_is_no_object_is_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / "spec.json").write_text(text)
    with pytest.raises(DataError, match=r"spec\.json"):
        read_spec(tmp_path)


def test_json_is_replaced_as_a_whole_and_leaves_no_other_file(tmp_path: Path) -> None:
    write_json(tmp_path / "result.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "result.json", {"a": object()})
    assert json.loads((tmp_path / "result.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_protocol_needs_the_standard_library_alone() -> None:
    code = "import tasks.child, infra.processes, sys; print(len(sys.modules))"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-S", "-c", code], cwd=root, check=True)


def test_a_child_without_workdir_says_how_it_is_called() -> None:
    code = "from tasks.child import child_main; child_main(lambda *_: {})()"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=root, capture_output=True)
    assert done.returncode == BAD_INPUT
    assert b"usage: python -m MODULE WORKDIR" in done.stderr
