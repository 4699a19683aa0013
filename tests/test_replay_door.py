"""The replay door on rounds made by hand: what the pool, evaluation texts and transforms decide."""

import pytest

from infra.place import counts_of, records_of, store_of, table_of
from infra.run_tree import RunTree
from tasks.derivations import Derivation
from tasks.records import Artifact, Feedback, PreferencePair
from tasks.replay import replayed
from tasks.variants import load_variant
from tests.replays.second_round import MARKED, OLD, learned, made_round, pool, second_round
from tests.small_config import small_place


@pytest.fixture
def second(tmp_path):
    place = small_place(root=f"file://{tmp_path}/store", round_index=0, policies={})
    return second_round(place)


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
