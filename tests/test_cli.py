"""The command line: what it prints, what it refuses, and the code it exits with."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from flows.cli import exit_codes
from flows.cli.app import app, overrides_of, run_app
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.errors import (
    BudgetError,
    ChildError,
    ConfigError,
    ConflictError,
    DataError,
    HeldError,
    StorageError,
)
from tests.sources import ROOT
from tests.whole_runs import nothing_was_done, small_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return small_world(tmp_path_factory.mktemp("cli"))


def tso(*arguments):
    """(exit code, output) of a command that ends well."""
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    return done.exit_code, " ".join(done.output.split())


def refused(monkeypatch, capsys, *arguments):
    """(exit code, what stands on stderr) of a command that ends badly."""
    monkeypatch.setattr(sys, "argv", ["tso", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run_app()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (DataError("x"), 2),
        (ConflictError("x"), 2),
        (HeldError("x"), 3),
        (StorageError("x"), 4),
        (ChildError("x", 4), 5),
        (ChildError("x", 137), 5),
        (ChildError("its input is wrong", 2), 2),
        (BudgetError("x"), 6),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error, code):
    assert exit_codes.exit_code_of(error) == code


def test_values_of_settings_are_read_as_yaml():
    given = ["training.epochs=2", "redo=[train, evaluate]", "a.b=", "matrix.x.system=Be: brief"]
    with pytest.raises(ConfigError, match=r"'Be: brief'|not YAML"):
        overrides_of(["x=[1"])
    assert overrides_of(given[:3]) == {
        "training.epochs": 2,
        "redo": ["train", "evaluate"],
        "a.b": None,
    }
    assert overrides_of(["x=1=2"]) == {"x": "1=2"}


@pytest.mark.parametrize("setting", ["training.epochs", "=2", ""])
def test_a_setting_without_key_or_value_says_how_to_write_it(setting):
    with pytest.raises(ConfigError, match=f"--set {setting!r}: write key=value"):
        overrides_of([setting])


def test_help_names_the_commands():
    code, shown = tso("--help")
    assert code == 0 and "run" in shown and "status" in shown
    code, shown = tso("run", "--help")
    assert code == 0 and "--dry-run" in shown and "--until" in shown and "--set" in shown


def test_a_dry_run_prints_the_plan_and_does_nothing(world):
    code, shown = tso("run", "plan", "--preset", world.preset, "--until", 2, "--dry-run")
    assert code == 0
    assert "plan: 0 rounds are done" in shown and "to do: rounds 0 to 1" in shown
    for verb in ("collect", "sample", "judge", "pair", "score", "train", "evaluate"):
        assert f" {verb} " in shown
    assert "disk: about" in shown
    assert nothing_was_done() and world.store.list("runs") == world.store.list("stages") == []


def test_a_dry_run_prints_what_calls_cost_at_most_and_whose_price_is_not_known(world):
    endpoint = "engine: openai, model: m, base_url: 'http://127.0.0.1:9/v1', max_tokens: 100"
    plan = ("run", "plan", "--preset", world.preset, "--dry-run")
    priced = f"matrix.other={{{endpoint}, samples: 3, per_request: 2, price: [0, 1000]}}"
    code, shown = tso(*plan, "--set", priced)
    assert code == 0 and "cost: 2.40 USD a round, at most" in shown  # 8 prompts, 3 samples
    assert "paid calls" in shown and " 16 " in shown
    code, shown = tso(*plan, "--set", f"matrix.other={{{endpoint}}}")
    assert code == 0 and "cost of other: unknown, no `price` is given" in shown


def test_a_dry_run_refuses_what_the_run_would_refuse(world, monkeypatch, capsys):
    wrong = ("--set", "training.max_tokens=2048", "--dry-run")
    code, said = refused(monkeypatch, capsys, "run", "plan", "--preset", world.preset, *wrong)
    assert code == 2 and said.startswith("tso: training.max_tokens is 2048")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.epoch=2", "training.epoch: Extra inputs are not permitted (got 2)"),
        ("training.epochs=two", "training.epochs: Input should be a valid integer"),
        ("training.epochs", "--set 'training.epochs': write key=value"),
        ("redo=[tain]", "redo names ['tain']; verbs are: collect"),
    ],
)
def test_a_wrong_setting_ends_with_code_2_and_one_message(
    world, setting, said, monkeypatch, capsys
):
    arguments = ("run", "bad", "--preset", world.preset, "--set", setting)
    code, shown = refused(monkeypatch, capsys, *arguments)
    assert code == 2 and said in shown and shown.count("\n") == 1 and nothing_was_done()


def test_a_preset_that_is_not_there_is_named(monkeypatch, capsys):
    code, said = refused(monkeypatch, capsys, "run", "x", "--preset", "nowhere")
    assert code == 2 and "no preset 'nowhere'; available: quickstart" in said


def test_an_unknown_option_is_explained(monkeypatch, capsys):
    code, said = refused(monkeypatch, capsys, "run", "x", "--preset", "y", "--untill", "2")
    assert code == 2 and "--untill" in said


def test_the_store_has_its_own_exit_code(world, monkeypatch, capsys):
    arguments = ("run", "x", "--preset", world.preset, "--dry-run")
    monkeypatch.setenv("TSO_STORE", "/sys/tso")
    code, said = refused(monkeypatch, capsys, *arguments)
    assert code == 4 and "file:///sys/tso" in said


def test_a_bug_shows_where_it_is(world, monkeypatch, capsys):
    monkeypatch.setattr("flows.cli.status.show_status", lambda *given: 1 / 0)
    code, said = refused(monkeypatch, capsys, "status", "x", "--preset", world.preset)
    assert code == 1 and "ZeroDivisionError" in said and "Traceback" in said


def test_ctrl_c_has_its_own_exit_code(world, monkeypatch, capsys):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.cli.status.show_status", interrupted)
    assert refused(monkeypatch, capsys, "status", "x", "--preset", world.preset)[0] == 130


def test_the_status_of_no_run_says_how_to_begin_it(world, monkeypatch, capsys):
    code, said = refused(monkeypatch, capsys, "status", "nobody", "--preset", world.preset)
    assert code == 2 and "no run 'nobody'" in said and "`tso run nobody --preset" in said


MANIFEST = {
    "round_index": 0,
    "counts": {"collect-train": {"drawn": 8}, "pair": {"pairs": 21}},
    "policy": {"step": 2},
    "figures": {"checks": 0.625},
    "gate": {"outcome": "inconclusive"},
    "report": "file:///somewhere/report.html",
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A run with one committed round and one that was begun."""
    monkeypatch.setenv("TSO_STORE", f"file://{tmp_path}/store")
    tree = RunTree(open_store(f"file://{tmp_path}/store"), "seen")
    tree.write("frozen.json", {})
    tree.write_round(0, "manifest.json", MANIFEST)
    tree.write_round(1, "config.json", {})
    tree.write_round(1, "stages/sample-train-policy.json", {})
    return tree


def test_status_shows_the_rounds_and_what_is_unfinished(world, tree):
    code, shown = tso("status", "seen", "--preset", world.preset)
    assert code == 0
    for word in ("8", "21", "0.625", "inconclusive", "newest report: file:///somewhere/report"):
        assert word in shown
    assert "round 1 is unfinished; done so far: sample-train-policy" in shown


def test_status_says_who_holds_the_run(world, tree):
    holder = {"flow_run_id": "f-7", "pid": 41, "host": "box", "boot_id": "", "process_started": 0}
    tree.write("lease.json", {"holder": holder, "since": 0.0, "until": 1.0})
    _, shown = tso("status", "seen", "--preset", world.preset)
    assert "held by flow run f-7 (process 41 on box) since 1970-01-01T00:00:00+00:00" in shown


def test_a_run_that_is_complete_starts_no_server(world, tree, monkeypatch):
    def started(*given):
        raise AssertionError("a server was started")

    monkeypatch.setattr("flows.cli.run.local_api", started)
    code, shown = tso("run", "seen", "--preset", world.preset, "--until", 1)
    assert code == 0 and "all 1 rounds are done already; nothing to do" in shown


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["run", "x", "--until"], 2)])
def test_a_command_ends_its_process_with_its_code_after_what_was_to_be_done_at_exit(
    arguments, code
):
    program = (
        "import atexit, sys; atexit.register(print, 'done at exit');"
        f"sys.argv = ['tso', *{arguments}]; from flows.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stdout.endswith("done at exit\n")
