"""What holds of every table of agreement: symmetry, bounds, and nothing depends on names."""

import math
from dataclasses import replace

import numpy as np
import pytest
from agreement_rows import both, figures, person, world
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.agreement.between import cohens_kappa, nominal_alpha
from tasks.agreement.settings import AgreementSettings

TABLES = st.lists(st.integers(0, 9), min_size=9, max_size=9).filter(any)


@given(TABLES)
def test_kappa_is_symmetric_and_never_above_one(counts):
    table = np.array(counts, dtype=float).reshape(3, 3)
    one, other = cohens_kappa(table), cohens_kappa(table.T)
    assert math.isnan(one) == math.isnan(other)
    assert math.isnan(one) or (one == pytest.approx(other) and one <= 1 + 1e-12)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12))
def test_kappa_is_one_less_disagreement_over_that_of_labels_dealt_anew(labels):
    """Dealt anew: every label of the one annotator meets every label of the other."""
    table = np.zeros((3, 3))
    for one, other in labels:
        table[one, other] += 1
    seen = np.mean([one != other for one, other in labels])
    dealt = np.mean([one != other for one, _ in labels for _, other in labels])
    found = cohens_kappa(table)
    assert math.isnan(found) if not dealt else found == pytest.approx(1 - seen / dealt)


@given(st.lists(st.sampled_from([(2, 0, 0), (0, 2, 0), (1, 1, 0), (1, 0, 1)]), min_size=1))
def test_alpha_of_two_annotators_is_one_minus_observed_over_expected(units):
    counts = np.array(units, dtype=float)
    totals = counts.sum(axis=0)
    n = totals.sum()
    expected = (n**2 - (totals**2).sum()) / (n * (n - 1))
    observed = np.mean([row.max() == 1 for row in counts])
    found = nominal_alpha(counts)
    assert math.isnan(found) if not expected else found == pytest.approx(1 - observed / expected)


OUTCOMES = st.lists(
    st.tuples(*[st.sampled_from(["b", "s", "tie", "unparsed"])] * 3), min_size=3, max_size=5
)
QUICK = AgreementSettings(resamples=100, min_prompts=2)
MIRROR = {"a": "b", "b": "a"}


def mirrored(rows, responses):
    """The same opinions with ids that sort the other way: every a is a b."""
    new = {name: f"{'z' if name[0] == 'b' else 'a'}{name[1:]}" for name in responses}
    flipped = [
        replace(
            row,
            a_id=new[row.b_id],
            b_id=new[row.a_id],
            outcome=MIRROR.get(row.outcome, row.outcome),
            first_shown=MIRROR.get(row.first_shown, row.first_shown),
        )
        for row in rows
    ]
    return flipped, {new[k]: replace(v, response_id=new[k]) for k, v in responses.items()}


@settings(max_examples=6, deadline=None)
@given(OUTCOMES)
def test_swapping_a_and_b_in_all_verdicts_changes_nothing(given_outcomes):
    rows = []
    for index, (one, other, human) in enumerate(given_outcomes):
        rows += [*both(index, one, other), person(index, human)]
    responses = world(len(given_outcomes))
    before = figures(rows, responses, settings=QUICK)
    after = figures(*mirrored(rows, responses), settings=QUICK)
    for key, one in before.items():
        assert after[key].reason == one.reason and after[key].n == one.n
        assert after[key].estimate == pytest.approx(one.estimate, abs=1e-6)
