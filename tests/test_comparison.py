"""`tso compare`: methods as ordinary runs in one store, one table at the end."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from typer.testing import CliRunner

from flows.cli.app import app
from flows.comparison.plan import planned
from infra.processes import children
from tasks.errors import ConfigError
from tests.small_config import plain_small
from tests.whole_runs import World, items, small_world
from tests.whole_runs import children as children_of


@pytest.fixture
def small(tmp_path):
    """A preset on disk; nothing behind it is there."""
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(plain_small()), encoding="utf-8")
    return str(path)


def runs_of(plan):
    return {one.run: (one.rounds, dict(one.overrides)) for one in plan.methods}


def test_each_method_runs_once_with_each_seed_seed_after_seed(small):
    plan = planned("trial", [small, f"{small}+rpo"], [0, 7], 2, {"training.epochs": 3})
    common = {"training.epochs": 3}
    assert runs_of(plan) == {
        "trial-small-s0": (2, {**common, "run.seed": 0}),
        "trial-small-rpo-s0": (2, {**common, "run.seed": 0}),
        "trial-small-s7": (2, {**common, "run.seed": 7}),
        "trial-small-rpo-s7": (2, {**common, "run.seed": 7}),
    }


def test_a_table_calls_methods_by_their_presets_without_folders(small, tmp_path):
    def shown(*methods):
        return [one.shown for one in planned("trial", methods, [0], 1, {}).methods]

    (tmp_path / "two").mkdir()
    twin = tmp_path / "two" / "small.yaml"
    twin.write_text(yaml.safe_dump(plain_small()), encoding="utf-8")
    assert shown(small, f"{small}+rpo") == ["small", "small+rpo"]
    with pytest.raises(ConfigError, match="trial-small-s0"):
        shown(small, str(twin))


def test_all_methods_get_as_many_prompts_as_the_first(small):
    plan = planned("trial", [small, f"{small}+one_shot_dpo"], [0], 3, {"prompts.per_round": 5})
    [_, once] = plan.methods
    assert once.rounds == 1 and once.overrides["prompts.per_round"] == 15


def test_the_first_method_has_its_rounds_whatever_is_set_for_what_its_recipe_sets(small):
    micro = 64
    methods = [f"{small}+online_dpo", f"{small}+dpo"]
    plan = planned("trial", methods, [0], 3, {"prompts.per_round": 16})
    assert runs_of(plan) == {
        "trial-small-online-dpo-s0": (3, {"run.seed": 0}),
        "trial-small-dpo-s0": (3 * micro // 16, {"prompts.per_round": 16, "run.seed": 0}),
    }


def test_what_a_recipe_sets_stays_whatever_is_set_for_all(small):
    wanted = {"training.loss": {"kind": "ipo"}, "training.loss.beta": 0.2, "training.epochs": 2}
    plan = planned("trial", [small, f"{small}+rpo"], [0], 1, wanted)
    assert plan.methods[0].overrides.keys() == {*wanted, "run.seed"}
    assert plan.methods[1].overrides.keys() == {"training.epochs", "run.seed"}


def test_presets_with_stores_of_their_own_share_the_first_one_s(small, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(plain_small(storage__root="memory://elsewhere")))
    plan = planned("trial", [small, str(other)], [0], 1, {})
    assert plan.methods[1].overrides["storage"]["root"] == "memory://small"


def test_a_method_that_cannot_be_begun_stops_no_other(small):
    plan = planned("trial", [small, f"{small}+nope", f"{small}+rpo"], [0], 1, {})
    assert list(plan.refused) == ["trial-small-nope-s0"]
    assert "no recipe 'nope'; available" in plan.refused["trial-small-nope-s0"]


@pytest.mark.parametrize(
    ("methods", "seeds", "until", "name", "said"),
    [
        (["{}+nope"], [0], 1, "trial", "no recipe 'nope'"),
        ([], [0], 1, "trial", "a comparison without methods"),
        (["{}"], [], 1, "trial", "a comparison without seeds"),
        (["{}"], [1, 1], 1, "trial", "seeds of a comparison: 1 is there twice"),
        (["{}", "{}"], [1], 1, "trial", "is there twice"),
        (["{}"], [1], 0, "trial", "--until is 0"),
        (["{}"], [1], 1, "My trial", "--name trial"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(
    small, methods, seeds, until, name, said
):
    with pytest.raises(ConfigError, match=said):
        planned(name, [one.format(small) for one in methods], seeds, until, {})


def test_seeds_are_written_with_commas_or_spaces(small):
    with pytest.raises(ConfigError, match="--seeds 'a': write whole numbers"):
        tso("compare", small, "--seeds", "a")


def tso(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.output


class Compared(NamedTuple):
    """A comparison that was begun and ended once, in a world of its own."""

    world: World
    work: Path
    code: int
    shown: str
    items: list[tuple[str, str]]
    table: dict[str, Any]

    def asked(self, out):
        """The command."""
        methods = [f"{self.world.preset}{recipe}" for recipe in ("+dpo", "+nope", "+rpo")]
        return ("compare", *map(str, methods), "--name", "trial", "--out", str(out))


@pytest.fixture(scope="module")
def calm(prefect_server, warm_children, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    world = small_world(folder)
    begun = Compared(world, folder / "work", 0, "", [], {})
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TSO_STORE", raising=False)
        patch.setenv("TSO_WORK", str(begun.work))
        code, shown = tso(*begun.asked(folder / "out"))
        found = table(folder / "out")
        return begun._replace(code=code, shown=shown, items=items(), table=found)


def table(folder):
    """The table that a comparison left, without what the clock says."""
    found = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    for run in (one for method in found["methods"] for one in method["runs"]):
        del run["seconds"], run["shared_seconds"]
    return found


@pytest.mark.slow
def test_two_recipes_share_their_stages_and_a_failing_one_stops_neither(calm, monkeypatch):
    assert calm.code == 5 and "no recipe 'nope'" in " ".join(calm.shown.split())
    assert len(calm.items) == len(set(calm.items)), "nothing was begun twice"
    # policy, other and the evaluation's SFT model are sampled once; each trains and is measured
    started = children_of(calm.work)
    assert started == ["sample"] * 5 + ["score"] * 3 + ["train"] * 2
    out = calm.world.folder / "out"
    found = json.loads((out / "table.json").read_text(encoding="utf-8"))
    first, refused, second = found["methods"]
    assert [one["run"] for one in first["runs"]] == ["trial-preset-dpo-s0"]
    assert refused["metrics"] == {} and list(refused["failed"]) == ["0"]
    assert first["runs"][0]["reused"] == 0
    shared = second["runs"][0]
    assert 0 < shared["reused"] < shared["stages"] and shared["shared_seconds"] > 0
    checks = second["metrics"]["checks"]
    assert checks["to_first"]["n"] == 4, "the same evaluation prompts"
    assert (out / "table.md").read_text(encoding="utf-8").count("trial") >= 1
    with get_client(sync_client=True) as client:
        shown = client.read_artifacts()
    pages = [one.data for one in shown if one.key == "comparison-trial"]
    assert any("| preset+dpo | 1 |" in page for page in pages), "people find it at the flow run"
    monkeypatch.setenv("TSO_WORK", str(calm.work))
    assert tso(*calm.asked(out))[0] == 5
    assert items() == calm.items and children_of() == started, "the same command finds all done"
    code, shown = tso(*calm.asked(out), "--set", "training.epochs=2")
    assert code == 5 and children_of() == started, "figures of other settings are no answer"
    assert "was made with other values of training.epochs" in " ".join(shown.split())


def manifests(folder):
    """Every stage manifest below a store, byte for byte."""
    found = (folder / "stages").glob("*/*/*/manifest.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.slow
def test_killed_inside_a_run_and_between_two_the_same_command_ends_in_the_same_table(
    calm, tmp_path, monkeypatch
):
    monkeypatch.setenv("TSO_STORE", f"file://{tmp_path}/store")
    asked = calm.asked(tmp_path / "out")
    environment = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()}
    program = [sys.executable, "-m", "tests.killed_comparison", json.dumps(children.INTERPRETER)]
    committed = []
    for where in ("training", "between"):
        command = [*program, where, *asked]
        done = subprocess.run(command, env=environment, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        committed.append(sorted(path.parts[-4] for path in rounds(tmp_path)))
    assert committed == [[], ["trial-preset-dpo-s0"]]
    assert tso(*asked)[0] == calm.code
    assert table(tmp_path / "out") == calm.table
    assert manifests(tmp_path / "store") == manifests(calm.world.folder / "store")
    assert set(items()) == set(calm.items)
    twice = {one for one, times in Counter(items()).items() if times > 1}
    steps = {item for _, item in twice}
    assert "step-1" not in steps and all(one.startswith("step-") for one in steps)
    assert len({stage for stage, _ in twice}) <= 1, "the training that was under way"


def rounds(folder):
    """Manifests of the rounds in a store."""
    return (folder / "store/runs").glob("*/rounds/*/manifest.json")
