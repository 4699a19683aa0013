"""Judges whose model is one of the run's own: whose weights answer, and under which key."""

from tasks.judge_models import fingerprint_of, served, served_folder
from tasks.references import references_of
from tasks.variants import load_variant
from tests.small_config import small_place


def judge(model):
    return load_variant("tasks.judges", "likert", model=model, server={})


def described(name):
    raise AssertionError(f"{name} is no model on disk")


def test_the_judge_policy_is_the_model_that_the_round_starts_from():
    place = small_place()  # round 2: its reference is the policy of round 1
    names = {"policy": place.reference, "sft": place.sft, "round:0": place.policies[0]}
    for name, checkpoint in names.items():
        assert served(judge(name), place) == {"judge": fingerprint_of(checkpoint)}
    assert len({str(served(judge(name), place)) for name in names}) == 3


def test_another_round_s_policy_is_another_judge_with_the_same_settings():
    early, late = small_place(), small_place(reference=small_place().policies[0])
    mine = judge("policy")
    assert served(mine, early) != served(mine, late)
    assert mine.version() == judge("policy").version()


def test_what_somebody_else_serves_has_no_weights_of_ours():
    far = load_variant("tasks.judges", "likert", model="policy", base_url="http://127.0.0.1:9/v1")
    assert served(far, small_place()) == {} and served_folder(far, small_place()) is None


def test_the_model_that_a_run_started_from_may_be_a_further_reference():
    place, loss = small_place(), load_variant("tasks.losses", "mrpo")
    found = references_of(["sft", "round:0"], loss, place, described)
    assert list(found.values()) == [place.reference, place.sft, place.policies[0]]
