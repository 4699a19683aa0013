import numpy as np
import pytest
import torch
from tiny_models import tiny_model
from training_jobs import CPU, EOS, example, ids, opened, pair_examples, policy_of, rows_of, side

from tasks.errors import DataError
from tasks.records import TrainingExample
from tasks.training.batches import Row, group_prompt, micro_batches, pack_rows
from tasks.training.examples import batch_prompts
from tasks.training.logprobs import token_logps


def test_each_distinct_response_of_a_prompt_is_one_row(tmp_path):
    examples = opened(tmp_path, pair_examples(tiny_model(), num_prompts=2))
    group = group_prompt(examples, examples.prompts[1])
    assert len(group.rows) == 3
    assert group.pairs == [(0, 1), (2, 0), (1, 2)]


def test_masked_positions_are_exactly_the_response_ids():
    rows = rows_of((5, 3), (2, 7), (4, 1))
    packed = pack_rows(rows, CPU)
    flat = packed.ids_RL.reshape(-1)
    assert flat[packed.predicts_N + 1].tolist() == packed.targets_N.tolist()
    assert packed.targets_N.tolist() == [token for row in rows for token in row.response]
    assert packed.response_mask_RT.sum(1).tolist() == [3, 7, 1]
    assert packed.mask_RL.sum(1).tolist() == [8, 9, 5]


def test_an_eos_inside_the_rows_is_no_padding_where_pad_is_eos():
    folder = tiny_model("llama", pad_is_eos=True)
    rows = [
        Row(prompt=np.array([2, EOS, 9]), response=np.array([40, EOS])),
        Row(prompt=np.array([7]), response=np.array(ids(1, 9))),
    ]
    packed = pack_rows(rows, CPU)
    assert packed.mask_RL[0].tolist() == [1] * 5 + [0] * 5
    policy = policy_of(folder)
    alone = token_logps(policy, pack_rows(rows[:1], CPU))
    torch.testing.assert_close(token_logps(policy, packed)[0, :2], alone[0])


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gpt2"])
def test_padding_and_neighbours_do_not_leak(kind):
    policy, rows = policy_of(tiny_model(kind)), rows_of((5, 3), (2, 30), (9, 12))
    together = token_logps(policy, pack_rows(rows, CPU))
    for place, row in enumerate(rows):
        alone = token_logps(policy, pack_rows([row], CPU))[0]
        torch.testing.assert_close(together[place, : len(row.response)], alone, atol=2e-5, rtol=0)
        assert not together[place, len(row.response) :].any()


def test_what_fills_the_padding_changes_nothing():
    policy, packed = policy_of(tiny_model("qwen2")), pack_rows(rows_of((5, 3), (2, 30)), CPU)
    before = token_logps(policy, packed)
    packed.ids_RL[packed.mask_RL == 0] = 300
    assert torch.equal(token_logps(policy, packed), before)


def test_a_head_in_chunks_gives_the_same_values_and_gradients(monkeypatch):
    policy, packed = policy_of(tiny_model("llama")), pack_rows(rows_of((5, 13), (2, 30)), CPU)
    results = []
    for elements in (1 << 26, 384 * 10):
        monkeypatch.setattr("tasks.training.logprobs.HEAD_ELEMENTS", elements)
        policy.model.zero_grad()
        logps = token_logps(policy, packed)
        logps.sum().backward()
        results.append((logps.detach(), [p.grad.clone() for p in policy.parameters.values()]))
    torch.testing.assert_close(results[0], results[1])


def test_micro_batches_keep_prompts_whole_and_the_budget(tmp_path):
    examples = opened(tmp_path, pair_examples(tiny_model(), num_prompts=6))
    batches = micro_batches(examples, range(6), 100, CPU)
    assert sum(len(batch.pairs_P2) for batch in batches) == 18
    assert all(batch.rows.ids_RL.numel() <= 100 for batch in batches)
    assert all(len(batch.rows.ids_RL) % 3 == 0 for batch in batches)


def test_a_prompt_above_the_budget_comes_alone(tmp_path):
    examples = opened(tmp_path, pair_examples(tiny_model(), num_prompts=3))
    assert [len(batch.pairs_P2) for batch in micro_batches(examples, range(3), 1, CPU)] == [3] * 3


def test_reference_scores_stay_with_their_responses(tmp_path):
    records = pair_examples(tiny_model(), num_prompts=4)
    by_id = {record.example_id: record for record in records}
    examples = opened(tmp_path, records)
    for batch, prompt in ((micro_batches(examples, [p], 64, CPU)[0], p) for p in (3, 1, 0, 2)):
        for pair, name in zip(batch.pairs_P2.tolist(), ("01", "20", "12"), strict=True):
            wanted = by_id[f"{prompt}-{name}"]
            for row, logps in zip(pair, (wanted.chosen_logps, wanted.rejected_logps), strict=True):
                found = batch.reference_KRT[0, row, : len(logps)]
                torch.testing.assert_close(found, torch.tensor(logps))


def scored_twice(workdir, *scores):
    """One chosen response with several reference scores."""
    fields = [
        example(str(k), 0, [6, 7], 0.5) | side("chosen", [8], [score]) | side("rejected", [9], [-1])
        for k, score in enumerate(scores)
    ]
    return opened(workdir, [TrainingExample(**row) for row in fields])


def test_equal_responses_scored_in_other_batches_are_one_row(tmp_path):
    examples = scored_twice(tmp_path, -2.0, -2.000001)
    assert len(micro_batches(examples, [0], 64, CPU)[0].rows.ids_RL) == 2


def test_one_response_with_two_reference_scores_is_refused(tmp_path):
    examples = scored_twice(tmp_path, -2.0, -4.0)
    with pytest.raises(DataError, match="other reference log-probabilities"):
        micro_batches(examples, [0], 64, CPU)


def test_every_epoch_goes_over_all_prompts_in_its_own_order():
    epochs = [[batch_prompts(7, 3, 11, 3 * epoch + k) for k in range(3)] for epoch in range(2)]
    orders = [[int(prompt) for batch in epoch for prompt in batch] for epoch in epochs]
    assert [sorted(order) for order in orders] == [list(range(7))] * 2
    assert orders[0] != orders[1]
    assert [len(batch) for batch in epochs[0]] == [3, 3, 1]
