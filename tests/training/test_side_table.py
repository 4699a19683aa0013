"""What a loss needs beyond its examples: read from a table of its own, joined by example_id."""

import pyarrow as pa
import pytest
from supplied_examples import Supplied
from tiny_models import tiny_model
from training_jobs import lines, plain_model, policy_of, run_here, train_spec

from tasks.errors import DataError
from tasks.side_table import side_schema
from tasks.training.live_reference import LiveReference
from tasks.training.policy import load_policy
from tasks.training.settings import LiveReferenceSettings
from tasks.variants import load_variant
from tasks.weights import weights_digest
from tests.losses.loss_cases import CASES, name_of

DPO = {"kind": "dpo"}
SPO = {"kind": "spo_degree", "loss": DPO}
NEEDY = [case for case in CASES if len(side_schema(load_variant("tasks.losses", **case))) > 1]


@pytest.fixture(scope="module")
def reference():
    return plain_model(tiny_model())


def supplied(case, reference):
    return Supplied(load_variant("tasks.losses", **case), [reference, reference])


def job(workdir, made, case, **fields):
    """Write the tables of `made` into `workdir`; returns the spec of a job on them."""
    workdir.mkdir(exist_ok=True)
    made.opened(workdir)
    settings = {"epochs": 3, "learning_rate": 3e-3, "checkpoint_every": 1}
    return train_spec(tiny_model(), loss=case, side="side.arrow", settings=settings, **fields)


def test_the_schema_names_what_the_loss_declares():
    def columns(kind, **settings):
        return side_schema(load_variant("tasks.losses", kind, **settings)).names[1:]

    assert columns("bmc") == ["chosen_edited", "rejected_edited"]
    assert columns("selm") == ["explored_ids", "explored_logps"]
    assert columns("kto") == ["desirable", "mismatched_ids", "mismatched_logps"]
    assert columns("spo_degree", loss=DPO) == ["degraded_ids", "degrees"]
    assert columns("upo") == ["uncertainty"] and columns("mmpo") == columns("dpo") == []


def test_rows_are_joined_by_id_whatever_their_order(reference, tmp_path):
    made = supplied({"kind": "bmc"}, reference)
    examples = made.opened(tmp_path)  # writes the rows in reverse order
    for index, row in enumerate(made.side):
        for side in ("chosen", "rejected"):
            found = examples.token_columns[side, "edited"][index].tolist()
            assert found == row[f"{side}_edited"], (index, side)


def test_rows_of_other_examples_are_no_harm(reference, tmp_path):
    made = supplied({"kind": "upo"}, reference)
    made.side.append({"example_id": "another", "uncertainty": 9.0})
    assert made.opened(tmp_path).columns["uncertainty"].max() < 1


@pytest.mark.parametrize(
    ("case", "change", "message"),
    [
        ({"kind": "upo"}, {"example_id": "x"}, "no row of example '1-2-0' .1 such"),
        ({"kind": "upo"}, {"example_id": "0-0-1"}, "several rows of example '0-0-1'"),
        ({"kind": "upo"}, {"uncertainty": None}, "side table.uncertainty has no value in row"),
        ({"kind": "upo"}, {"uncertainty": float("nan")}, "side table.uncertainty is nan"),
        ({"kind": "bmc"}, {"rejected_edited": [1.0]}, "'1-2-0' has not one number in rejected_ed"),
        ({"kind": "selm"}, {"explored_ids": [], "explored_logps": []}, "no token in explored_ids"),
        ({"kind": "selm"}, {"explored_ids": [7] * 300}, "longer .prompt_ids and explored_ids"),
        ({"kind": "selm"}, {"explored_logps": [-1.0]}, "not one number in explored_logps per"),
        (SPO, {"degrees": [0, 1]}, "not one number in degrees per response"),
        (SPO, {"degrees": [0, 1, 3]}, "'1-2-0' has a degree that is not among 0 to 2"),
        (SPO, {"degraded_ids": [[7], [], [8]]}, "no token in a response of degraded_ids"),
        (SPO, {"degraded_ids": [[7], [8], [9] * 300]}, "longer .prompt_ids and degraded_ids"),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_named(case, change, message, reference, tmp_path):
    made = supplied(case, reference)
    assert made.side[4]["example_id"] == "1-2-0"
    made.side[4] |= change
    with pytest.raises(DataError, match=message):
        made.opened(tmp_path)


def test_missing_and_superfluous_columns_are_named(reference, tmp_path):
    made = supplied({"kind": "upo"}, reference)
    spec = job(tmp_path, made, {"kind": "upo"}) | {"model": "nowhere"}
    table = pa.table({"example_id": ["a"], "uncertanty": [0.1]})
    with pa.ipc.new_file(str(tmp_path / "side.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match=r"has columns .*'uncertanty'.*needs .*'uncertainty'"):
        run_here(tmp_path, spec)
    with pytest.raises(DataError, match="'upo' needs column uncertainty; give a side table with"):
        run_here(tmp_path, spec | {"side": None})
    with pytest.raises(DataError, match="'dpo' reads no side table"):
        run_here(tmp_path, spec | {"loss": DPO})


@pytest.mark.parametrize("case", NEEDY, ids=name_of)
def test_every_loss_with_needs_trains_from_a_side_table(case, reference, tmp_path):
    made = supplied(case, reference)
    spec = job(tmp_path, made, case, expect_reference=made.loss.USES_REFERENCE)
    result = run_here(tmp_path, spec)
    losses = [step["loss"] for step in lines(tmp_path / "metrics.jsonl")]
    assert result["steps"] == len(losses) == 6
    assert weights_digest(tmp_path / "model") != weights_digest(tiny_model())


def test_the_head_learns_degrees_and_is_dropped_at_export(reference, tmp_path):
    case = SPO | {"weight": 1.0}
    made = supplied(case, reference)
    spec = job(tmp_path, made, case)
    spec["settings"] |= {"epochs": 15, "checkpoint_every": 100}
    run_here(tmp_path, spec)
    steps = lines(tmp_path / "metrics.jsonl")
    assert steps[0]["degree_loss"] == pytest.approx(2 / 3 * 1.0986, abs=0.05)  # 1 of 3 has none
    assert steps[-1]["degree_loss"] < 0.3 * steps[0]["degree_loss"]
    names = load_policy(tmp_path / "model", "float32", "cpu").parameters.keys()
    assert names == load_policy(tiny_model(), "float32", "cpu").parameters.keys()


def test_a_job_with_a_head_goes_on_from_a_checkpoint_as_if_nothing_had_happened(
    reference, tmp_path, monkeypatch
):
    made = supplied(SPO, reference)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    run_here(calm, job(calm, made, SPO))
    spec = job(killed, made, SPO)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.training.loop.Trainer.ended", lambda trainer: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_here(killed, spec | {"settings": spec["settings"] | {"keep_last": 9}})
    for folder in sorted((killed / "checkpoints").iterdir())[3:]:
        (folder / "DONE").unlink()
    run_here(killed, spec)
    events = [one["event"] for one in lines(killed / "progress.jsonl")]
    assert events.count("resumed") == 1
    assert weights_digest(killed / "model") == weights_digest(calm / "model")


def test_another_side_table_is_other_work(reference, tmp_path):
    made = supplied({"kind": "upo"}, reference)
    spec = job(tmp_path, made, {"kind": "upo"})
    run_here(tmp_path, spec)
    made.side[0]["uncertainty"] /= 2
    made.write_side(tmp_path)
    with pytest.raises(DataError, match="belongs to other work"):
        run_here(tmp_path, spec)


def test_a_live_reference_takes_the_place_of_the_first_and_leaves_the_others(reference, tmp_path):
    [group] = supplied({"kind": "mrpo"}, reference).groups(tmp_path, 100_000)
    model = policy_of(tiny_model(seed=1))
    scored = LiveReference(model=model, settings=LiveReferenceSettings()).scored(group)
    assert scored.reference_KBT.shape == group.reference_KBT.shape
    assert scored.reference_KBT[1].equal(group.reference_KBT[1])
    assert (scored.reference_KBT[0] - group.reference_KBT[0]).abs().max() > 0.1
