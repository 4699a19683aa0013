from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.pairing import filtered, split_held_out
from tasks.variants import load_variant
from tests.opinion_makers import both, candidate, pair, response
from tests.paired import pairs_of

WEAK, STRONG = candidate("r1", 1.0), candidate("r2", 2.0)
RESPONSES = {name: response(name, text) for name, text in (("r1", "fig"), ("r2", "a ripe fig"))}


def paired(verdicts, *filters, correction=None, candidates=None):
    settings = PairsSection.model_validate(
        {"rule": {"kind": "all_above_margin"}, "filters": list(filters)}
    )
    return pairs_of(
        candidates or {"p": [WEAK, STRONG]},
        verdicts,
        RESPONSES,
        correction or CorrectionSettings(),
        settings,
        seed=0,
    )


def sides(pairs):
    return [(one.chosen_id, one.rejected_id) for one in pairs]


def test_a_confirmed_prior_makes_a_pair_with_all_the_weight_of_its_prompt():
    made = paired(both("r1", "r2", "b"))
    assert sides(made.pairs) == [("r2", "r1")]
    assert made.pairs[0].weight == 1.0
    assert [one.annotator for one in made.prior] == ["prior"]
    assert made.counts == {
        "comparisons": 1, "preference_kept": 1, "made": 1, "pairs": 1, "prompts_with_pairs": 1,
    }  # fmt: skip


def test_a_reversed_prior_swaps_the_sides():
    made = paired(both("r1", "r2", "a"))
    assert sides(made.pairs) == [("r1", "r2")]
    assert made.counts["preference_swapped"] == 1


def test_a_tie_makes_no_pair_and_is_counted():
    made = paired(both("r1", "r2", "tie"))
    assert (made.pairs, made.counts["preference_tie"]) == ([], 1)
    assert [one.outcome for one in made.preferences] == ["dropped"]


def test_a_filter_drops_with_a_reason():
    made = paired(both("r1", "r2", "b"), {"kind": "length_ratio", "max_ratio": 2})
    assert (made.pairs, list(made.dropped.values())) == ([], ["length_ratio"])
    assert (made.counts["made"], made.counts["dropped_length_ratio"], made.counts["pairs"]) == (
        *(1, 1, 0),
    )


def test_a_filter_on_scores_waits_for_the_scores():
    made = paired(both("r1", "r2", "b"), {"kind": "already_solved", "margin": 5})
    assert len(made.pairs) == 1
    solved = load_variant("tasks.pair_filters", "already_solved", margin=5)
    logps = {"r1": -20.0, "r2": -10.0}
    assert filtered(made.pairs, RESPONSES, [solved], logps) == {
        made.pairs[0].pair_id: "already_solved"
    }


def test_a_later_filter_sees_only_what_is_left():
    seen = []

    class Counts:
        def __call__(self, views):
            seen.append(len(views))
            return {view.pair.pair_id: "first" for view in views[:1]}

    pairs = [pair("r1", "r2"), pair("r2", "r1"), pair("r1", "r1")]
    reasons = filtered(pairs, RESPONSES, [Counts(), Counts()], {})
    assert (seen, len(reasons)) == ([3, 2], 2)


def test_the_weight_of_a_prompt_is_shared_by_the_pairs_that_are_left():
    three = [candidate(f"r{i}", float(i)) for i in (1, 2, 3)]
    responses = {one.response_id: response(one.response_id, one.response_id) for one in three}
    settings = PairsSection.model_validate({"rule": {"kind": "all_above_margin"}})
    keep_prior = CorrectionSettings(uncompared="prior")
    made = pairs_of({"p": three}, [], responses, keep_prior, settings, 0)
    assert [one.weight for one in made.pairs] == [1 / 3] * 3


PAIRS = [replace(pair("c", "r", prompt_id=f"p{i}"), pair_id=str(i)) for i in range(40)]


@given(st.floats(0, 1), st.integers(0, 99), st.integers(1, 8))
def test_every_pair_stands_on_one_side_and_groups_stay_together(share, seed, num_groups):
    groups = {f"p{i}": f"g{i % num_groups}" for i in range(40)}
    training, held_out = split_held_out(PAIRS, groups, share, seed)
    assert sorted(int(one.pair_id) for one in [*training, *held_out]) == list(range(40))
    kept, measured = ({groups[one.prompt_id] for one in some} for some in (training, held_out))
    assert kept & measured == set()


def test_the_share_of_prompts_held_out_is_about_what_was_asked_for():
    groups = {f"p{i}": f"p{i}" for i in range(40)}
    assert [len(split_held_out(PAIRS, groups, share, 0)[1]) for share in (0.0, 1.0)] == [0, 40]
    assert 4 <= len(split_held_out(PAIRS, groups, 0.25, 0)[1]) <= 16
