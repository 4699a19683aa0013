"""Every loss again, example by example from its formula, in numpy and float64."""

import math
from dataclasses import replace

import numpy as np
from teacher_oracles import inverse_q, inverse_q_kl


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def cost(z):
    """-log sigmoid(z)."""
    return float(np.logaddexp(0, -z))


def dpo(e, s, _):
    h = e.mean_h if s.get("length_normalised") else e.h
    return cost(s.get("beta", 0.1) * h) + s.get("sft_weight", 0) * e.mean_nll


def dual_clip_dpo(e, s, _):
    beta, form = s.get("beta", 0.1), s.get("form", "saturating")
    unit = beta if s.get("bounds_in") == "log_ratio" else 1
    top, bottom = unit * s.get("chosen_ceiling", 2.0), unit * s.get("rejected_floor", -2.0)
    w, r = beta * e.chosen.ratio, beta * e.rejected.ratio
    if form == "saturating":
        return cost(min(w, top) - max(r, bottom))
    if form == "box":
        return cost(min(max(w, bottom), top) - min(max(r, bottom), top))
    if form == "penalty":
        up, down = s.get("penalties", (1.0, 1.0))
        return cost(w - r) + up * max(-w, 0) + down * max(bottom - r, 0)
    most, least, cap = s.get("ratio_bounds", (1.2, 0.8, 3.0))
    rho_w = math.exp(e.chosen.ratio / len(e.chosen))
    rho_l = math.exp(e.rejected.ratio / len(e.rejected))
    return -(min(rho_w, most) - max(min(rho_l, cap), least))


def mmpo(e, s, _):
    scale = s.get("margin_scale")
    p = e.columns["p_chosen"] if scale is None else sigmoid(scale * e.columns["margin"])
    m = s.get("beta", 0.1) * e.h
    return p * cost(m) + (1 - p) * cost(-m)


def cdpo(e, s, _):
    m, noise = s.get("beta", 0.1) * e.h, s.get("noise", 0.1)
    return (1 - noise) * cost(m) + noise * cost(-m)


def robust(e, s, _):
    m, noise = s.get("beta", 0.1) * e.h, s.get("noise", 0.1)
    return ((1 - noise) * cost(m) - noise * cost(-m)) / (1 - 2 * noise)


def upo(e, s, all_examples):
    m, weight = s.get("beta", 0.1) * e.h, s.get("sft_weight", 0.1)
    if not s.get("as_released"):
        alpha = s.get("alpha_max", 0.4) * e.columns["uncertainty"] / math.log(2)
        return (1 - alpha) * cost(m) + alpha * cost(-m) + weight * e.mean_nll
    mu = s.get("certainty_exponent", 1.0)
    certain = [(1 - one.columns["uncertainty"]) ** mu for one in all_examples]
    share = (1 - e.columns["uncertainty"]) ** mu / sum(certain)
    alpha = 1 / (share + 1)
    return (1 - alpha) * cost(m) + alpha * cost(-m) - weight * e.mean_nll


def bmc(e, s, _):
    cap = s.get("extra_weight_cap", 1.5)

    def reward(one):
        lam = 1 + one.columns["edited"] * np.minimum(1 / np.exp(one.frozen), cap)
        own = 1 + one.columns["edited"] * np.minimum(1 / np.exp(one.references[0]), cap)
        of_reference = own if s.get("as_released") else lam
        return (one.weights * (lam * one.logps - of_reference * one.references[0])).sum()

    return cost(s.get("beta", 0.01) * (reward(e.chosen) - reward(e.rejected)))


def segment_of(e, s):
    if s.get("tokens", "response") == "response":
        return e

    def part(one):
        return replace(one, weights=one.weights * one.columns["segment"])

    return replace(
        e, chosen=part(e.chosen), rejected=part(e.rejected), imitated=e.imitated or e.chosen
    )


def orpo(e, s, _):
    def log_odds(one):
        lp = one.logp / len(one)
        return lp - math.log(1 - math.exp(min(lp, -1e-6)))

    return e.mean_nll + s.get("weight", 0.1) * cost(log_odds(e.chosen) - log_odds(e.rejected))


def sapo_orpo(e, s, _):
    return orpo(segment_of(e, s), {"weight": s.get("weight", 0.05)}, _)


def selm(e, s, _):
    beta, alpha = s.get("beta", 0.01), s.get("alpha", 0.001)
    own = e.others["explored"]
    ratio = own.ratio / (len(own) if s.get("reduction") == "mean" else 1)
    return cost(beta * e.h) + alpha * (1 if s.get("as_released") else beta) * ratio


def rpo(e, s, _):
    beta, eta = s.get("beta", 0.1), s.get("eta", 0.005)
    extra = eta * beta * e.nll if s.get("reduction", "sum") == "sum" else eta * e.mean_nll
    return cost(beta * e.h) + extra


def mrpo(e, s, _):
    number = len(e.chosen.references)
    refs = [[side.reference(k) for k in range(number)] for side in (e.chosen, e.rejected)]
    preferred = [abs(refs[0][k] - refs[1][k]) for k in range(number)]
    alpha = s.get("weights") or [one / sum(preferred) for one in preferred]
    alpha = alpha[::-1] if s.get("as_released") else alpha
    clip, virtual = s.get("clip", 0.1), []
    b = [abs(sum(one) / number) for one in refs]
    for side, own in zip(refs, b, strict=True):
        share = own / sum(b) if s.get("clip_by_length", True) else 1
        low, high = side[0] * (1 + clip * share), side[0] * (1 - clip * share)
        kept = [min(max(one, low), high) for one in side]
        if s.get("mean", "harmonic") == "geometric":
            virtual.append(sum(a * one for a, one in zip(alpha, kept, strict=True)))
        else:
            virtual.append(
                -math.log(sum(a / math.exp(v) for a, v in zip(alpha, kept, strict=True)))
            )
    m = (e.chosen.logp - virtual[0]) - (e.rejected.logp - virtual[1])
    return cost(s.get("beta", 0.1) * m)


def kto(e, s, all_examples):
    beta = s.get("beta", 0.1)
    drift = [one.others["mismatched"] for one in all_examples]
    kl = max(0, sum((one.frozen - one.references[0]).sum() for one in drift) / len(drift))
    up, p = sigmoid(beta * (e.chosen.ratio - kl)), e.columns["desirable"]
    return p * s.get("desirable_weight", 1) * (1 - up) + (1 - p) * s["undesirable_weight"] * up


def ipo(e, s, _):
    h = e.mean_h if s.get("length_normalised", True) else e.h
    return (h - 1 / (2 * s.get("beta", 0.1))) ** 2


def sppo_hard(e, s, _):
    goal = 1 / (2 * s.get("beta", 0.1))
    return (e.chosen.ratio - goal) ** 2 + (e.rejected.ratio + goal) ** 2


def apo_zero(e, s, _):
    beta = s.get("beta", 0.1)
    return 1 - sigmoid(beta * e.chosen.ratio) + sigmoid(beta * e.rejected.ratio)


def simpo(e, s, _):
    gap = e.chosen.logp / len(e.chosen) - e.rejected.logp / len(e.rejected)
    return cost(s.get("beta", 2.0) * gap - s.get("margin", 1.0))


def label_smoothing(e, s, all_examples):
    turned = replace(e, chosen=e.rejected, rejected=e.chosen, imitated=e.imitated or e.chosen)
    noise = s.get("noise", 0.1)
    straight = value(s["loss"], e, all_examples)
    return (1 - noise) * straight + noise * value(s["loss"], turned, all_examples)


def length_desensitised(e, s, all_examples):
    shared = min(len(e.chosen), len(e.rejected))

    def weighed(one):
        tail = np.where(np.arange(len(one)) < shared, 1.0, s.get("alpha", 0.5))
        return replace(one, weights=one.weights * tail)

    imitated = e.imitated or e.chosen
    pair = {"chosen": weighed(e.chosen), "rejected": weighed(e.rejected)}
    return value(s["loss"], replace(e, **pair, imitated=imitated), all_examples)


def weighted_sum(e, s, all_examples):
    terms = s["terms"].values()
    return sum(one.get("weight", 1.0) * value(one["loss"], e, all_examples) for one in terms)


def spo_degree(e, s, all_examples):
    costs = [math.log(np.exp(logits).sum()) - logits[label] for logits, label in e.variants]
    extra = sum(costs) / len(costs) if costs else 0.0
    return value(s["loss"], e, all_examples) + s.get("weight", 0.1) * extra


ORACLES = {
    "apo_zero": apo_zero,
    "bmc": bmc,
    "cdpo": cdpo,
    "dpo": dpo,
    "dual_clip_dpo": dual_clip_dpo,
    "inverse_q": inverse_q,
    "inverse_q_kl": inverse_q_kl,
    "ipo": ipo,
    "kto": kto,
    "label_smoothing": label_smoothing,
    "length_desensitised": length_desensitised,
    "mmpo": mmpo,
    "mrpo": mrpo,
    "orpo": orpo,
    "robust": robust,
    "rpo_2405_16436": rpo,
    "rso_hinge_norm": lambda e, s, _: max(0, 1 - s.get("gamma", 0.05) * e.h),
    "rso_sigmoid_norm": lambda e, s, _: cost(s.get("gamma", 0.05) * e.h),
    "sapo_dpo": lambda e, s, _: cost(s.get("beta", 0.1) * segment_of(e, s).h),
    "sapo_orpo": sapo_orpo,
    "selm": selm,
    "sft": lambda e, s, _: e.mean_nll,
    "sigmoid_norm": lambda e, s, _: cost(s.get("beta", 2.0) * e.mean_h),
    "simpo": simpo,
    "slic_hinge": lambda e, s, _: max(
        0, 1 - s.get("gamma", 0.05) * (e.chosen.logp - e.rejected.logp)
    ),
    "spo_degree": spo_degree,
    "sppo": lambda e, s, _: (e.chosen.ratio - (e.columns["desirable"] - 0.5) / s["beta"]) ** 2,
    "sppo_hard": sppo_hard,
    "upo": upo,
    "weighted_sum": weighted_sum,
}


def value(settings, e, all_examples):
    """The loss {kind, ...} of one example."""
    return ORACLES[settings["kind"]](e, settings, all_examples)


def values(settings, examples):
    """The loss {kind, ...} of each example."""
    return [value(settings, e, examples) for e in examples]
