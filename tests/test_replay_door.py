"""The replay door on rounds made by hand: what the pool, evaluation texts and transforms decide."""

from dataclasses import asdict, replace

import pytest

from infra.place import counts_of, note, open_stage, records_of, store_of, table_of
from infra.run_tree import RunTree
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import EvaluationText
from tasks.derivations import Derivation
from tasks.estimates import PASS, passes_of
from tasks.records import Artifact, Feedback, PreferencePair, Prompt, Response, Verdict
from tasks.replay import join_earlier, replayed
from tasks.tables import to_table
from tasks.uncertainty import uncertainties
from tasks.variants import load_variant, settings_of
from tests.opinion_makers import pair, prompt, response, verdict
from tests.small_config import small_place

ALL = load_variant("tasks.replays", "fifo_buffer", number=9, decay=0.5)
OLD = ("p0", "p1", "p2")
MARKED = "The quick brown fox jumps over the lazy dog beside seventeen purple rivers of Bohemia."
TEXTS = {"b-p1": MARKED}
"""What a response says, where it is no short answer of its own."""


def left(place, role, record, rows, settings=None, **tables):
    """A finished stage of the round, noted under its role."""
    named = {"rows": (record, to_table(record, rows))}
    named |= {name: (kind, to_table(kind, some)) for name, (kind, some) in tables.items()}
    content = {"rows": str([asdict(one) for one in rows]), "tables": str(sorted(tables))}
    stage = open_stage(place, "test", settings=settings or role, inputs=content, semantics=1)
    done = stage.finished()
    return note(place, role, done.artifact if done else stage.commit(tables=named))


def pool(place, prompt_ids, texts=()):
    """The pool of a round: its train prompts and the texts that are measured."""
    measured = [EvaluationText(name=f"e{i}", text=text) for i, text in enumerate(texts)]
    settings = {"decontamination": settings_of(DecontaminationSettings()), "texts": list(texts)}
    rows = [prompt(prompt_id=one) for one in prompt_ids]
    return left(place, "collect-pool", Prompt, rows, settings, texts=(EvaluationText, measured))


def made_round(place, prompt_ids):
    """Two responses, a verdict and a pair for each prompt; its artifacts by role."""
    sides = [(f"a-{one}", f"b-{one}", one) for one in prompt_ids]
    answers = [
        response(name, TEXTS.get(name, f"answer {name}"), prompt_id=one)
        for a, b, one in sides
        for name in (a, b)
    ]
    said = [replace(verdict(a, b, "a"), prompt_id=one) for a, b, one in sides]
    pairs = [pair(a, b, prompt_id=one) for a, b, one in sides]
    origins = [
        Derivation(
            response_id=b, made_from=a, prompt_id=one, transform="t", pair_id="",
            degree=None, start=0, replaced=1, written=1,
        )
        for a, b, one in sides
    ]  # fmt: skip
    return {
        "collect-train": left(
            place, "collect-train", Prompt, [prompt(prompt_id=one) for one in prompt_ids]
        ),
        "sample-train-policy": left(place, "sample-train-policy", Response, answers),
        "judge-main-train": left(place, "judge-main-train", Verdict, said),
        "pair": left(
            place, "pair", PreferencePair, pairs,
            held_out=(PreferencePair, []), origins=(Derivation, origins),
        ),
    }  # fmt: skip


@pytest.fixture
def second(tmp_path):
    """The place of round 1, after a committed round on three prompts, which a challenger lost."""
    place = small_place(root=f"file://{tmp_path}/store", round_index=0, policies={})
    found = made_round(place, OLD) | {"collect-pool": pool(place, [*OLD, "new"])}
    lost = [pair("x", "y", prompt_id="p0")]
    found["challenger-pair"] = left(place, "challenger-pair", PreferencePair, lost)
    manifest = {"round_index": 0, "artifacts": {name: asdict(one) for name, one in found.items()}}
    RunTree(store_of(place), place.run).write_round(0, "manifest.json", manifest)
    return replace(place, round_index=1)


def learned(place, replay=ALL):
    own = made_round(place, ["new"])
    feedback = Feedback(responses=[own["sample-train-policy"]], verdicts=[own["judge-main-train"]])
    return join_earlier.fn(own["collect-train"], feedback, own["pair"], replay, place)


def ids(place, artifacts, column):
    found = [artifacts] if isinstance(artifacts, Artifact) else artifacts
    return sorted(name for one in found for name in table_of(place, one).column(column).to_pylist())


def counts(place):
    pointer = RunTree(store_of(place), place.run).read_round(1, "stages/replay.json")
    return counts_of(place, Artifact(**pointer))


def test_all_that_a_replayed_pair_needs_joins_the_rounds_own(second):
    pool(second, [*OLD, "new"])
    prompts, feedback, pairs = learned(second)
    assert ids(second, prompts, "prompt_id") == ["new", *OLD]
    assert len(ids(second, feedback.responses, "response_id")) == 8
    assert ids(second, feedback.verdicts, "prompt_id") == ["new", *OLD]
    weights = {row.prompt_id: row.weight for row in records_of(second, PreferencePair, pairs)}
    assert weights == {"new": 1.0, "p0": 0.5, "p1": 0.5, "p2": 0.5}
    origins = records_of(second, Derivation, pairs, "origins")
    assert sorted(one.prompt_id for one in origins) == ["new", *OLD]
    assert counts(second) == {"own": 1, "remembered": 3, "replayed": 3}


def test_a_replayed_pair_brings_the_estimators_passes_over_its_responses(second):
    """A loss that weighs pairs by doubt would drop what nobody says how sure it was of."""
    pool(second, [*OLD, "new"])
    place = replace(second, round_index=0)
    blank = replace(verdict("a-p0", "b-p0", "scored", by="estimator"), prompt_id="p0", b_id="")
    passes = [
        replace(blank, a_id=name, criterion=PASS, replicate=turn, score=score)
        for name, scores in {"a-p0": (0.0, 2.0), "b-p0": (0.0, 0.0), "c": (0.0, 1.0)}.items()
        for turn, score in enumerate(scores)
    ]
    tree = RunTree(store_of(place), place.run)
    manifest = tree.read_round(0, "manifest.json")
    manifest["artifacts"]["estimate"] = asdict(left(place, "estimate", Verdict, passes))
    tree.write_round(0, "manifest.json", manifest)
    _, feedback, _ = learned(second)
    said = records_of(second, Verdict, feedback.verdicts)
    assert passes_of(said) == {"a-p0": [0.0, 2.0], "b-p0": [0.0, 0.0]}
    assert uncertainties(said).keys() == {("a-p0", "b-p0")}


def test_of_eleven_transforms_the_last_one_says_what_was_trained_on(second):
    """By the letters of its name, transform-10 stands before transform-2."""
    pool(second, [*OLD, "new"])
    place = replace(second, round_index=0)
    tree = RunTree(store_of(place), place.run)
    manifest = tree.read_round(0, "manifest.json")
    for number, name in ((2, "x"), (10, "y")):
        role, rows = f"transform-{number}-edit_rejected", [pair("a-p0", name, prompt_id="p0")]
        manifest["artifacts"][role] = asdict(left(place, role, PreferencePair, rows))
    tree.write_round(0, "manifest.json", manifest)
    _, _, pairs = learned(second)
    replayed_ones = {row.rejected_id for row in records_of(second, PreferencePair, pairs)}
    assert replayed_ones == {"b-new", "y"}


def test_a_prompt_that_left_the_pool_is_not_trained_on_again(second):
    pool(second, ["p0", "p2", "new"])
    prompts, _, _ = learned(second)
    assert ids(second, prompts, "prompt_id") == ["new", "p0", "p2"]
    assert counts(second)["dropped_left_the_pool"] == 1


def test_a_response_that_repeats_a_text_which_is_measured_now_is_not_trained_on_again(second):
    pool(second, [*OLD, "new"], texts=[MARKED])
    prompts, _, _ = learned(second)
    assert ids(second, prompts, "prompt_id") == ["new", "p0", "p2"]
    assert counts(second)["dropped_contaminated"] == 1


def test_a_round_that_is_done_again_replays_the_same(second):
    pool(second, [*OLD, "new"])
    few = load_variant("tasks.replays", "recent_rounds", number=2)
    assert learned(second, few) == learned(second, few)


def test_without_replay_nothing_is_noted_and_everything_is_as_it_was(second):
    own = made_round(second, ["new"])
    feedback = Feedback(responses=[own["sample-train-policy"]], verdicts=[])
    found = replayed(own["collect-train"], feedback, own["pair"], None, second)
    assert found == (own["collect-train"], feedback, own["pair"])
    assert "replay" not in RunTree(store_of(second), second.run).roles_done(1)
