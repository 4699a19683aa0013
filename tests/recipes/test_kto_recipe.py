"""KTO as a whole round: thumbs of people and of a judge, no pair anywhere."""

import json
from collections import Counter

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tests.small_run import prompt_rows, write_rows

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def trained(recipes):
    """A round in which a person dislikes what people have recorded, whatever the judge says."""
    rows = [
        {"prompt": row["prompt"], "response": "fig, pear", "thumbs": "down", "annotator": "ann"}
        for row in prompt_rows(train=6, held_out=0)
    ]
    thumbs = write_rows(recipes.base.folder / "thumbs.jsonl", rows)
    changes = {"annotate__verdict_files": [str(thumbs)], "pairs__held_out_share": 0.4}
    return recipes.round("kto", **changes)


def tables(world, manifest, *names):
    return [one for name in names for one in world.table(manifest, "pair", name).to_pylist()]


def test_people_decide_where_they_gave_a_thumb_and_the_judge_elsewhere(trained):
    world, manifest = trained
    assert world.table(manifest, "pair").num_rows == 0
    labels = tables(world, manifest, "labels", "held_out_labels")
    human = {one["response_id"] for one in world.table(manifest, "sample-train-human").to_pylist()}
    scores = {
        one["a_id"]: one["score"]
        for one in world.table(manifest, "judge-thumbs-train").to_pylist()
        if not one["b_id"]
    }
    assert human and {one["response_id"] for one in labels} >= human
    for one in labels:
        judged = float(scores.get(one["response_id"], 0) >= 1)
        expected = 0.0 if one["response_id"] in human else judged
        assert one["desirable"] == expected
    assert {one["desirable"] for one in labels} == {0.0, 1.0}


def test_nobody_is_asked_whose_word_is_no_thumb(trained):
    _, manifest = trained
    judges = {role for role in manifest["artifacts"] if role.startswith("judge-")}
    assert {role for role in judges if role.endswith("-train")} == {"judge-thumbs-train"}
    assert "annotate-queue" not in manifest["artifacts"]


def test_labels_are_scored_trained_on_and_measured(trained):
    world, manifest = trained
    counts = manifest["counts"]
    labels = tables(world, manifest, "labels")
    assert (
        counts["train"]["examples"]
        == len(labels)
        == counts["pair"]["labels"] - len(tables(world, manifest, "held_out_labels"))
    )
    assert world.table(manifest, "train").to_pylist()[0]["loss"] == pytest.approx(0.5, abs=1e-3)
    metrics = {one["metric"] for one in world.table(manifest, "evaluate").to_pylist()}
    assert "label_accuracy" in metrics
    shares = manifest["usefulness"]
    assert shares["human"] == 1.0, "a response with a label is used as one in a pair"


def tso(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert not done.exit_code, done.output
    return done.output


def test_report_status_and_card_tell_of_labels(trained, tmp_path):
    world, manifest = trained
    page = world.store.read("runs/kto/rounds/00000/report.html").decode()
    assert "labels trained on" in page and "Labelled responses to read" in page
    assert "labels" in tso("status", "kto", "--preset", world.preset)
    tso("card", "kto", "--preset", world.preset, "--out", tmp_path)
    card = (tmp_path / "dataset" / "README.md").read_text()
    assert "labels of single responses" in card and "`desirable`" in card
    assert f"{manifest['counts']['pair']['labels']} labels" in card


def test_why_says_who_gave_a_response_its_label(trained):
    world, manifest = trained
    human = {one["response_id"] for one in world.table(manifest, "sample-train-human").to_pylist()}
    disliked = next(
        one for one in tables(world, manifest, "labels", "held_out_labels")
        if one["response_id"] in human
    )  # fmt: skip
    asked = ("why", "kto", disliked["response_id"], "--preset", world.preset)
    said = tso(*asked)
    assert "ann (human): 0 on the scale thumbs" in said and "wanted 0.00" in said
    known = json.loads(tso(*asked, "--as", "json"))
    assert known["label"] == disliked
    kinds = Counter(one["annotator_kind"] for one in known["scores"])
    assert kinds["human"] == 1
