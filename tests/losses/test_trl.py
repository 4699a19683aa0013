"""Where TRL defines the same loss, values and gradients are the same.

Its loss functions are called on log-probabilities made by hand, on stand-ins for trainer and model.
They are no public interface, so the version is bounded closely in pyproject.toml.
"""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from loss_batches import drawn_batch
from loss_cases import loss_of

# What TRL and its dependencies warn of is not ours; importing it takes some ten seconds.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def trl():
    """TRL's trainers by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
        from trl import DPOTrainer, KTOTrainer
        from trl.experimental.cpo import CPOTrainer
        from trl.experimental.orpo import ORPOTrainer
    return SimpleNamespace(dpo=DPOTrainer, kto=KTOTrainer, cpo=CPOTrainer, orpo=ORPOTrainer)


class Says(torch.nn.Module):
    """A model whose log-probabilities are given, one table after the other if there are several."""

    is_gradient_checkpointing = False

    def __init__(self, *log_probs):
        super().__init__()
        self.log_probs = list(log_probs)

    def forward(self, **inputs):
        table = self.log_probs.pop(0)
        rest = ("entropy", "mean_logits", "is_top1", "log_sum_sq_probs")
        return SimpleNamespace(
            log_probs=table, **{name: torch.zeros_like(table, dtype=torch.bool) for name in rest}
        )


def trainer(model, **settings):
    """What a trainer's loss function reads of it."""

    def gathered(values):
        return values

    accelerator = SimpleNamespace(
        device=torch.device("cpu"), gather=gathered, gather_for_metrics=gathered
    )
    defaults = {
        "aux_loss_enabled": False,
        "ld_alpha": None,
        "precompute_ref_logps": False,
        "f_divergence_type": "reverse_kl",
        "loss_weights": [1.0],
        "label_smoothing": 0.0,
        "use_weighting": False,
        "args": SimpleNamespace(gradient_checkpointing=False, gradient_checkpointing_kwargs=None),
        "_metrics": defaultdict(lambda: defaultdict(list)),
        "_total_train_tokens": 0,
        "_tp_size": 1,
    }
    return SimpleNamespace(**defaults | settings, model=model, accelerator=accelerator)


def side_by_side(*sides):
    """Response masks behind one prompt token, and the tokens' log-probabilities, sides stacked."""
    mask = torch.cat([side.mask for side in sides])
    completion = torch.cat([torch.zeros(len(mask), 1), mask], 1).long()
    inputs = {
        "input_ids": torch.ones_like(completion),
        "attention_mask": torch.ones_like(completion),
        "completion_mask": completion,
    }
    return inputs, torch.cat([side.logps * side.mask for side in sides])


def references(*sides):
    return torch.cat([side.reference[0] for side in sides])


def dpo_trainer_loss(trl, batch, **settings):
    """TRL's mean loss over the pairs."""
    inputs, logps = side_by_side(*batch.pair())
    ref_model = Says(references(*batch.pair()))
    stand_in = trainer(Says(logps), ref_model=ref_model, **settings)
    return trl.dpo._compute_loss(stand_in, stand_in.model, inputs, False)


def moved(loss, batch):
    """Gradients of a mean loss into both sides' log-probabilities."""
    sides = [side.logps for side in (batch.chosen, batch.rejected) if side is not None]
    return [one.clone() for one in torch.autograd.grad(loss, sides)]


def assert_same(ours, theirs, batch):
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    for one, other in zip(moved(ours, batch), moved(theirs, batch), strict=True):
        assert one.numpy() == pytest.approx(other.numpy(), rel=1e-5, abs=1e-9)


DPO = {"kind": "dpo", "beta": 0.3}
SAME = [
    (DPO, {"loss_types": ["sigmoid"]}),
    ({"kind": "rso_sigmoid_norm", "gamma": 0.3}, {"loss_types": ["sigmoid"]}),
    ({"kind": "dual_clip_dpo", "beta": 0.3}, {"loss_types": ["sigmoid"]}),
    ({"kind": "rso_hinge_norm", "gamma": 0.3}, {"loss_types": ["hinge"]}),
    ({"kind": "ipo", "beta": 0.3}, {"loss_types": ["ipo"]}),
    ({"kind": "robust", "beta": 0.3, "noise": 0.2}, {"loss_types": ["robust"]}),
    ({"kind": "sppo_hard", "beta": 0.3}, {"loss_types": ["sppo_hard"]}),
    ({"kind": "apo_zero", "beta": 0.3}, {"loss_types": ["apo_zero"]}),
    ({"kind": "sigmoid_norm", "beta": 0.3}, {"loss_types": ["sigmoid_norm"]}),
    ({**DPO, "length_normalised": True}, {"loss_types": ["sigmoid_norm"]}),
]
LIGHTER = [
    *((ours, {**theirs, "ld_alpha": 0.4}) for ours, theirs in SAME),
    (DPO, {"loss_types": ["sigmoid"], "ld_alpha": 0.0}),
]


@pytest.mark.parametrize(("ours", "theirs"), SAME, ids=str)
def test_a_loss_on_pairs_is_that_of_trl(trl, ours, theirs):
    batch = drawn_batch(loss_of(**ours), seed=7)
    expected = dpo_trainer_loss(trl, batch, beta=0.3, **theirs | {"label_smoothing": 0.2})
    assert_same(loss_of(**ours)(batch).loss.mean(), expected, batch)


@pytest.mark.parametrize(("ours", "theirs"), LIGHTER, ids=str)
def test_a_length_desensitised_loss_is_that_of_trl(trl, ours, theirs):
    loss = loss_of("length_desensitised", loss=ours, alpha=theirs["ld_alpha"])
    batch = drawn_batch(loss, seed=7)
    expected = dpo_trainer_loss(trl, batch, beta=0.3, **theirs | {"label_smoothing": 0.2})
    assert_same(loss(batch).loss.mean(), expected, batch)


def test_a_weighted_sum_is_that_of_trl_where_chosen_responses_are_equally_long(trl):
    """TRL's `sft` averages over all tokens of the batch, ours over those of each response."""
    terms = {"dpo": {"loss": DPO}, "sft": {"loss": {"kind": "sft"}, "weight": 0.2}}
    loss = loss_of("weighted_sum", terms=terms)
    batch = equally_long(drawn_batch(loss, seed=7))
    both = {"loss_types": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]}
    assert_same(loss(batch).loss.mean(), dpo_trainer_loss(trl, batch, beta=0.3, **both), batch)


def equally_long(batch):
    """`batch` with every chosen token there."""
    batch.chosen.mask.fill_(1.0)
    return batch


def test_sft_is_that_of_trl_once_responses_weigh_by_their_tokens(trl):
    batch = drawn_batch(loss_of(**DPO), seed=7)
    tokens = batch.chosen.mask.sum(-1)
    ours = (loss_of("sft")(batch).loss * tokens).sum() / tokens.sum()
    theirs = dpo_trainer_loss(trl, batch, beta=0.3, loss_types=["sft"])
    assert ours.item() == pytest.approx(theirs.item())


@pytest.mark.parametrize("seed", range(3))
def test_kto_is_that_of_trl(trl, seed):
    settings = {"beta": 0.3, "desirable_weight": 1.5, "undesirable_weight": 0.5}
    loss = loss_of("kto", **settings)
    batch = drawn_batch(loss, seed, pairs=6)
    inputs, logps = side_by_side(batch.chosen)
    drift_inputs, drift_logps = side_by_side(batch.others["mismatched"])
    inputs |= {f"KL_{name}": values for name, values in drift_inputs.items()}
    inputs["label"] = batch.columns["desirable"].bool()
    ref_model = Says(references(batch.others["mismatched"]), references(batch.chosen))
    model = Says(drift_logps, logps)
    stand_in = trainer(model, ref_model=ref_model, loss_type="kto", calculate_KL=True, **settings)
    stand_in._compute_kl_logps = lambda *args: trl.kto._compute_kl_logps(stand_in, *args)
    theirs = trl.kto._compute_loss(stand_in, model, inputs, False)
    assert_same(loss(batch).loss.mean(), theirs, batch)


def test_the_odds_ratio_is_that_of_trl(trl):
    """Its likelihood term is over prompt and response, ours over the response."""
    batch = drawn_batch(loss_of("orpo"), seed=7)
    [theirs, *_] = trl.orpo.odds_ratio_loss(trainer(None, beta=0.3), *batch.means())
    ours = loss_of("orpo", weight=0.3)(batch).loss - batch.chosen_nll()
    assert ours.tolist() == pytest.approx((-theirs).tolist(), rel=1e-4)


@pytest.mark.parametrize(
    ("ours", "theirs", "mean"),
    [
        ({"kind": "simpo", "beta": 2.0, "margin": 1.0}, "simpo", True),
        ({"kind": "slic_hinge", "gamma": 2.0}, "hinge", False),
    ],
)
def test_losses_without_a_reference_are_those_of_trl(trl, ours, theirs, mean):
    batch = drawn_batch(loss_of(**ours), seed=7)
    stand_in = trainer(None, beta=2.0, alpha=0.0, simpo_gamma=1.0, loss_type=theirs)
    logps = batch.means() if mean else batch.sums()
    [values, *_] = trl.cpo.cpo_loss(stand_in, *logps)
    assert_same(loss_of(**ours)(batch).loss.mean(), values.mean(), batch)
