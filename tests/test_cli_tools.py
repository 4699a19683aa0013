"""`tso check`, dry runs of begun rounds, forks by command, and what the shell completes."""

import os
import sys

import pytest
from typer.testing import CliRunner

from flows.cli.app import app, run_app
from flows.cli.check import UNSEEN
from flows.cli.completion import presets
from infra.run_tree import RunTree
from tasks.config import plain_config
from tasks.errors import ConfigError
from tasks.rounds import resolve
from tests.made_runs import made_run
from tests.whole_runs import nothing_was_done, small_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return small_world(tmp_path_factory.mktemp("tools"))


def tso(*arguments, **environment):
    """(exit code, lines) of a command."""
    given = [*map(str, arguments)]
    done = CliRunner().invoke(app, given, catch_exceptions=False, env=environment)
    return done.exit_code, done.output.splitlines()


def refused(monkeypatch, capsys, *arguments):
    """(exit code, what stands on stderr) of a command that ends badly."""
    monkeypatch.setattr(sys, "argv", ["tso", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run_app()
    return ended.value.code, capsys.readouterr().err


def test_a_check_has_a_line_for_each_thing(world):
    code, lines = tso("check", world.preset)
    assert code == 0 and lines[-1] == f"{world.preset} is ready to run"
    names = [line.partition(":")[0] for line in lines[:-1]]
    assert names == [
        *("✓ configuration", "✓ store", "✓ run.base_model"),
        *("✓ matrix.human", "✓ matrix.other", "✓ matrix.policy"),
        *("✓ training.max_tokens", "✓ judges.main"),
        *("✓ prompts", "✓ prompt lengths", "✓ cost", "✓ disk"),
    ]
    assert any("22 rows, 0 duplicates: train 16, dev 0, held_out 6, sealed 0" in x for x in lines)
    assert nothing_was_done() and world.store.list() == []


def test_a_check_goes_on_after_a_problem_and_says_what_it_could_not_look_at(world):
    wrong = ("matrix.other.model=/no/model", "prompts.files=[/no/pool.jsonl]")
    code, lines = tso("check", world.preset, *(part for one in wrong for part in ("--set", one)))
    assert code == 2
    marked = {line.partition(":")[0]: line for line in lines}
    assert "no model folder at '/no/model'" in marked["✗ matrix.other"]
    assert "no file at '/no/pool.jsonl'" in marked["✗ prompts"]
    assert "needs prompts and matrix.other" in marked[f"{UNSEEN} prompt lengths"]
    assert "✓ matrix.policy" in marked and lines[-1].endswith("matrix.other, prompts")


def test_a_check_shows_every_mistake_of_the_configuration(world):
    wrong = ("training.epoch=2", "matrix.policy.top_p=3", "judges.main.kind=ruel")
    code, lines = tso("check", world.preset, *(part for one in wrong for part in ("--set", one)))
    text = "\n".join(lines)
    assert code == 2 and text.count("✗ configuration: ") == 3
    for said in ("training.epoch: Extra inputs", "matrix.policy.top_p", "no kind 'ruel'"):
        assert said in text


def test_a_check_counts_duplicates_and_finds_long_prompts(world, tmp_path):
    rows = world.folder.joinpath("pool.jsonl").read_text().splitlines()
    long = '{"prompt": "' + "a fox " * 300 + '", "split": "held_out"}'
    pool = tmp_path / "pool.jsonl"
    pool.write_text("\n".join([*rows, rows[0], long]))
    files = ("--set", f"prompts.files=[{pool}]", "--set", "prompts.held_out=7")
    code, lines = tso("check", world.preset, *files)
    text = "\n".join(lines)
    assert code == 2 and "✓ prompts: 24 rows, 1 duplicates: train 16, dev 0, held_out 7" in text
    assert "✗ prompt lengths: matrix.policy: prompt " in text


@pytest.fixture
def begun(world):
    """The run `begun`, in the middle of its first round."""
    tree = RunTree(world.store, "begun")
    config, _ = resolve(str(world.preset), {})
    from infra.models import local_folder
    from tasks.describe import describe

    sft = describe(local_folder(config.run.base_model))
    facts = {"base model": sft.sha256, "tokenizer": sft.tokenizer, "chat template": sft.template}
    tree.write("frozen.json", facts)
    recorded = {"config": plain_config(config), "redo": {}, "redo_by": []}
    tree.write_round(0, "config.json", recorded)
    tree.write_round(0, "stages/sample-train-other.json", {})
    yield tree
    for path in world.store.list():
        world.store.delete(path)


def dry(world, *settings):
    given = (part for one in settings for part in ("--set", one))
    return ("run", "begun", "--preset", world.preset, "--dry-run", *given)


def test_a_dry_run_of_a_begun_round_writes_nothing(world, begun):
    before = {path: begun.store.read(path) for path in begun.store.list()}
    code, lines = tso(*dry(world))
    assert code == 0 and "round 0 is begun; already done: sample-train-other" in lines
    assert {path: begun.store.read(path) for path in begun.store.list()} == before


def test_a_dry_run_refuses_other_settings_of_a_begun_round(world, begun, monkeypatch, capsys):
    code, said = refused(monkeypatch, capsys, *dry(world, "training.epochs=2"))
    assert code == 2 and "round 0 was begun with other values of training.epochs" in said
    code, lines = tso(*dry(world, "training.epochs=2", "redo=[train]"))
    assert code == 0 and "done again in round 0: train" in lines
    assert begun.read_round(0, "config.json")["redo"] == {}


@pytest.mark.parametrize("fact", ["base model", "tokenizer", "chat template"])
def test_a_dry_run_refuses_what_changed_of_the_frozen_facts(
    world, begun, fact, monkeypatch, capsys
):
    begun.write("frozen.json", {**begun.read("frozen.json"), fact: "another"})
    code, said = refused(monkeypatch, capsys, *dry(world))
    assert code == 2 and f"{fact} of run 'begun' is frozen since its first round" in said


def test_a_dry_run_refuses_other_members_of_a_split(world, begun, monkeypatch, capsys):
    begun.write("splits.json", {"dev": "x", "held_out": "x", "sealed": "x"})
    code, said = refused(monkeypatch, capsys, *dry(world))
    assert code == 2 and "the members of split 'dev' changed" in said


@pytest.fixture
def made(world, tmp_path, monkeypatch):
    tree = made_run(tmp_path, rounds=2)
    monkeypatch.setenv("TSO_STORE", tree.store.root)
    return tree


def test_a_fork_is_made_and_the_status_says_where_it_comes_from(world, made):
    code, lines = tso("fork", "made@0", "new", "--preset", world.preset)
    assert code == 0 and f"go on with: tso run new --preset {world.preset}" in lines
    code, lines = tso("status", "new", "--preset", world.preset)
    assert code == 0 and lines[0].startswith("forked from made@0 (manifest ")


@pytest.mark.parametrize("source", ["made", "made@", "@1", "made@last", "made@-1"])
def test_a_fork_needs_a_run_and_a_round(world, made, source, monkeypatch, capsys):
    arguments = ("fork", source, "new", "--preset", world.preset)
    code, said = refused(monkeypatch, capsys, *arguments)
    assert code == 2 and f"{source!r}: write RUN@ROUND" in said


def test_an_unfinished_fork_is_neither_run_nor_planned(world, made, monkeypatch, capsys):
    made.store.write("runs/half/origin.json", b'{"run": "made", "round_index": 0}')
    arguments = ("run", "half", "--preset", world.preset, "--dry-run")
    code, said = refused(monkeypatch, capsys, *arguments)
    assert code == 2 and "run 'half' is an unfinished fork of made@0; finish it with" in said


def test_status_shows_the_cells_that_will_not_answer_every_prompt(world, made):
    adapt = ("--set", "quotas.adapt=true", "--set", "matrix.human.share=0.5")
    _, lines = tso("status", "made", "--preset", world.preset, *adapt)
    # `other` was half as useful as the best cell; nothing is known of `human`
    assert "share of the next round's prompts: human 50%, other 50%" in lines


def test_a_report_of_no_round_is_refused(world, made, monkeypatch, capsys):
    code, said = refused(monkeypatch, capsys, "report", "nobody", "--preset", world.preset)
    assert code == 2 and "run 'nobody' has no committed round" in said


def test_presets_are_completed_by_name_and_by_file(tmp_path):
    (tmp_path / "mine.yaml").write_text("")
    assert presets("qui") == ["quickstart"]
    assert presets(f"{tmp_path}/m") == [f"{tmp_path}/mine.yaml"]


def completed(words, **environment):
    """What bash would be offered for the last of `words`."""
    number = str(len(words.split(" ")) - 1)
    asked = {"_TSO_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": number}
    done = CliRunner().invoke(app, [], prog_name="tso", env={**os.environ, **asked, **environment})
    return done.output.split()


def test_the_shell_completes_commands_presets_and_runs(world, made):
    assert completed("tso stat") == ["status"]
    assert completed("tso run x --preset qui") == ["quickstart"]
    assert completed("tso status ma") == ["made"]
    assert completed("tso status ma", TSO_STORE="s3://far/away") == []
    store = {"TSO_STORE": ""}
    made.store.write("x", b"")
    assert completed(f"tso status --preset {world.preset} ma", **store) == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_for_the_shell_is_shown(shell, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda *given: (shell, f"/bin/{shell}"))
    code, lines = tso("--show-completion")
    assert code == 0 and "_TSO_COMPLETE" in "\n".join(lines)


SENT = ("--set", "placement.sample={deployment: gpu-sampling, workers: 3}")


def test_a_check_names_the_command_for_a_deployment_that_is_not_there(world, monkeypatch):
    def missing(name, needs_worker):
        raise ConfigError(f"no deployment {name}; prefect --no-prompt deploy --all")

    monkeypatch.setattr("tasks.rounds_checks.look_at_deployment", missing)
    code, lines = tso("check", world.preset, *SENT)
    assert code == 2 and lines[-1].endswith("would stop a run: placement.sample")
    [line] = [one for one in lines if "tso-sample/gpu-sampling" in one]
    assert line.startswith("✗ placement.sample: no deployment") and "deploy --all" in line


def test_a_dry_run_says_where_verbs_are_done(world, monkeypatch):
    monkeypatch.setattr("tasks.rounds_checks.look_at_deployment", lambda name, needs_worker: name)
    code, lines = tso("run", "x", "--preset", world.preset, "--dry-run", *SENT)
    assert code == 0 and nothing_was_done()
    assert "placement.sample: tso-sample/gpu-sampling, shared by 3 workers" in lines
