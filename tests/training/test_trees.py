import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import tiny_model
from training_jobs import (
    CPU,
    EOS,
    example,
    groups,
    ids,
    opened,
    pair_examples,
    parts_of,
    policy_of,
    side,
    tree_logps,
)

from tasks.errors import DataError
from tasks.records import TrainingExample
from tasks.training.batches import pack_parts
from tasks.training.examples import batch_prompts
from tasks.training.logprobs import HEAD_ELEMENTS
from tasks.training.packing import pack
from tasks.training.trees import Branch, Part, Tree, tree_of


def tree(prompt, *responses):
    return Tree(trunk=np.arange(prompt), branches=[Branch(np.arange(one)) for one in responses])


def test_each_distinct_response_of_a_prompt_is_one_branch(tmp_path):
    examples = opened(tmp_path, pair_examples(tiny_model(), num_prompts=2))
    found = tree_of(examples, examples.prompts[1])
    assert len(found.branches) == 3
    assert found.sides == [(0, 1), (2, 0), (1, 2)]


def test_a_packed_tree_holds_the_prompt_once_and_predicts_exactly_the_response_tokens():
    [part, other] = parts_of((5, [3, 2]), (2, [7]))
    packed = pack_parts([part, other], CPU)
    assert packed.layout.ids_1S.shape == (1, 5 + 3 + 2 + 2 + 7)
    assert packed.targets_N.tolist() == [
        token for one in (part, other) for branch in one.branches for token in branch.tokens
    ]
    assert packed.predicts_N.tolist() == [4, 5, 6, 4, 8, 11, *range(12, 18)]
    assert packed.layout.positions_1S[0].tolist() == [
        0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 0, 1, 2, 3, 4, 5, 6, 7, 8
    ]  # fmt: skip


def test_an_eos_in_the_middle_is_no_end_where_pad_is_eos():
    policy = policy_of(tiny_model("llama", pad_is_eos=True))
    parts = [
        Part(trunk=np.array([2, EOS, 9]), branches=[Branch(np.array([40, EOS]))], first=0),
        Part(trunk=np.array([7]), branches=[Branch(np.array(ids(1, 9)))], first=1),
    ]
    [alone] = tree_logps(policy, parts[:1])
    torch.testing.assert_close(tree_logps(policy, parts)[0], alone)


@pytest.mark.parametrize(
    ("kind", "config"),
    [("qwen2", {}), ("llama", {}), ("gpt2", {}), ("mistral", {"sliding_window": 6})],
)
def test_changing_one_tree_leaves_the_others_bit_equal(kind, config):
    policy = policy_of(tiny_model(kind, **config))
    first, second, third = parts_of((5, [3, 9]), (8, [4, 4, 6]), (2, [30]))
    changed = Part(
        trunk=second.trunk[::-1].copy(),
        branches=[Branch(branch.tokens[::-1].copy()) for branch in second.branches],
        first=0,
    )
    before = tree_logps(policy, [first, second, third])
    after = tree_logps(policy, [first, changed, third])
    assert [torch.equal(one, other) for one, other in zip(before, after, strict=True)] == [
        True, True, False, False, False, True
    ]  # fmt: skip


def test_a_head_in_chunks_gives_the_same_values_and_gradients(monkeypatch):
    policy, parts = policy_of(tiny_model("llama")), parts_of((5, [13]), (2, [30]))
    results = []
    for elements in (1 << 22, 384 * 10):
        monkeypatch.setitem(HEAD_ELEMENTS, "cpu", elements)
        policy.model.zero_grad()
        logps = torch.cat(tree_logps(policy, parts))
        logps.sum().backward()
        results.append((logps.detach(), [p.grad.clone() for p in policy.parameters.values()]))
    torch.testing.assert_close(results[0], results[1])


def test_trees_fill_packs_the_largest_first_and_the_fullest_that_has_room():
    packed = pack([tree(1, 2), tree(1, 6), tree(1, 4), tree(1, 1), tree(1, 2)], 10)
    assert [[one.trees for one in group] for group in packed] == [[[1, 0]], [[2, 4, 3]]]


@given(
    st.lists(
        st.tuples(st.integers(1, 20), st.lists(st.integers(1, 20), min_size=1, max_size=6)),
        min_size=1,
        max_size=12,
    ),
    st.integers(40, 120),
)
def test_every_branch_is_packed_once_within_the_budget(shapes, budget):
    trees = [tree(prompt, *responses) for prompt, responses in shapes]
    groups = pack(trees, budget)
    packs = [one for group in groups for one in group]
    assert all(one.num_tokens <= budget for one in packs)
    places = [
        part.first + number
        for one in packs
        for part in one.parts
        for number in range(len(part.branches))
    ]
    assert sorted(places) == list(range(sum(len(one.branches) for one in trees)))
    assert all(len({tree for one in group for tree in one.trees}) == 1 or len(group) == 1
               for group in groups)  # fmt: skip


def test_a_tree_above_the_budget_is_split_by_responses_with_its_prompt_repeated():
    [group] = pack([tree(4, 3, 3, 3)], 10)
    assert [len(one.parts[0].branches) for one in group] == [2, 1]
    assert [one.num_tokens for one in group] == [10, 7]


def test_a_tree_above_the_budget_stops_the_run_by_setting():
    with pytest.raises(DataError, match=r"its 3 responses has 13 tokens, .* is 10"):
        pack([tree(4, 3, 3, 3)], 10, "refuse")


def test_one_response_above_the_budget_is_refused_with_the_numbers():
    with pytest.raises(DataError, match=r"one response has 12 tokens, .* is 10; raise it to 12"):
        pack([tree(4, 8)], 10)


def test_reference_scores_stay_with_their_responses(tmp_path):
    records = pair_examples(tiny_model(), num_prompts=4)
    by_id = {record.example_id: record for record in records}
    for prompt in (3, 1, 0, 2):
        [group] = groups(tmp_path, records, [prompt], 64)
        for row, name in enumerate(("01", "20", "12")):
            wanted = by_id[f"{prompt}-{name}"]
            for which, logps in [("chosen", wanted.chosen_logps),
                                 ("rejected", wanted.rejected_logps)]:  # fmt: skip
                found = group.reference_KBT[0, group.sides[which][row], : len(logps)]
                torch.testing.assert_close(found, torch.tensor(logps))


def scored_twice(workdir, *scores):
    """One chosen response with several reference scores."""
    fields = [
        example(str(k), 0, [6, 7], 0.5) | side("chosen", [8], [score]) | side("rejected", [9], [-1])
        for k, score in enumerate(scores)
    ]
    return [TrainingExample(**row) for row in fields]


def test_equal_responses_scored_in_other_batches_are_one_branch(tmp_path):
    [group] = groups(tmp_path, scored_twice(tmp_path, -2.0, -2.000001), [0], 64)
    assert len(group.mask_BT) == 2


def test_one_response_with_two_reference_scores_is_refused(tmp_path):
    with pytest.raises(DataError, match="two reference log-probabilities"):
        groups(tmp_path, scored_twice(tmp_path, -2.0, -4.0), [0], 64)


def test_several_references_of_a_response_come_one_after_the_other(tmp_path):
    fields = example("0", 0, [6, 7], 1.0)
    fields |= side("chosen", [8, 9], [-1.0, -2.0, -3.0, -4.0]) | side("rejected", [9], [-5.0, -6.0])
    [group] = groups(tmp_path, [TrainingExample(**fields)], [0], 64)
    assert group.reference_KBT.tolist() == [[[-1, -2], [-5, 0]], [[-3, -4], [-6, 0]]]


def test_one_prompt_rendered_in_two_ways_is_refused(tmp_path):
    fields = [
        example(str(k), 0, [6, 7 + k], 0.5)
        | side("chosen", [8], [-1])
        | side("rejected", [9], [-1])
        for k in range(2)
    ]
    with pytest.raises(DataError, match="other prompt tokens"):
        groups(tmp_path, [TrainingExample(**row) for row in fields], [0], 64)


def test_every_epoch_goes_over_all_prompts_in_its_own_order():
    epochs = [[batch_prompts(7, 3, 11, 3 * epoch + k) for k in range(3)] for epoch in range(2)]
    orders = [[int(prompt) for batch in epoch for prompt in batch] for epoch in epochs]
    assert [sorted(order) for order in orders] == [list(range(7))] * 2
    assert orders[0] != orders[1]
    assert [len(batch) for batch in epochs[0]] == [3, 3, 1]
