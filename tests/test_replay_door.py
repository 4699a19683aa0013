"""The replay door on rounds made by hand: what the pool, evaluation texts and transforms decide."""

from dataclasses import asdict, replace

import pytest

from infra.place import counts_of, records_of, store_of, table_of
from infra.run_tree import RunTree
from tasks.derivations import Derivation
from tasks.records import Artifact, Feedback, PreferencePair, Response, Verdict
from tasks.replay import replayed
from tasks.variants import load_variant
from tests.opinion_makers import pair, response, verdict
from tests.replays.second_round import MARKED, OLD, learned, left, made_round, pool, second_round
from tests.small_config import small_place


@pytest.fixture
def second(tmp_path):
    place = small_place(root=f"file://{tmp_path}/store", round_index=0, policies={})
    return second_round(place)


def changed(place, **roles):
    """Round 0 with other artifacts, by role (`__` for dashes); None takes one out of it."""
    first, tree = replace(place, round_index=0), RunTree(store_of(place), place.run)
    artifacts = dict(tree.read_round(0, "manifest.json")["artifacts"])
    for name, given in roles.items():
        role = name.replace("__", "-")
        artifacts.pop(role, None)
        if given is not None:
            artifacts[role] = asdict(left(first, role, *given))
    tree.write_round(0, "manifest.json", {"round_index": 0, "artifacts": artifacts})


def answers_of(place, role):
    pointer = RunTree(store_of(place), place.run).read_round(0, f"stages/{role}.json")
    return records_of(place, Response, Artifact(**pointer))


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


def test_cells_and_judges_may_be_called_as_what_is_measured(second):
    pool(second, [*OLD, "new"])
    said = [replace(verdict("a-p0", "b-p0", "a", by="x-evaluation"), prompt_id="p0")]
    changed(
        second,
        sample__train__policy=None,
        sample__train__divergence=(Response, answers_of(second, "sample-train-policy")),
        **{"judge__main__train": None, "judge__x-evaluation__train": (Verdict, said)},
    )
    _, feedback, _ = learned(second)
    assert len(ids(second, feedback.responses, "response_id")) == 8
    assert ids(second, feedback.verdicts, "prompt_id") == ["new", "p0"]


def test_what_evaluation_sampled_and_judged_is_not_trained_on(second):
    pool(second, [*OLD, "new"])
    measured = [replace(verdict("a-p0", "b-p0", "a", by="second"), prompt_id="p0")]
    answers = [replace(response("a-p0", "another text", prompt_id="p0"), cell="weights-1")]
    changed(
        second,
        judge__second__evaluation=(Verdict, measured),
        sample__evaluation__weights=(Response, answers),
    )
    _, feedback, _ = learned(second)
    assert "second" not in ids(second, feedback.verdicts, "annotator")
    assert "another text" not in ids(second, feedback.responses, "text")


def test_what_was_said_of_a_single_response_joins_too(second):
    """The passes of an estimator are such verdicts, and `upo` weighs pairs by them."""
    pool(second, [*OLD, "new"])
    passes = [
        replace(
            verdict("a-p0", "a-p0", "scored", by="estimator"), b_id="", prompt_id="p0",
            criterion="pass", replicate=number, score=0.5, scale="reward_model",
        )
        for number in range(2)
    ]  # fmt: skip
    other = replace(passes[0], a_id="c-p0")
    changed(second, estimate=(Verdict, [*passes, other]))
    _, feedback, _ = learned(second)
    said = records_of(second, Verdict, feedback.verdicts)
    assert [one for one in said if not one.b_id] == passes


def test_the_last_of_many_transforms_made_the_pairs(second):
    pool(second, [*OLD, "new"])
    early, late = ([pair("a-p0", "b-p0", prompt_id="p0", margin=m)] for m in (0.2, 0.6))
    changed(
        second,
        **{"transform__2__degrade": (PreferencePair, early)},
        **{"transform__10__degrade": (PreferencePair, late)},
    )
    _, _, pairs = learned(second)
    margins = {row.prompt_id: row.margin for row in records_of(second, PreferencePair, pairs)}
    assert margins == {"new": 1.0, "p0": 0.6}


def test_pairs_of_the_same_ids_and_another_margin_are_another_replay(second):
    """Two runs of a store whose first rounds differ in nothing but how sure they were."""
    tree, third = RunTree(store_of(second), second.run), replace(second, round_index=2)
    pool(second, [*OLD, "new"])
    learned(second)
    done = {role: tree.read_round(1, f"stages/{role}.json") for role in tree.roles_done(1)}
    tree.write_round(1, "manifest.json", {"round_index": 1, "artifacts": done})
    pool(third, [*OLD, "new"])
    learned(third)
    less_sure = [pair(f"a-{one}", f"b-{one}", prompt_id=one, margin=0.25) for one in OLD]
    changed(second, pair=(PreferencePair, less_sure))
    _, _, pairs = learned(third)
    margins = {row.prompt_id: row.margin for row in records_of(second, PreferencePair, pairs)}
    assert margins == {"new": 1.0} | dict.fromkeys(OLD, 0.25)


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
