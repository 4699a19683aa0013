"""Formulas of losses that follow a teacher, in numpy."""

import numpy as np


def inverse_q(e, s, _):
    beta, clip = s.get("beta", 0.1), s.get("clip", 5.0)
    terms = []
    for lp, teacher, ref in zip(
        e.chosen.logps, e.chosen.columns["teacher"], e.chosen.references[0], strict=True
    ):
        advantage = beta * (teacher - ref)
        if clip is not None:
            advantage = min(max(advantage, -clip * beta), clip * beta)
        terms.append((beta * (lp - ref) - advantage) ** 2)
    return sum(terms) / (len(terms) if s.get("reduction", "mean") == "mean" else 1)


def inverse_q_kl(e, s, _):
    cap = s.get("weight_cap", 5.0)
    weights = np.exp(e.chosen.columns["teacher"] - e.chosen.references[0])
    terms = -np.minimum(weights, cap) * e.chosen.logps
    return terms.mean() if s.get("reduction", "mean") == "mean" else terms.sum()
