"""What is reported of a step: worked out by hand, and the same however a batch is cut."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import tiny_model
from training_jobs import (
    groups,
    lines,
    pair_examples,
    plain_model,
    policy_of,
    response_examples,
    run_here,
    train_spec,
    write_examples,
)

from tasks.errors import ConfigError
from tasks.losses.dpo import DPO
from tasks.training.health import (
    averages,
    entropy,
    entropy_stride,
    example_means,
    head_entropy,
    k3,
    sampled_positions,
    totals,
    weighted,
)
from tasks.training.loss_batch import LossBatch, LossResult, Side
from tasks.training.step import make_optimizer, optimizer_step
from tasks.variants import load_variant

ONE = torch.ones(1)


def batch(reference=True):
    """One pair: two chosen tokens, one rejected token and a padded place."""
    return LossBatch(
        chosen=Side(
            logps=torch.tensor([[-1.0, -3.0]]),
            mask=torch.tensor([[1.0, 1.0]]),
            reference=torch.tensor([[[-1.0, -2.0]]]) if reference else None,
        ),
        rejected=Side(
            logps=torch.tensor([[-2.0, 0.0]]),
            mask=torch.tensor([[1.0, 0.0]]),
            reference=torch.tensor([[[-2.0 + math.log(2), 0.0]]]) if reference else None,
        ),
    )


def figures(batch, weights=ONE, **metrics):
    result = LossResult(
        loss=torch.tensor([0.5] * len(weights)),
        metrics={name: torch.tensor(value) for name, value in metrics.items()},
    )
    return averages(totals([example_means("made", batch, result, weights)]))


def test_log_probabilities_and_lengths_are_those_of_the_response_tokens():
    found = figures(batch())
    assert (found["chosen_logp"], found["chosen_logp_per_token"]) == (-4.0, -2.0)
    assert (found["rejected_logp"], found["rejected_logp_per_token"]) == (-2.0, -2.0)
    assert (found["chosen_tokens"], found["rejected_tokens"], found["loss"]) == (2.0, 1.0, 0.5)


def test_the_distance_is_the_mean_of_k3_over_tokens_and_then_over_responses():
    # Chosen: 0 and e^1 - 1 - 1 = 0.71828, mean 0.35914. Rejected: 2 - ln 2 - 1 = 0.30685.
    assert figures(batch())["kl"] == pytest.approx((0.35914091 + 0.30685282) / 2, abs=1e-6)


def test_without_a_reference_there_is_no_distance():
    assert "kl" not in figures(batch(reference=False))


@given(st.floats(-1e4, 0, width=32), st.floats(-1e4, 0, width=32))
def test_k3_is_finite_and_never_negative(logp, reference):
    value = float(k3(torch.tensor(logp), torch.tensor(reference)))
    assert 0 <= value < 1e9
    assert value > 0 or abs(logp - reference) < 1e-2


@pytest.mark.parametrize(
    ("margin", "clipped", "solved"),
    [(3.89, 0.0, 0.0), (3.9, 0.0, 1.0), (2.0, 1.0, 1.0), (-9.0, 0.0, 0.0)],
)
def test_a_pair_is_solved_beyond_a_margin_of_ln_49_or_when_clipped_on_both_sides(
    margin, clipped, solved
):
    assert math.log(49) == pytest.approx(3.8918, abs=1e-4)
    assert figures(batch(), margin=[margin], clipped_both=[clipped])["solved"] == solved


def test_a_loss_without_a_margin_has_no_solved_pairs():
    assert "solved" not in figures(batch())


def test_figures_are_averaged_by_weight_and_one_of_which_there_is_nothing_is_left_out():
    parts = [
        {"a": weighted(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 0.5]))},
        {"a": weighted(torch.tensor([10.0]), torch.tensor([0.5])), "b": weighted(ONE, 0 * ONE)},
    ]
    assert averages(totals(parts)) == {"a": (1 + 2 + 5) / 2}


@pytest.mark.parametrize("name", ["loss", "step", "steps", "kl", "chosen_logp", "other"])
def test_a_metric_that_the_trainer_has_too_is_refused_with_both_names(name):
    with pytest.raises(ConfigError, match=f"the loss 'made' reports a metric '{name}', and so"):
        figures(batch(), **{name: [1.0]})


def test_weight_and_the_columns_that_losses_fill_are_free_names():
    found = figures(batch(), weight=[0.25], clipped_chosen=[1.0])
    assert (found["weight"], found["clipped_chosen"]) == (0.25, 1.0)


def test_a_job_with_a_colliding_loss_ends_as_bad_input_before_its_first_step(tmp_path, monkeypatch):
    plain = DPO.__call__

    def colliding(self, batch):
        result = plain(self, batch)
        return LossResult(loss=result.loss, metrics={**result.metrics, "entropy": result.loss})

    monkeypatch.setattr(DPO, "__call__", colliding)
    write_examples(tmp_path, pair_examples(tiny_model(), 2))
    with pytest.raises(ConfigError, match="the loss 'dpo' reports a metric 'entropy'"):
        run_here(tmp_path, train_spec(tiny_model(), loss={"kind": "dpo"}))
    assert lines(tmp_path / "metrics.jsonl") == []


def test_entropy_is_ln_n_for_n_equal_choices_and_0_for_one():
    logits = torch.tensor([[3.0, 3.0, 3.0, 3.0], [0.0, -torch.inf, -torch.inf, -torch.inf]])
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        values = entropy(logits.to(dtype))
        assert values.dtype == torch.float32
        assert values.tolist() == pytest.approx([math.log(4), 0.0], abs=1e-6)


def test_entropy_through_a_head_holds_a_few_logits_at_a_time_and_no_gradient():
    seen = []
    hidden = torch.randn(150, 8, requires_grad=True)

    def head(part):
        seen.append(len(part))
        return part @ torch.eye(8)

    mean = head_entropy(head, hidden)
    assert seen == [64, 64, 22] and not mean.total.requires_grad
    assert float(mean.total / mean.weight) == pytest.approx(float(entropy(hidden).mean()))
    assert [float(one) for one in head_entropy(head, hidden[:0])] == [0.0, 0.0]


@pytest.mark.parametrize(("tokens", "stride"), [(10, 16), (4096, 16), (4097, 17), (100_000, 391)])
def test_the_sample_is_one_in_sixteen_and_some_256_positions_of_a_large_batch(tokens, stride):
    assert entropy_stride(tokens) == stride


def test_every_stride_th_token_is_sampled_from_a_place_that_the_response_decides():
    # Two responses of 5 tokens: ids sum to 9 and 10, so positions with (p + 9) % 3 == 0: 0, 3;
    # and with (p + 10) % 3 == 0: 2, which is token 7 of all.
    targets = torch.tensor([1, 1, 1, 1, 5, 2, 2, 2, 2, 2])
    assert sampled_positions(targets, torch.tensor([5, 5]), 3).tolist() == [0, 3, 7]


RESPONSES = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=9), min_size=1, max_size=6)


@given(RESPONSES, st.integers(1, 20), st.randoms(use_true_random=False))
def test_what_is_sampled_of_a_response_depends_on_nothing_but_itself(responses, stride, random_):
    def sampled(members):
        """(response, position) of what is sampled where `members` come together in this order."""
        lengths = [len(responses[one]) for one in members]
        owners = [(one, place) for one in members for place in range(len(responses[one]))]
        tokens = torch.tensor([token for one in members for token in responses[one]])
        return {owners[i] for i in sampled_positions(tokens, torch.tensor(lengths), stride)}

    order = list(range(len(responses)))
    random_.shuffle(order)
    together, alone = sampled(order), set().union(*(sampled([one]) for one in order))
    assert together == alone


@pytest.fixture(scope="module")
def model():
    return tiny_model(seed=1)


@settings(max_examples=8, deadline=None)
@given(tokens=st.integers(17, 400), order=st.permutations(range(4)))
def test_figures_do_not_depend_on_how_a_batch_is_cut(tokens, order, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    examples = pair_examples(tiny_model(), 4)
    loss = load_variant("tasks.losses", "dual_clip_dpo", chosen_ceiling=0.1)
    found = []
    for prompts, budget in ((range(4), 100_000), (order, tokens)):
        policy = policy_of(model)
        packed = groups(folder, examples, prompts, budget)
        optimizer = make_optimizer(policy, (0.9, 0.999), 0.0)
        found.append(optimizer_step(policy, loss, packed, 4, optimizer, 1.0).metrics)
    whole, cut = found
    assert {"kl", "entropy", "solved", "clipped_chosen", "chosen_logp_per_token"} <= whole.keys()
    assert cut.keys() == whole.keys()
    assert cut == pytest.approx(whole, rel=1e-4, abs=1e-6)


@torch.no_grad()
def test_the_entropy_of_a_step_is_that_of_the_model_at_the_sampled_positions(model, tmp_path):
    rows = response_examples(6)
    policy, oracle = policy_of(model), plain_model(model)
    packed = groups(tmp_path, rows, range(6), 100_000, "sft")
    expected = []
    for row in rows:
        logps = oracle(torch.tensor([[*row.prompt_ids, *row.chosen_ids]])).logits[0].log_softmax(-1)
        offset = sum(row.chosen_ids)
        expected += [
            -float((logps[at].exp() * logps[at]).sum())
            for place in range(len(row.chosen_ids))
            if (place + offset) % 16 == 0
            for at in [len(row.prompt_ids) + place - 1]
        ]
    optimizer = make_optimizer(policy, (0.9, 0.999), 0.0)
    with torch.enable_grad():
        step = optimizer_step(
            policy, load_variant("tasks.losses", "sft"), packed, 6, optimizer, 1.0
        )
    assert len(expected) >= 1
    assert step.metrics["entropy"] == pytest.approx(sum(expected) / len(expected), rel=1e-4)
