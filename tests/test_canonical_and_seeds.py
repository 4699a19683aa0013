import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.canonical import ID_LENGTH, canonical_json, digest, digest_of_lines, short_id
from tasks.seeds import SEED_BITS, seed_of, uniform_of
from tests.sources import ROOT

names = st.lists(st.one_of(st.integers(), st.text(st.characters(exclude_categories=["Cs"]))))


def test_canonical_json_has_sorted_keys_no_spaces_and_plain_letters():
    assert canonical_json({"b": [1, 2.0, None], "a": "ä"}) == '{"a":"ä","b":[1,2.0,null]}'


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_has_no_canonical_form(bad):
    with pytest.raises(ValueError, match="Out of range float values"):
        canonical_json([bad])


def test_the_digest_is_sha256_of_the_canonical_form():
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
    assert short_id("a", 1) == hashlib.sha256(b'["a",1]').hexdigest()[:ID_LENGTH]
    assert digest_of_lines(["x", "y"]) == hashlib.sha256(b"x\ny\n").hexdigest()


def test_parts_of_an_id_do_not_run_together():
    assert len({short_id("ab", "c"), short_id("a", "bc"), short_id("abc"), short_id("1", 1)}) == 4


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers()))
def test_the_order_of_keys_does_not_matter(data):
    assert digest(data) == digest(dict(reversed(data.items())))


@given(names)
def test_seeds_fit_generators_and_uniform_numbers_stay_below_one(some):
    assert 0 <= seed_of(*some) < 2**SEED_BITS
    assert 0.0 <= uniform_of(*some) < 1.0


def test_the_largest_seed_gives_a_number_below_one(monkeypatch):
    monkeypatch.setattr("tasks.seeds.seed_of", lambda *names: 2**SEED_BITS - 1)
    assert uniform_of("anything") < 1.0


def test_uniform_numbers_are_spread_evenly():
    drawn = [uniform_of("coin", number) for number in range(4000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.5, abs=0.02)
    assert sum(one < 0.1 for one in drawn) == pytest.approx(400, abs=60)


def test_a_seed_is_the_same_in_every_process():
    program = "from tasks.seeds import seed_of; print(seed_of(0, 3, 'sample', 'ä', 2))"
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for salt in ("1", "2")
    }
    assert found == {str(seed_of(0, 3, "sample", "ä", 2))}
