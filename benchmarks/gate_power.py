"""`python -m benchmarks.gate_power`: how often the gate `unless_worse` says what.

Rounds are simulated: on every slice a share of the prompts is discordant (one model passes, the
other fails), the rest agree; the true drop is how many more of these the policy loses. Fixed before
the run: 20 % discordant, delta 3 points, six guarded slices of DESIGN (two win rates, correctness,
safety, format, length) on prompts of their own, one of which falls; 2,000 rounds with seeds 0 to
1999. Asked for: with 512 prompts a drop of 8 points is refused in 95 of 100 rounds or more and a
drop of 0 in 6 or fewer over all slices together; with 64 prompts a round without a drop is
inconclusive, and the prompts needed are told. Other numbers of slices and prompts are shown beside.
"""

import argparse
import json
import math
import time
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import product
from statistics import median

import numpy as np

from benchmarks.measurement import write_result
from tasks.gate import GateOutcome
from tasks.gates.unless_worse import UnlessWorse
from tasks.statistics import PairedValues

DISCORDANT = 0.2
SLICES = 6
ROUNDS = 2000


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing that is simulated."""

    drop: float
    """True drop of the first slice; of the others 0."""
    prompts: int
    """In each slice."""
    slices: int = SLICES
    all_fall: bool = False
    """Whether every slice falls by as much."""


def simulated(case: Case, seed: int) -> dict[str, PairedValues]:
    """The slices of one round."""
    generator = np.random.default_rng([seed, case.prompts, case.slices])
    return {
        f"slice {number}": one_slice(
            generator, case.prompts, case.drop if case.all_fall or not number else 0.0
        )
        for number in range(case.slices)
    }


def one_slice(generator: np.random.Generator, prompts: int, drop: float) -> PairedValues:
    """Passed or failed by both models: equal but for the discordant prompts."""
    lots = generator.random(prompts)
    lost = lots < (DISCORDANT + drop) / 2
    won = ~lost & (lots < DISCORDANT)
    reference = np.where(lost, 1.0, np.where(won, 0.0, generator.integers(0, 2, prompts)))
    policy = reference - lost + won
    names = [f"p{number}" for number in range(prompts)]
    return PairedValues(
        policy=dict(zip(names, policy.tolist(), strict=True)),
        reference=dict(zip(names, reference.tolist(), strict=True)),
    )


def measured(case: Case, rounds: int) -> dict[str, object]:
    """What the gate said in `rounds` rounds."""
    begun = time.monotonic()
    outcomes = [UnlessWorse(seed=seed)(simulated(case, seed)) for seed in range(rounds)]
    said = Counter(one.outcome for one in outcomes)
    refused = said["refused"] / rounds
    low, high = wilson(said["refused"], rounds)
    return {
        **asdict(case),
        "rounds": rounds,
        "outcomes": {name: said[name] for name in ("promoted", "inconclusive", "refused")},
        "refused_share": round(refused, 4),
        "refused_share_95": [round(low, 4), round(high, 4)],
        **told(outcomes),
        "seconds": round(time.monotonic() - begun, 1),
    }


def told(outcomes: list[GateOutcome]) -> dict[str, object]:
    """What flagged rounds say of their size: medians over rounds and slices."""
    flagged = [one for one in outcomes if one.outcome == "inconclusive"]
    needed = [n for one in flagged for n in one.n_needed.values()]
    detectable = [c.minimum_detectable for one in outcomes for c in one.slices.values()]
    return {
        "flagged_with_n_needed": sum(bool(one.n_needed and one.reasons) for one in flagged),
        "n_needed_median": median(needed) if needed else None,
        "minimum_detectable_median": round(median(x for x in detectable if x is not None), 4),
    }


def wilson(hits: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    share, extra = hits / of, z * z / of
    centre = (share + extra / 2) / (1 + extra)
    half = z * math.sqrt(share * (1 - share) / of + extra / (4 * of)) / (1 + extra)
    return centre - half, centre + half


def cases() -> dict[str, Case]:
    """The asked ones first."""
    asked = {
        "drop of 8 points": Case(drop=0.08, prompts=512),
        "no drop": Case(drop=0.0, prompts=512),
        "no drop, 64 prompts": Case(drop=0.0, prompts=64),
        "drop of 8 points, 64 prompts": Case(drop=0.08, prompts=64),
    }
    beside = {
        f"drop of {drop:.0%}, {slices} slices, {prompts} prompts": Case(
            drop=drop, prompts=prompts, slices=slices
        )
        for slices, prompts, drop in product((1, 3, 12), (512,), (0.0, 0.08))
    }
    sizes = {
        f"drop of {drop:.0%}, {prompts} prompts": Case(drop=drop, prompts=prompts)
        for prompts, drop in product((128, 256, 1024, 2048), (0.0, 0.08))
    }
    both = {"all slices fall by 8 points": Case(drop=0.08, prompts=512, all_fall=True)}
    return asked | both | beside | sizes


def verdict(found: dict[str, dict[str, object]]) -> dict[str, bool]:
    """Whether what was asked for holds."""
    small = found["no drop, 64 prompts"]
    outcomes = small["outcomes"]
    assert isinstance(outcomes, dict)
    return {
        "a drop of 8 points is refused in >= 95 of 100 rounds": float(
            str(found["drop of 8 points"]["refused_share"])
        )
        >= 0.95,
        "no drop is refused in <= 6 of 100 rounds": float(str(found["no drop"]["refused_share"]))
        <= 0.06,
        "64 prompts a slice: never promoted, every inconclusive round says the n needed": (
            outcomes["promoted"] == 0
            and outcomes["inconclusive"] == small["flagged_with_n_needed"]
            and float(str(small["refused_share"])) <= 0.06
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    wanted = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    for name, case in cases().items():
        found[name] = measured(case, wanted.rounds)
        print(name, json.dumps(found[name]), flush=True)
    holds = verdict(found)
    path = write_result(
        "gate_power",
        {"gate": asdict(UnlessWorse()), "discordant": DISCORDANT, "holds": holds, "cases": found},
    )
    print(json.dumps(holds, indent=1), path)


if __name__ == "__main__":
    main()
