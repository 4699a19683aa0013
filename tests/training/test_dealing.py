"""How the work of a step is dealt out to several processes, seen from each of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import tiny_model
from training_jobs import groups, pair_examples

from tasks.errors import ConfigError
from tasks.training import processes
from tasks.training.packing import pack
from tasks.training.trees import Branch, Tree
from tests.small_config import small_config


def seen_by(rank, count, patch):
    patch.setattr(processes, "rank", lambda: rank)
    patch.setattr(processes, "count", lambda: count)


def of_lengths(*lengths):
    """Trees with prompts of one token and one response each, of so many tokens together."""
    return [Tree(trunk=[0], branches=[Branch([0] * (length - 1))]) for length in lengths]


@given(st.integers(0, 20), st.integers(1, 5))
def test_all_processes_make_as_many_turns_and_every_piece_counts_once(pieces, count):
    with pytest.MonkeyPatch.context() as patch:
        turns = []
        for rank in range(count):
            seen_by(rank, count, patch)
            turns.append(processes.turns(pieces))
    assert len({len(one) for one in turns}) == 1
    counted = [place for one in turns for place, counts in one if counts]
    assert sorted(counted) == list(range(pieces))
    assert all(0 <= place < pieces for one in turns for place, _ in one)


def test_one_process_takes_the_pieces_as_they_come():
    assert processes.turns(3) == [(0, True), (1, True), (2, True)]


def test_a_process_without_a_piece_of_its_own_keeps_step_with_the_last(monkeypatch):
    seen_by(1, 2, monkeypatch)
    assert processes.turns(3) == [(1, True), (2, False)]


def test_what_one_process_does_in_one_pass_two_share():
    trees = of_lengths(5, 4, 3, 2, 2)
    assert [[one.trees for one in group] for group in pack(trees, 16)] == [[[0, 1, 2, 3, 4]]]
    # Largest first, each to the emptier: 5, 2 and 4, 3, then 2 to the first of two equals.
    packs = [one for group in pack(trees, 16, side_by_side=2) for one in group]
    assert [(one.trees, one.num_tokens) for one in packs] == [([0, 3, 4], 9), ([1, 2], 7)]


@given(st.lists(st.integers(2, 30), min_size=1, max_size=15), st.integers(2, 4))
def test_packs_side_by_side_hold_every_tree_once_within_the_budget(lengths, count):
    packs = [one for group in pack(of_lengths(*lengths), 30, side_by_side=count) for one in group]
    assert sorted(tree for one in packs for tree in one.trees) == list(range(len(lengths)))
    sizes = [one.num_tokens for one in packs]
    assert max(sizes) <= 30 and sizes == sorted(sizes, reverse=True)


def test_trees_too_large_for_one_pass_are_shared_and_reported_by_the_first(tmp_path, monkeypatch):
    examples = pair_examples(tiny_model(), 3)
    found = []
    for rank in (0, 1):
        seen_by(rank, 2, monkeypatch)
        found.append(groups(tmp_path, examples, range(3), 24))
    # 4 + 3 + 6 + 9, 5 + 4 + 7 + 10 and 6 + 3 + 6 + 9 tokens: the second is too large.
    shapes = [[(len(group.packs), group.counted) for group in one] for one in found]
    assert shapes == [[(2, True), (1, True)], [(2, False), (1, True)]]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("training__adapter", {"rank": 2}, "training.adapter is trained by one process"),
        ("training__loss", {"kind": "spo_degree", "loss": {"kind": "dpo"}}, "a head of its own"),
    ],
)
def test_what_one_process_alone_can_train_is_refused_at_once(setting, value, said):
    with pytest.raises(ConfigError, match=said):
        small_config(**{setting: value}, training__processes=2)
