"""What the numbers of a round's training say, in words of `tasks/findings.py`; pure.

Nothing is said without data: where a number is missing, or steps are too few, there is no finding.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

from tasks.findings import LEVELS, Finding, finding
from tasks.report.formatting import count, figure, share, signed
from tasks.statistics import Mean, mean_of
from tasks.training_evidence import Evidence, Lengths

WINDOW = 10
"""Steps that "at the end" is an average over: as many as the trainer looks at before it stops."""
FEWEST_STEPS = 10
"""A trend needs five steps at each end: fewer give no standard error worth the name."""
SURE = 2.0
"""Standard errors from zero beyond which a change is believed (about 95 %)."""
FALL = 0.02
"""Nats a token: over 100 tokens 2 nats, at beta 0.1 a reward of -0.2, the least worth a word."""
HARM = 0.05
"""Nats a token, 5 % less likely: to say that held-out pairs hold, more must be ruled out."""
MOST = 0.5
"""Of the pairs: beyond it a batch is, in effect, less than half as large as it was set."""
LENGTH_DRIFT = 0.1
"""A tenth more or fewer words than the reference: readers notice, and judges reward it."""
LENGTH_GAP = 0.2
"""Chosen a fifth longer than rejected: length alone then tells most such pairs apart."""
ENTROPY_LEFT = 0.5
"""With half its first entropy, what took a policy e choices a token takes it the root of that."""
KL_LIMIT = 1.0
"""Nats a token (k3). A rejected response at the usual floor, 20 nats below the reference over 30
tokens, has 0.28; beyond 1 even a whole batch like it is left far behind."""
SPIKE = 10.0
"""Times the median norm: such a step, were it not scaled down, would move as much as ten."""


class Trend(NamedTuple):
    """A metric over the first and over the last fifth of the steps."""

    first: Mean
    last: Mean

    @property
    def change(self) -> float:
        """Last less first."""
        return self.last.value - self.first.value

    @property
    def error(self) -> float:
        """Standard error of the change, over steps."""
        return math.hypot(self.first.standard_error or 0.0, self.last.standard_error or 0.0)

    def __str__(self) -> str:
        """`from 1.2 to 0.8`, then the change with its error."""
        ends = f"from {figure(self.first.value)} to {figure(self.last.value)}"
        return f"{ends} ({_plus_minus(self.change, self.error)})"


def diagnose(evidence: Evidence) -> list[Finding]:
    """What there is to say of a training, what does harm first."""
    checks = (
        *(_chosen_falls, _clipped, _length_drift, _solved),
        *(_entropy, _far_from_reference, _gradient_spikes, _not_learning),
    )
    found = [one for check in checks if (one := check(evidence)) is not None]
    return sorted(found, key=lambda one: LEVELS.index(one.level))


def _values(evidence: Evidence, name: str) -> list[float]:
    known = (step.get(name, math.nan) for step in evidence.steps)
    return [value for value in known if math.isfinite(value)]


def _trend(evidence: Evidence, name: str) -> Trend | None:
    values = _values(evidence, name)
    if len(values) < FEWEST_STEPS:
        return None
    part = max(FEWEST_STEPS // 2, len(values) // 5)
    return Trend(mean_of(values[:part]), mean_of(values[-part:]))


def _at_end(evidence: Evidence, name: str) -> float | None:
    values = _values(evidence, name)[-WINDOW:]
    return mean_of(values).value if values else None


def _with_error(mean: Mean) -> str:
    return _plus_minus(mean.value, mean.standard_error)


def _plus_minus(change: float, error: float | None) -> str:
    known = error is not None and math.isfinite(error)
    return signed(change) + (f" ± {figure(error, like=change)}" if known else "")


def held_out_verdict(shift: Mean) -> Literal["falls", "holds", "unclear"]:
    """Whether responses that were not trained on became less likely (nats a token)."""
    if shift.standard_error is None:
        return "unclear"
    if shift.value < -FALL and shift.value + SURE * shift.standard_error < 0:
        return "falls"
    return "holds" if shift.value - SURE * shift.standard_error > -HARM else "unclear"


def _chosen_falls(evidence: Evidence) -> Finding | None:
    """A falling chosen log-probability: what was not trained on decides whether it is harmful."""
    trend = _trend(evidence, "chosen_logp_per_token")
    falls = trend is not None and trend.change < min(-FALL, -SURE * trend.error)
    held = held_out_verdict(evidence.held_out.chosen) if evidence.held_out else "unknown"
    if not falls and held != "falls":
        return None
    seen = f"On training batches chosen responses went {trend} nats a token. " if trend else ""
    verdict = {"holds": "harmless", "falls": "harmful" if falls else "elsewhere"}.get(held, held)
    return finding(f"chosen_falls_{verdict}", seen + _held_out(evidence))


def _held_out(evidence: Evidence) -> str:
    if evidence.held_out is None:
        return "No held-out pairs were scored."
    chosen, rejected = evidence.held_out
    return (
        f"On {count(chosen.n)} held-out prompts the policy gives chosen responses "
        f"{_with_error(chosen)} nats a token against the reference, rejected ones "
        f"{_with_error(rejected)}."
    )


def _clipped(evidence: Evidence) -> Finding | None:
    """Both sides clipped: the round ended early, or should have."""
    values, limit = _values(evidence, "clipped_both"), evidence.stop_when_clipped
    last = share(_at_end(evidence, "clipped_both"))
    if evidence.ended == "clipped" and limit is not None and values:
        return finding(
            "ended_clipped",
            f"Over the last {len(values[-WINDOW:])} of {count(len(values))} steps {last} of the "
            f"pairs were clipped on both sides; training.stop_when_clipped is {share(limit)}.",
        )
    crossed = _crossing(values)
    if limit is not None or crossed is None:
        return None
    return finding(
        "clipped",
        f"By step {count(crossed)} of {count(len(values))} more than {share(MOST)} of the pairs "
        f"(mean of {WINDOW} steps) were clipped on both sides; at the end {last}.",
        limit=str(MOST),
        step=count(crossed),
    )


def _crossing(values: Sequence[float]) -> int | None:
    """The first step after which the last WINDOW values have a mean above MOST."""
    ends = range(WINDOW, len(values) + 1)
    return next((end for end in ends if mean_of(values[end - WINDOW : end]).value > MOST), None)


def _length_drift(evidence: Evidence) -> Finding | None:
    """Whether answers change in length, and whether the pairs teach it."""
    answers, pairs = evidence.answers, evidence.pairs
    drift = _apart(answers, LENGTH_DRIFT)
    gap = max(_apart(pairs, LENGTH_GAP), 0)
    if not drift and not gap:
        return None
    name = "taught" if drift > 0 and gap else "drift" if drift else "gap"
    seen = [
        _compared("The policy's evaluation responses", "the reference's", answers),
        _compared("Chosen responses of the pairs", "rejected ones", pairs),
    ]
    way = "longer" if drift > 0 else "shorter"
    return finding(f"length_{name}", " ".join(one for one in seen if one), way=way)


def _apart(lengths: Lengths | None, least: float) -> int:
    """1 for longer, -1 for shorter, by more than the share `least` and more than chance."""
    error = lengths.difference.standard_error if lengths else None
    if lengths is None or error is None:
        return 0
    value = lengths.difference.value
    if abs(value) <= SURE * error or abs(lengths.relative) <= least:
        return 0
    return 1 if value > 0 else -1


def _compared(one: str, other: str, lengths: Lengths | None) -> str:
    if lengths is None:
        return ""
    change = share(abs(lengths.relative)) + (" more" if lengths.relative >= 0 else " fewer")
    return (
        f"{one} have {figure(lengths.one)} words, {other} {figure(lengths.other)}: {change} "
        f"({_with_error(lengths.difference)} over {count(lengths.difference.n)} prompts)."
    )


def _solved(evidence: Evidence) -> Finding | None:
    solved = _at_end(evidence, "solved")
    if solved is None or solved <= MOST or _clipped(evidence) is not None:
        return None
    return finding(
        "solved",
        f"At the end {share(solved)} of the pairs were solved: clipped on both sides, or with "
        "less than 2 % of their gradient left.",
    )


def _entropy(evidence: Evidence) -> Finding | None:
    trend = _trend(evidence, "entropy")
    if trend is None or trend.last.value >= ENTROPY_LEFT * trend.first.value:
        return None
    if -trend.change <= SURE * trend.error:
        return None
    return finding("entropy_collapse", f"Entropy of the next token went {trend} nats.")


def _far_from_reference(evidence: Evidence) -> Finding | None:
    distance = _at_end(evidence, "kl")
    if distance is None or distance <= KL_LIMIT:
        return None
    return finding(
        "far_from_reference",
        f"At the end the distance estimated on the pairs' responses (k3) was {figure(distance)} "
        f"nats a token; up to {figure(KL_LIMIT)} is usual.",
    )


def _gradient_spikes(evidence: Evidence) -> Finding | None:
    norms = {
        int(step.get("step", 0)): step["gradient_norm"]
        for step in evidence.steps
        if math.isfinite(step.get("gradient_norm", math.nan))
    }
    usual = median(norms.values()) if len(norms) >= FEWEST_STEPS else math.inf
    spikes = {step: norm for step, norm in norms.items() if norm > SPIKE * usual}
    if not spikes:
        return None
    worst = max(spikes, key=lambda step: spikes[step])
    return finding(
        "gradient_spikes",
        f"{count(len(spikes))} of {count(len(norms))} steps had a norm above {SPIKE:.0f} times the "
        f"median of {figure(usual)}; the highest was {figure(spikes[worst])} at step "
        f"{count(worst)}.",
    )


def _not_learning(evidence: Evidence) -> Finding | None:
    trend = _trend(evidence, "margin")
    if trend is None or trend.change > SURE * trend.error:
        return None
    right = share(_at_end(evidence, "accuracy"))
    return finding(
        "not_learning",
        f"The margin went {trend}; at the end {right} of the pairs were ranked rightly.",
    )
