"""What every loss keeps to, under every setting that changes its formula."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from loss_batches import drawn_batch, gradients, rewards_batch, sides_of
from loss_cases import CASES, loss_of, name_of
from loss_oracles import ORACLES, values
from oracle_examples import examples_of

from tasks.variants import kinds

each_case = pytest.mark.parametrize("case", CASES, ids=name_of)
PAIR_CASES = [case for case in CASES if loss_of(**case).EXAMPLES_KIND == "pair"]
AGAINST_THE_LABEL = {"upo-as_released=True-certainty_exponent=2.0"}
"""Printed as they are in their papers, these push the wrong way; the corrected ones do not."""


def test_every_kind_is_among_the_cases_and_has_an_oracle():
    assert {case["kind"] for case in CASES} == set(kinds("tasks.losses")) == set(ORACLES)


@each_case
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_that_of_the_formula(case, seed):
    batch = drawn_batch(loss_of(**case), seed)
    ours = loss_of(**case)(batch).loss
    assert ours.tolist() == pytest.approx(values(case, examples_of(batch)), rel=1e-10, abs=1e-12)


def measured_gradient(case, batch, name):
    """d sum of losses / d logp of each token of one side, by central differences."""
    side = sides_of(batch)[name]
    at = side.logps.detach().numpy()
    found = np.zeros_like(at)
    for place in zip(*np.nonzero(side.mask.numpy()), strict=True):
        ends = []
        for step in (1e-6, -1e-6):
            moved = at.copy()
            moved[place] += step
            ends.append(sum(values(case, examples_of(batch, {name: moved}))))
        found[place] = (ends[0] - ends[1]) / 2e-6
    return found


@each_case
def test_gradients_are_those_of_the_formula(case):
    loss = loss_of(**case)
    batch = drawn_batch(loss, seed=5, pairs=3)
    loss(batch).loss.sum().backward()
    for name, side in sides_of(batch).items():
        ours = np.zeros(side.mask.shape) if side.logps.grad is None else side.logps.grad.numpy()
        assert ours == pytest.approx(measured_gradient(case, batch, name), abs=2e-7), name


@each_case
def test_only_policy_and_head_get_gradients(case):
    loss = loss_of(**case)
    batch = drawn_batch(loss)
    constants = [*batch.columns.values()]
    for side in sides_of(batch).values():
        constants += [side.reference, *side.columns.values()]
    result = loss(batch)
    assert not any(constant.requires_grad for constant in constants)
    assert not any(metric.requires_grad for metric in result.metrics.values())
    assert {tuple(one.shape) for one in (result.loss, *result.metrics.values())} == {(4,)}


FOLLOWING = [case for case in CASES if case["kind"].startswith("inverse_q")]


@pytest.mark.parametrize("case", FOLLOWING, ids=name_of)
def test_a_teacher_that_nobody_detached_gets_no_gradient(case):
    batch = drawn_batch(loss_of(**case))
    teacher = batch.chosen.columns["teacher"].clone().requires_grad_()
    chosen = replace(batch.chosen, columns={"teacher": teacher})
    loss_of(**case)(replace(batch, chosen=chosen)).loss.sum().backward()
    assert teacher.grad is None and chosen.logps.grad.abs().sum() > 0


@each_case
def test_padding_says_nothing(case):
    loss = loss_of(**case)
    batch = drawn_batch(loss)

    def dirty(side):
        if side is None:
            return None
        junk = (1 - side.mask) * -7.0
        return replace(side, logps=side.logps.detach() + junk, reference=side.reference + 2 * junk)

    others = {name: dirty(side) for name, side in batch.others.items()}
    changed = replace(
        batch, chosen=dirty(batch.chosen), rejected=dirty(batch.rejected), others=others
    )
    assert torch.equal(loss(changed).loss, loss(batch).loss)


def far(side, sign):
    """Responses whose policy and reference are ten thousand nats apart, one way or the other."""
    if side is None:
        return None
    logps = torch.where(torch.arange(4)[:, None] % 2 == sign, -1e4, -1e-3) * side.mask.float()
    return replace(
        side,
        logps=logps.requires_grad_(),
        mask=side.mask.float(),
        reference=torch.stack([-0.5 * side.mask.float(), -2e4 * side.mask.float()]),
        columns={name: column.float() for name, column in side.columns.items()},
    )


@each_case
def test_losses_and_gradients_are_finite_at_ten_thousand_nats_a_token(case):
    loss = loss_of(**case)
    drawn = drawn_batch(loss)
    batch = replace(
        drawn,
        chosen=far(drawn.chosen, 0),
        rejected=far(drawn.rejected, 1),
        others={name: far(side, 0) for name, side in drawn.others.items()},
    )
    result = loss(batch)
    result.loss.sum().backward()
    grads = [one.logps.grad for one in sides_of(batch).values() if one.logps.grad is not None]
    assert all(torch.isfinite(one).all() for one in (result.loss, *result.metrics.values(), *grads))


@pytest.mark.parametrize("case", PAIR_CASES, ids=name_of)
def test_an_undecided_pair_is_pulled_apart(case):
    """Where chosen and rejected are equally likely, chosen rises and rejected falls."""
    loss = loss_of(**case)
    undecided = rewards_batch([(-1.0, -1.0)] * 4)
    drawn = drawn_batch(loss)
    ones = {"edited": torch.ones(4, 1), "segment": torch.ones(4, 1)}
    certain = {"p_chosen": 0.9, "margin": 0.8, "uncertainty": 0.1}

    def one_token(side):
        names = {name for _, name in loss.TOKEN_COLUMNS}
        two = side.reference.expand(2, -1, -1)
        return replace(side, reference=two - 1.0, columns={name: ones[name] for name in names})

    batch = replace(
        undecided,
        chosen=one_token(undecided.chosen),
        rejected=one_token(undecided.rejected),
        columns={name: torch.full((4,), certain[name]).double() for name in loss.REQUIRES},
        others=drawn.others,
        degrees=drawn.degrees,
    )
    _, chosen, rejected = gradients(loss, batch)
    if name_of(case) in AGAINST_THE_LABEL:
        assert min(chosen) > 0 > max(rejected)
    else:
        assert max(chosen) < 0 < min(rejected)


@pytest.mark.parametrize(
    "case", [case for case in CASES if not loss_of(**case).USES_REFERENCE], ids=name_of
)
def test_a_loss_that_declares_no_reference_needs_none(case):
    loss = loss_of(**case)
    batch = drawn_batch(loss)
    bare = replace(
        batch,
        chosen=replace(batch.chosen, reference=None),
        rejected=replace(batch.rejected, reference=None) if batch.rejected else None,
    )
    assert torch.equal(loss(bare).loss, loss(batch).loss)


@each_case
def test_an_example_is_alone_unless_batch_statistics_are_declared(case):
    loss = loss_of(**case)
    batch = drawn_batch(loss, seed=2)
    whole = loss(batch).loss
    first = loss(first_example(batch)).loss
    assert (torch.equal(first, whole[:1])) != loss.BATCH_STATISTICS


def first_example(batch):
    def first(side):
        if side is None:
            return None
        return replace(
            side,
            logps=side.logps[:1],
            mask=side.mask[:1],
            reference=side.reference[:, :1],
            columns={name: column[:1] for name, column in side.columns.items()},
        )

    degrees = batch.degrees
    if degrees is not None:
        own = degrees.pairs == 0
        degrees = replace(
            degrees,
            logits=degrees.logits[own],
            labels=degrees.labels[own],
            pairs=degrees.pairs[own],
        )
    return replace(
        batch,
        chosen=first(batch.chosen),
        rejected=first(batch.rejected),
        columns={name: column[:1] for name, column in batch.columns.items()},
        others={name: first(side) for name, side in batch.others.items()},
        degrees=degrees,
    )
