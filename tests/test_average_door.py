"""Which average of a run's policies goes on; by hand."""

from dataclasses import replace

from infra.place import note, open_stage
from tasks.average import _known, _role
from tests.small_config import checkpoint, small_place


def noted(place, decay, weights):
    stage = open_stage(place, "test", settings=weights, inputs={}, semantics=1)
    made = stage.commit(tables={}, facts={"sha256": weights, "policy": "zero"})
    note(place, _role(decay), made)


def test_a_round_goes_on_from_the_average_of_the_round_before(tmp_path):
    first = small_place(root=f"file://{tmp_path}/store", round_index=0, policies={})
    noted(first, 0.5, "average")
    found, taken = _known(0.5, replace(first, round_index=1, policies={0: checkpoint("zero")}))
    assert (found.sha256, taken) == ("average", 0)


def test_an_evaluation_that_is_done_again_does_not_take_up_its_own_average(tmp_path):
    """Its tree has round 0 alone, whatever the run has; its average holds round 0's policy."""
    place = small_place(
        root=f"file://{tmp_path}/store", run="r.evaluation", round_index=0,
        policies={0: checkpoint("zero")},
    )  # fmt: skip
    noted(place, 0.5, "average")
    assert _known(0.5, place) == (place.sft, 0)


def test_averages_of_nearly_the_same_decay_are_told_apart():
    assert _role(0.9999991) != _role(0.9999992)
    assert _role(0.5) == "average-0.5"
