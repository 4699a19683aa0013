import random

import pytest

from tasks.errors import DataError
from tasks.pairs import PairView
from tasks.variants import kinds, load_variant
from tests.opinion_makers import pair, response


def view(chosen, rejected, *, number=0, margin=1.0, prompt_id="p", cut=(), logps=(None, None)):
    """A pair of two texts; `cut` names sides that ended at the token limit."""
    ends = {side: "length" if side in cut else "stop" for side in ("chosen", "rejected")}
    return PairView(
        pair=pair(f"c{number}", f"r{number}", margin=margin, prompt_id=prompt_id),
        chosen=response(f"c{number}", chosen, finish_reason=ends["chosen"]),
        rejected=response(f"r{number}", rejected, finish_reason=ends["rejected"]),
        reference_chosen_logp=logps[0],
        reference_rejected_logp=logps[1],
    )


def dropped(kind, *views, **settings):
    """Numbers of the dropped pairs."""
    reasons = load_variant("tasks.pair_filters", kind, **settings)(views)
    assert set(reasons.values()) <= {kind}
    return [i for i, one in enumerate(views) if one.pair.pair_id in reasons]


def test_equal_texts_may_differ_in_space_around_them():
    views = [view("yes", "yes\n", number=0), view("yes", "Yes", number=1)]
    assert dropped("equal_texts", *views) == [0]


def test_near_equal_is_a_share_of_the_longer_text():
    one_of_ten = view("0123456789", "012345678x")
    assert dropped("near_equal", one_of_ten, min_distance=0.2) == [0]
    assert dropped("near_equal", one_of_ten, min_distance=0.1) == []


@pytest.mark.parametrize(
    ("side", "expected"), [("either", [0, 1]), ("chosen", [0]), ("rejected", [1])]
)
def test_truncated_looks_at_the_side_it_is_told(side, expected):
    views = [
        view("a", "b", number=0, cut=["chosen"]),
        view("a", "b", number=1, cut=["rejected"]),
        view("a", "b", number=2),
    ]
    assert dropped("truncated", *views, side=side) == expected


def test_length_ratio_counts_words_and_is_blind_to_the_side():
    views = [
        view("a b c d", "a", number=0),
        view("a", "a b c d", number=1),
        view("a b c", "a", number=2),
        view("a b c d", "", number=3),
    ]
    assert dropped("length_ratio", *views, max_ratio=3.0) == [0, 1, 3]


def test_length_balance_drops_the_faintest_of_the_frequent_kind():
    longer = [view("a b", "a", number=i, margin=(i + 1) / 10) for i in range(5)]
    shorter = [view("a", "a b", number=9, margin=0.1)]
    assert dropped("length_balance", *longer, *shorter, max_ratio=2.0) == [0, 1, 2]
    assert dropped("length_balance", *longer, *shorter, max_ratio=5.0) == []


def test_length_balance_works_in_both_directions_and_ignores_equal_lengths():
    shorter = [view("a", "a b", number=i, margin=(i + 1) / 10) for i in range(3)]
    equal = [view("a", "b", number=8)]
    assert dropped("length_balance", *shorter, *equal, max_ratio=1.0) == [0, 1]


def test_per_prompt_keeps_the_clearest():
    views = [view("a", "b", number=i, margin=m) for i, m in enumerate([0.2, 0.9, 0.5])]
    views.append(view("a", "b", number=3, margin=0.1, prompt_id="q"))
    assert dropped("per_prompt", *views, cap=2) == [0]


def test_already_solved_is_above_its_margin_in_nats():
    views = [
        view("a", "b", number=0, logps=(-10.0, -15.5)),
        view("a", "b", number=1, logps=(-10.0, -15.0)),
        view("a", "b", number=2, logps=(-30.0, -10.0)),
    ]
    assert dropped("already_solved", *views, margin=5.0) == [0]


def test_already_solved_needs_scores():
    with pytest.raises(DataError, match="has no reference log-probabilities"):
        dropped("already_solved", view("a", "b"))


def test_filters_say_when_they_run():
    stages = {
        kind: load_variant("tasks.pair_filters", kind).STAGE for kind in kinds("tasks.pair_filters")
    }
    late = {"already_solved", "likelihood_quantile"}
    assert {kind for kind, stage in stages.items() if stage == "scored"} == late
    assert set(stages.values()) == {"paired", "scored"}


@pytest.mark.parametrize("kind", kinds("tasks.pair_filters"))
def test_input_order_does_not_matter_and_every_reason_has_a_pair(kind):
    words = random.Random(1)
    views = [
        view(
            "a " * words.randint(0, 9),
            "b " * words.randint(0, 9),
            number=i,
            margin=words.choice([0.2, 0.4]),
            prompt_id=words.choice("pq"),
            logps=(-words.random() * 40, -words.random() * 40),
        )
        for i in range(40)
    ]
    filter_ = load_variant("tasks.pair_filters", kind)
    expected = filter_(views)
    assert set(expected) <= {one.pair.pair_id for one in views}
    assert filter_(words.sample(views, len(views))) == expected
    assert filter_([]) == {}
