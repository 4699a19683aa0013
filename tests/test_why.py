"""Where a pair comes from: from records, and through the command."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.cli.evidence import why
from infra.place import note, open_stage
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.annotate import annotate, choose
from tasks.annotation_items import Answer, Item, item_id_of
from tasks.config import AnnotateSection
from tasks.errors import ConfigError
from tasks.ledger.provenance import cell_model, judge_named
from tasks.people.trail import decision, in_words
from tasks.records import Preference, PreferencePair, Prompt, Response, Verdict
from tasks.tables import to_table
from tasks.variants import load_variant
from tests.judged import committed
from tests.opinion_makers import both, pair, person, preference, prompt, response
from tests.small_config import plain_small, small_place

DECIDED = replace(
    preference("r1", "r2", "b"), decided_by="human", reason="human", overruled=["main", "prior"]
)


def test_a_decision_names_everybody_and_whom_it_overruled():
    rows = [person("r1", "r2", "b"), *both("r1", "r2", "a", by="main"), person("r1", "r3", "a")]
    made = decision(DECIDED, rows)
    assert [(one.kind, one.outcome, one.overruled) for one in made.said] == [
        ("judge", "a", True),
        ("judge", "a", True),
        ("human", "b", False),
    ]
    assert in_words(made) == [
        "r1 (a) and r2 (b) of prompt p: b is better (p 1.00), decided by human (human)",
        "overruled: main, prior",
    ]


@pytest.fixture
def place(tmp_path):
    return small_place(root=f"file://{tmp_path}/store", round_index=0, strengths={})


@pytest.fixture
def tree(place):
    """A round in which `ann` turned round what the judge said of r1 and r2."""
    check = {"kind": "contains", "text": "fig"}
    given = (
        committed(place, Prompt, [prompt(check, tags=["fruits"])]),
        [committed(place, Response, [response("r1", "nut"), response("r2", "fig", cell="large")])],
        [committed(place, Verdict, both("r1", "r2", "a", by="main", other="b"))],
    )
    ann = {"kind": "simulated", "judge": {"kind": "rule"}, "seconds": 20.0}
    settings = AnnotateSection.model_validate({"budget": 1.0, "people": {"ann": ann}})
    rule = load_variant("tasks.comparison_rules", "all")
    items = choose.fn(*given, settings, rule, place)
    annotate.fn(*given, items, settings, rule, place)
    note(place, "judge-main-train", given[2][0])
    note(place, "collect-train", given[0])
    note(place, "sample-train-large", given[1][0])
    tables = {
        "rows": (PreferencePair, [pair("r2", "r1")]),
        "held_out": (PreferencePair, []),
        "preferences": (Preference, [DECIDED, preference("r1", "r3", "b")]),
        "prior": (Verdict, []),
    }
    stage = open_stage(place, "pair", settings={}, inputs={}, semantics=1)
    made = {name: (record, to_table(record, rows)) for name, (record, rows) in tables.items()}
    note(place, "pair", stage.commit(tables=made))
    found = RunTree(open_store(place.storage), place.run)
    found.write("frozen.json", {"base model": "sft"})
    found.write_round(0, "config.json", {"config": plain_small()})
    return found


def test_the_trail_of_a_round_is_found_by_pair_and_by_responses(tree):
    found = why(tree, "p-r2-r1").decision
    assert found == why(tree, "r2,r1").decision == why(tree, "p-r2").decision
    [item] = found.asked
    assert item.reason in ("random", "orders_inconsistent")
    ann = next(one for one in found.said if one.annotator == "ann")
    assert ann.outcome == "b" and " s · simulated" in ann.note
    assert f"people were asked because of {item.reason}" in in_words(found)[1]
    with pytest.raises(ConfigError, match="knows a comparison 'r1,r9'"):
        why(tree, "r1,r9")


def test_a_pair_leads_to_prompt_responses_models_and_judges(tree):
    found = why(tree, "p-r2-r1")
    assert (found.round_index, found.prompt.tags) == (0, ["fruits"])
    chosen, rejected = found.authors
    assert (chosen.side, chosen.response.text, chosen.settings) == (
        "chosen", "fig", "scripted, temperature 0.7",
    )  # fmt: skip
    assert (rejected.side, rejected.response.text) == ("rejected", "nut")
    assert found.judges == {"main": "rule"}
    assert found.became.endswith("given to training")
    assert found.training == "the round has not trained yet"
    assert {"pair", "collect-train", "judge-main-train", "annotate"} <= found.stages.keys()


@pytest.mark.parametrize(
    ("asked", "said"),
    [("p", "is too short"), ("zzzz", "knows a comparison 'zzzz'"), ("r1,r2", None)],
)
def test_what_no_round_knows_is_said(tree, asked, said):
    if said is None:
        with pytest.raises(ConfigError, match="round 1 of runs/r has made pairs yet"):
            why(tree, asked, round_index=1)
    else:
        with pytest.raises(ConfigError, match=said):
            why(tree, asked)


def test_the_command_prints_all_of_it_and_as_json_too(tree, place, tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_STORE", place.storage.root)
    preset = tmp_path / "preset.yaml"
    preset.write_text(json.dumps(plain_small()), encoding="utf-8")
    given = ["why", "r", "p-r2-r1", "--preset", str(preset)]

    def said(*more):
        done = CliRunner().invoke(app, [*given, *more], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    words = " ".join(said().split())
    for text in ("rejected (a) · policy", "chosen (b) · large", "overruled: main, prior"):
        assert text in words
    told = json.loads(said("--as", "json"))
    assert told["decision"]["preference"]["decided_by"] == "human"
    assert told["authors"][0]["response"]["text"] == "fig"


def test_a_policy_is_named_by_the_round_that_it_came_out_of():
    named = cell_model({"model": "policy"}, "f" * 64, "s" * 64, {0: "e" * 64, 1: "f" * 64})
    assert named == "policy after round 1 (ffffffffffff)"
    assert cell_model({"model": "round:0"}, "s" * 64, "s" * 64, {}) == "SFT model (ssssssssssss)"
    api = {"engine": "openai", "model": "org/large", "revision": "2026-10"}
    assert cell_model(api, "", "", {}) == "org/large revision 2026-10"
    recorded = {"engine": "recorded", "files": [{"file": "human.jsonl"}]}
    assert cell_model(recorded, "d", "", {}) == "recorded in human.jsonl"
    assert judge_named({"kind": "pairwise", "model": "org/judge"}) == "pairwise (org/judge)"


def test_a_note_tells_what_a_person_gave():
    row = replace(person("r1", "r2", "b"), replicate=0)
    item = Item(
        item_id=item_id_of("p", "r1", "r2"), prompt_id="p", a_id="r1", b_id="r2", repeat=0,
        first_shown="a", reason="random", stratum="web", chance=0.25, known=None, annotators=1,
        position=0,
    )  # fmt: skip
    answer = Answer(
        item_id=item.item_id, annotator="ann", outcome="b", strength=1.0, tags=["correct"],
        comment="clear", ideal=None, ideal_from=None, revision=0, first_shown="a",
        front_end="page", session=None, answered_at="2026-11-22T05:00:00+00:00",
        duration_seconds=31.4,
    )  # fmt: skip
    made = decision(DECIDED, [row], [item], [answer])
    assert made.said[0].note == (
        "much better · correct · “clear” · 31 s · page · 2026-11-22T05:00:00+00:00"
    )
    assert "people were asked because of random, drawn with chance 0.25; web" in in_words(made)
