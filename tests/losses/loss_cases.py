"""Each loss under the settings that change its formula."""

from tasks.variants import load_variant

DPO, SFT = {"kind": "dpo"}, {"kind": "sft"}
CASES = [
    {"kind": "apo_zero"},
    {"kind": "bmc", "beta": 0.3},
    {"kind": "bmc", "beta": 0.3, "extra_weight_cap": 4.0, "as_released": True},
    {"kind": "cdpo", "noise": 0.2},
    {"kind": "dpo", "beta": 0.5},
    {"kind": "dpo", "sft_weight": 0.2, "length_normalised": True},
    {"kind": "dual_clip_dpo", "beta": 1.0, "chosen_ceiling": 0.8, "rejected_floor": -0.1},
    {"kind": "dual_clip_dpo", "beta": 1.0, "form": "box", "chosen_ceiling": 0.8},
    {"kind": "dual_clip_dpo", "beta": 0.5, "bounds_in": "log_ratio", "chosen_ceiling": 0.8},
    {"kind": "dual_clip_dpo", "form": "ratio"},
    {"kind": "dual_clip_dpo", "form": "penalty", "beta": 1.0, "penalties": (0.5, 2.0)},
    {"kind": "inverse_q"},
    {"kind": "inverse_q", "clip": 0.2, "reduction": "sum"},
    {"kind": "inverse_q", "clip": None},
    {"kind": "inverse_q_kl"},
    {"kind": "inverse_q_kl", "weight_cap": 1.2, "reduction": "sum"},
    {"kind": "inverse_q_kl", "weight_cap": 1e6},
    {"kind": "ipo", "beta": 0.2},
    {"kind": "ipo", "length_normalised": False},
    {"kind": "kto", "desirable_weight": 1.5, "undesirable_weight": 0.5},
    {"kind": "label_smoothing", "loss": DPO, "noise": 0.2},
    {"kind": "label_smoothing", "loss": {"kind": "rpo_2405_16436", "eta": 0.5}},
    {"kind": "label_smoothing", "loss": {"kind": "sapo_orpo", "tokens": "segment"}},
    {"kind": "length_desensitised", "loss": {"kind": "dpo", "sft_weight": 0.3}, "alpha": 0.3},
    {"kind": "length_desensitised", "loss": {"kind": "simpo"}},
    {"kind": "length_desensitised", "loss": {"kind": "bmc"}},
    {"kind": "mmpo"},
    {"kind": "mmpo", "margin_scale": 2.2},
    {"kind": "mrpo", "beta": 1.0},
    {"kind": "mrpo", "beta": 1.0, "mean": "geometric", "weights": (0.3, 0.7)},
    {"kind": "mrpo", "beta": 1.0, "clip": 0.02, "clip_by_length": False, "as_released": True},
    {"kind": "orpo"},
    {"kind": "robust"},
    {"kind": "rpo_2405_16436"},
    {"kind": "rpo_2405_16436", "reduction": "mean"},
    {"kind": "rso_hinge_norm", "gamma": 0.5},
    {"kind": "rso_sigmoid_norm"},
    {"kind": "sapo_dpo"},
    {"kind": "sapo_dpo", "tokens": "segment"},
    {"kind": "sapo_orpo"},
    {"kind": "selm", "alpha": 0.5},
    {"kind": "selm", "alpha": 0.5, "reduction": "mean"},
    {"kind": "selm", "alpha": 0.5, "as_released": True},
    {"kind": "sft"},
    {"kind": "sigmoid_norm"},
    {"kind": "simpo"},
    {"kind": "slic_hinge", "gamma": 0.5},
    {"kind": "spo_degree", "loss": DPO},
    {"kind": "sppo", "beta": 0.2},
    {"kind": "sppo_hard", "beta": 0.2},
    {"kind": "upo"},
    {"kind": "upo", "as_released": True, "certainty_exponent": 2.0},
    {"kind": "weighted_sum", "terms": {"a": {"loss": DPO}, "b": {"loss": SFT, "weight": 0.2}}},
]


def name_of(case):
    """A short name for a test."""
    rest = [f"{key}={value}" for key, value in case.items() if key not in ("kind", "loss", "terms")]
    inner = [case["loss"]["kind"]] if "loss" in case else []
    return "-".join([case["kind"], *inner, *rest])


def loss_of(kind, **settings):
    """A loss by its kind."""
    return load_variant("tasks.losses", kind, **settings)


def only(loss, batch):
    """The loss of the one example of `batch`."""
    [value] = loss(batch).loss.tolist()
    return value
