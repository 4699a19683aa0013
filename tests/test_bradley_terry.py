import math

import numpy as np
import pytest

from tasks.bradley_terry import fit, fit_strengths
from tests.opinion_makers import person, verdict

TINY = 1e-9


def test_two_cells_differ_by_the_log_odds_of_winning():
    wins = np.array([[0.0, 30.0], [10.0, 0.0]])
    values = fit(wins, TINY).values
    assert values[0] - values[1] == pytest.approx(math.log(3))
    assert values.sum() == pytest.approx(0, abs=1e-9)


def test_the_standard_error_is_that_of_log_odds():
    covariance = fit(np.array([[0.0, 30.0], [10.0, 0.0]]), TINY).covariance
    of_difference = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert math.sqrt(of_difference) == pytest.approx(math.sqrt(1 / 30 + 1 / 10))


def test_a_cell_that_won_everything_has_a_finite_strength():
    values = fit(np.array([[0.0, 5.0], [0.0, 0.0]])).values
    assert 0 < values[0] < 10


def test_the_ridge_holds_the_slope_at_zero():
    # At the optimum: ridge * s = wins * (1 - sigmoid(2 s)).
    s = float(fit(np.array([[0.0, 5.0], [0.0, 0.0]]), 0.1).values[0])
    assert 0.1 * s == pytest.approx(5 / (1 + math.exp(2 * s)), rel=1e-4)


def test_consistent_wins_add_up():
    def odds(gap):
        return 1000 / (1 + math.exp(-gap))

    true = [1.0, 0.0, -2.0]
    wins = np.array(
        [[0.0 if i == j else odds(x - y) for j, y in enumerate(true)] for i, x in enumerate(true)]
    )
    expected = np.array(true) - np.mean(true)
    assert fit(wins, TINY).values == pytest.approx(expected, abs=1e-5)


CELLS = {"r1": "small", "r2": "large", "r3": "large", "r4": "unseen"}


def test_strengths_come_from_judges_and_people_only():
    verdicts = [verdict("r1", "r2", "b"), person("r1", "r2", "b"), person("r1", "r3", "b")]
    alone = fit_strengths(verdicts, CELLS)
    nothing = [
        verdict("r1", "r2", "a", by="prior", kind="prior"),
        verdict("r1", "r2", "unparsed"),
        verdict("r2", "r3", "a"),
    ]
    assert fit_strengths([*verdicts, *nothing], CELLS) == alone
    assert alone["large"].value > alone["small"].value
    assert [alone[cell].num_verdicts for cell in ("large", "small", "unseen")] == [3, 3, 0]


def test_a_cell_without_verdicts_is_average_and_uncertain():
    strengths = fit_strengths([verdict("r1", "r2", "tie")] * 50, CELLS)
    assert strengths["unseen"].value == pytest.approx(0, abs=1e-6)
    assert strengths["unseen"].standard_error > 1.9 * strengths["small"].standard_error


def test_ties_pull_together_and_probabilities_count_as_shares():
    tied = fit_strengths([verdict("r1", "r2", "tie")], CELLS)
    assert tied["small"].value == pytest.approx(0, abs=1e-9)
    sure, faint = ([verdict("r1", "r2", "b", p=p)] * 10 for p in (0.99, 0.6))
    assert fit_strengths(sure, CELLS)["large"].value > fit_strengths(faint, CELLS)["large"].value


def test_the_order_of_the_verdicts_does_not_matter():
    verdicts = [verdict("r1", "r2", "b", p=0.5 + i / 30) for i in range(14)]
    assert fit_strengths(verdicts, CELLS) == fit_strengths(verdicts[::-1], CELLS)


def test_no_cells_have_no_strengths():
    assert fit_strengths([], {}) == {}


def some_wins(n=7, seed=3):
    """Who beat whom how often among n, some never having met."""
    chance = np.random.default_rng(seed)
    wins = chance.integers(0, 6, (n, n)) * (chance.random((n, n)) < 0.6)
    np.fill_diagonal(wins, 0)
    return wins.astype(float)


@pytest.mark.parametrize("ridge", [0.02, 0.3, 2.0])
def test_the_mode_is_that_of_choix(ridge):
    import choix

    wins = some_wins()
    data = [pair for pair in zip(*np.nonzero(wins), strict=True) for _ in range(int(wins[pair]))]
    theirs = choix.opt_pairwise(len(wins), data, alpha=ridge / 2, tol=1e-12)
    assert fit(wins, ridge).values == pytest.approx(theirs - theirs.mean(), abs=1e-5)


def test_a_half_win_each_is_a_tie_and_pulls_together():
    apart = np.array([[0.0, 4.0], [1.0, 0.0]])
    tied = apart + np.array([[0.0, 2.0], [2.0, 0.0]])
    assert 0 < fit(tied).values[0] < fit(apart).values[0]
    assert fit(tied).covariance[0, 0] < fit(apart).covariance[0, 0]


def test_without_verdicts_the_prior_stays():
    found = fit(np.zeros((3, 3)), 0.25, np.array([1.0, 2.0, 6.0]))
    assert found.values == pytest.approx([-2.0, -1.0, 3.0])
    # Variance 4 each; of a difference 8.
    variance = found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1]
    assert variance == pytest.approx(8.0)


def test_the_more_is_known_the_less_the_prior_counts():
    prior = np.array([1.0, -1.0])
    few, many = (fit(np.array([[0.0, n], [3 * n, 0.0]]), 1.0, prior).values for n in (1.0, 100.0))
    assert few[0] > many[0] > -math.log(3) / 2
    assert many[0] == pytest.approx(-math.log(3) / 2, abs=0.05)


def test_one_sided_and_large_counts_settle():
    wins = np.triu(np.full((30, 30), 1e4), 1)
    values = fit(wins, 1e-6).values
    assert np.all(np.diff(values) < 0) and np.isfinite(values).all()
