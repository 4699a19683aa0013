"""Wrong settings, files, models and keys: named before any child process is started.

Every case runs the real flow; what it may not do is leave an item in the log or a child behind.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tasks.errors import ConfigError, DataError, StorageError
from tests.small_run import prompt_rows, write_rows
from tests.tiny_models import tiny_model
from tests.whole_runs import error_of, nothing_was_done, small_world

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return small_world(tmp_path_factory.mktemp("world"))


def refused(state, kind, *said):
    """Check that a flow run ended with `kind` whose message has all of `said`, nothing done."""
    error = error_of(state)
    assert isinstance(error, kind), error
    assert [text for text in said if text not in str(error)] == [], str(error)
    assert nothing_was_done()


ASKS = {"kind": "pairwise", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
ENDPOINT = {"engine": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
WRONG_SETTINGS = {
    "a misspelt setting": ({"training.epoch": 2}, "training.epoch: Extra inputs", "epochs"),
    "an unknown section": ({"trainings": {}}, "trainings: Extra inputs", "allowed here: run,"),
    "an unknown kind": ({"judges.main.kind": "ruel"}, "no kind 'ruel'; available:", "rule"),
    "an unknown engine": ({"matrix.other.engine": "vlm"}, "no kind 'vlm'", "transformers"),
    "a value out of range": ({"matrix.policy.top_p": 1.5}, "matrix.policy.top_p:", "got 1.5"),
    "an unknown verb": ({"redo": ["trian"]}, "redo names ['trian']; verbs are: collect,"),
    "a verb that is no list": ({"redo": "train"}, "redo is 'train'", "redo=[train]"),
    "no such model": ({"run.base_model": "/no/model"}, "no model folder at '/no/model'"),
    "no such cell": ({"matrix.other.model": "/no/model"}, "no model folder at '/no/model'"),
    "no such key": (
        {"judges.main": ASKS | {"api_key_env": "NO_SUCH_KEY"}},
        "'NO_SUCH_KEY', which is not set",
        "export NO_SUCH_KEY=",
    ),
    "a cell without its key": (
        {"matrix.other": ENDPOINT | {"api_key_env": "NO_SUCH_KEY"}},
        "'NO_SUCH_KEY', which is not set",
    ),
    "a cell without a model": ({"matrix.other": ENDPOINT | {"model": ""}}, "has model ''"),
    "a cell without an address": (
        {"matrix.other": ENDPOINT | {"base_url": "host/v1"}},
        "base_url: String should match",
    ),
    "an endpoint as the policy": (
        {"matrix.other": ENDPOINT | {"origin": "policy"}},
        "matrix.other samples the policy with an engine that holds no weights",
    ),
    "no such template": (
        {"judges.main": ASKS | {"template": "nowhere.j2"}},
        "template 'nowhere.j2' of tasks.judges cannot be read",
        "use likert, logprob, pairwise, reference_guided, rubric or",
    ),
    "people that have to be asked": (
        {"annotate.people": {"ann": ASKS}},
        "annotate.people.ann",
        "use simulated or rule",
    ),
    "answers longer than the model": (
        {"matrix.policy.max_tokens": 600},
        "matrix.policy.max_tokens is 600",
        "512 positions",
        "set it to 512 or less",
    ),
    "training beyond the model": (
        {"training.max_tokens": 2048},
        "training.max_tokens is 2048",
        "set it to 512 or less",
    ),
    "recorded answers as the policy's": (
        {"matrix.human.origin": "policy"},
        "matrix.human samples the policy with an engine that holds no weights",
    ),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting_is_named(world, case):
    overrides, *said = WRONG_SETTINGS[case]
    refused(world.rounds(run="bad", overrides=overrides), ConfigError, *said)


def test_a_wrong_key_in_the_preset_itself_is_named(world):
    state = world.with_preset(refresh={"gate": {"kind": "every_round"}, "gaurds": []}).rounds("bad")
    refused(state, ConfigError, "refresh.gaurds: Extra inputs", "guards")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rounds": 0}, "rounds is 0; it must be 1 or more"),
        ({"run": "../up"}, "run name '../up': use 1 to 63 of a-z"),
        ({"run": ""}, "run name ''"),
    ],
)
def test_wrong_arguments_are_named(world, arguments, said):
    refused(world.rounds(**arguments), ConfigError, said)


def test_a_preset_that_is_not_there_lists_those_that_are():
    from flows.tso import tso

    state = tso(run="bad", preset="quickstrat", return_state=True)
    refused(state, ConfigError, "no preset 'quickstrat'; available: quickstart", "TSO_PRESETS")


GOOD = json.dumps(prompt_rows(2, 0)[1])
"""The prompt of line 1 or 2 of a pool that is fine otherwise."""
BAD_POOLS = {
    "not JSON": ([GOOD, "", '{"prompt": '], ":3: not JSON"),
    "not an object": ([GOOD, '["x"]'], ":2: needs a JSON object, got list"),
    "an unknown field": ([GOOD, '{"text": "x"}'], ":2, column 'text': unknown field 'text'"),
    "no text": ([GOOD, '{"prompt": 3}'], ":2, column 'prompt': content of a user turn is 3"),
    "an unknown split": (
        ['{"prompt": "x", "split": "test"}'],
        ":1, column 'split': split is 'test'; allowed: train, dev, held_out, sealed",
    ),
    "an unknown check": (
        ['{"prompt": "x", "checks": [{"kind": "lenght"}]}'],
        ":1, column 'checks': tasks.checks has no kind 'lenght'; available:",
    ),
    "no row": ([], " has no row; check the table"),
    "no held-out prompt": ([GOOD], 'add rows with "split": "held_out"'),
    "a prompt in two splits": (
        ['{"prompt": "x"}', '{"prompt": "x", "split": "held_out"}'],
        ":2 and ",
    ),
}


@pytest.mark.parametrize("case", BAD_POOLS)
def test_a_bad_pool_is_named_by_file_and_row(world, case, tmp_path):
    lines, said = BAD_POOLS[case]
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    state = world.rounds(run="bad", overrides={"prompts.files": [str(pool)]})
    refused(state, DataError, f"pool.jsonl{said}" if said[0] in ": " else said)


def test_a_file_that_is_missing_or_unreadable_is_named(world, tmp_path):
    (tmp_path / "latin.jsonl").write_bytes('{"prompt": "caf\xe9"}\n'.encode("latin-1"))
    for path, said in {
        "/no/pool.jsonl": "no file at '/no/pool.jsonl'",
        str(tmp_path / "latin.jsonl"): "latin.jsonl is not UTF-8 text",
        "/proc/self/mem": "/proc/self/mem: unknown format",
    }.items():
        state = world.rounds(run="bad", overrides={"prompts.files": [path]})
        refused(state, DataError, said)


@pytest.mark.parametrize(
    ("key", "row", "said"),
    [
        ("matrix.human.files", None, "no file at "),
        (
            "matrix.human.files",
            {"prompt": "x", "response": 3},
            "rows.jsonl:1, column 'response': response is 3",
        ),
        ("annotate.response_files", None, "no file at "),
        ("annotate.verdict_files", "not JSON", "rows.jsonl:1: not JSON"),
    ],
)
def test_files_that_are_read_late_are_looked_at_first(world, key, row, said, tmp_path):
    path = tmp_path / "rows.jsonl"
    if row is not None:
        path.write_text(row if isinstance(row, str) else json.dumps(row), encoding="utf-8")
    refused(world.rounds(run="bad", overrides={key: [str(path)]}), DataError, said)


def without_template(folder):
    made = Path(shutil.copytree(tiny_model(), folder / "plain"))
    (made / "chat_template.jinja").unlink()
    return str(made)


@pytest.mark.parametrize("key", ["run.base_model", "matrix.other.model"])
def test_a_tokenizer_without_chat_template_is_named(world, key, tmp_path):
    state = world.rounds(run="bad", overrides={key: without_template(tmp_path)})
    refused(state, ConfigError, f"{tmp_path}/plain has no chat template", "chat_template.jinja")


def test_a_cell_that_claims_to_be_the_policy_needs_its_tokenizer(world):
    other = str(tiny_model("llama", bos=True))
    overrides = {"matrix.other.model": other, "matrix.other.origin": "policy"}
    said = ("matrix.other has origin: policy", other, "run.base_model", "write origin: model")
    refused(world.rounds(run="bad", overrides=overrides), ConfigError, *said)


@pytest.mark.parametrize(("row", "cell"), [(0, "other"), (-1, "policy")])
def test_a_prompt_that_leaves_no_room_to_answer_is_named(world, row, cell, tmp_path):
    rows = prompt_rows(train=8, held_out=4)  # only the policy answers held-out prompts
    rows[row]["prompt"] = "a fox " * 300
    pool = write_rows(tmp_path / "pool.jsonl", rows)
    overrides = {"prompts.files": [str(pool)]}
    state = world.rounds(run=f"long-{cell}", overrides=overrides)
    refused(state, DataError, f"matrix.{cell}: prompt ", "max_tokens=12 that is", "512 positions")


def test_a_read_only_store_is_named(world):
    state = world.rounds(run="bad", overrides={"storage.root": "/sys/tso"})
    refused(state, StorageError, "file:///sys/tso", "could not write", "TSO_STORE")


@pytest.fixture
def full_disk(tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        (folder / "filler").write_bytes(b"x" * 2**16)
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_store_is_named(world, full_disk):
    state = world.rounds(run="bad", overrides={"storage.root": str(full_disk)})
    refused(state, StorageError, str(full_disk), "The disk is full: free space")
