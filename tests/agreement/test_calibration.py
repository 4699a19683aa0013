"""How right judges are: unbiased whatever the reasons chose, with an interval that holds."""

import numpy as np
import pytest

from tasks.agreement.calibration import (
    NO_RANDOM,
    Checked,
    accuracies,
    accuracy_together,
    label_noise,
    weighted_share,
)
from tasks.agreement.intervals import Sampling
from tasks.agreement.settings import AgreementSettings

SAMPLING = Sampling(AgreementSettings(min_prompts=2), 0)


def checked(number, *, right, random=True, chance=0.1, people="a", prefix="p"):
    """So many items, of which the judge decides the first `right` as people do."""
    said = ["a"] * right + ["b"] * (number - right)
    return [
        Checked(f"{prefix}{i}", random, chance, people, {"main": one}, one)
        for i, one in enumerate(said)
    ]


def test_each_item_stands_for_the_comparisons_it_was_drawn_from():
    asked = checked(20, right=5, random=False, chance=1.0, prefix="q")
    drawn = checked(10, right=9, chance=0.1)
    # 20 comparisons of which 5 are right, and 100 of which 9 in 10 are
    expected = (5 + 90) / 120
    found = accuracy_together([*asked, *drawn], SAMPLING)
    assert found.value == pytest.approx(expected) and found.low < expected < found.high
    assert accuracies([*asked, *drawn], SAMPLING) == {"main": found}


def test_noise_is_that_of_comparisons_nobody_was_asked_to_look_at():
    asked = checked(20, right=0, random=False, chance=1.0, prefix="q")
    found = label_noise([*asked, *checked(10, right=8)], SAMPLING)
    assert found.value == pytest.approx(0.2) and found.n == 10


def test_answered_items_stand_for_the_unanswered_of_their_kind():
    drawn = checked(10, right=5)
    late = [one._replace(people=None) for one in drawn[5:]]
    asked = checked(10, right=0, random=False, chance=1.0, prefix="q")
    found = accuracy_together([*drawn[:5], *late, *asked], SAMPLING)
    assert found.value == pytest.approx(100 / 110)


def test_ties_of_people_and_undecided_judges_are_neither_right_nor_wrong():
    drawn = checked(10, right=8)
    drawn += checked(5, right=5, people="tie", prefix="t")
    drawn += [one._replace(together=None, judges={}) for one in checked(5, right=0, prefix="u")]
    assert accuracy_together(drawn, SAMPLING).value == pytest.approx(0.8)


def test_without_a_random_share_nothing_is_estimated():
    asked = checked(20, right=5, random=False, chance=1.0)
    assert accuracy_together(asked, SAMPLING).reason == NO_RANDOM
    assert label_noise([], SAMPLING).reason == NO_RANDOM
    few = Sampling(AgreementSettings(min_prompts=10), 0)
    assert "only 4 prompts" in label_noise(checked(4, right=3), few).reason


def test_the_interval_widens_with_prompts_that_hold_several_items_and_with_uneven_weights():
    values = [1.0, 1.0, 0.0, 1.0] * 10
    alone = weighted_share([(f"p{i}", 1.0, v) for i, v in enumerate(values)], SAMPLING)
    within = sorted(values)
    together = weighted_share([(f"p{i // 4}", 1.0, v) for i, v in enumerate(within)], SAMPLING)
    uneven = weighted_share([(f"p{i}", 1.0 + 9 * (i % 5 == 0), v) for i, v in enumerate(values)],
                            SAMPLING)  # fmt: skip
    assert alone.value == together.value == 0.75
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert uneven.high - uneven.low > 1.3 * (alone.high - alone.low)
    sure = weighted_share([(f"p{i}", 1.0, 1.0) for i in range(20)], SAMPLING)
    assert sure.high == 1.0 and 0.8 < sure.low < 0.9, "all alike is not certain"


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        # 60 comparisons that reasons choose (half wrong), and 600 others (one in eight wrong)
        asked = checked(60, right=int(rng.binomial(60, 0.5)), random=False, chance=1.0, prefix="q")
        drawn = checked(48, right=int(rng.binomial(48, 0.875)), chance=0.08)
        found = accuracy_together([*asked, *drawn], SAMPLING)
        truth = (60 * 0.5 + 600 * 0.875) / 660
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 400 <= 0.99
