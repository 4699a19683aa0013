"""What is measured on pairs: rewards, shortcuts, slices, and intervals over prompts and seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.real_preferences.preferences import Pair
from benchmarks.real_preferences.prepared import PreparedSet, is_length_matched

RESAMPLES = 4000
MARGINS = ("summed", "per_token")
SLICES = ("all", "length_matched", "chosen_longer", "chosen_shorter")
Array = np.ndarray[Any, np.dtype[np.float64]]


def pair_table(
    one: PreparedSet,
    pairs: Sequence[Pair],
    drawn: set[str],
    share: float,
    rates: Mapping[str, float],
) -> pd.DataFrame:
    """A row per measured pair: who, how long, and whether it was drawn or is length-matched."""
    length = {side: len(ids) for side, ids in one.ids.responses.items()}
    return pd.DataFrame(
        {
            "prompt_id": [pair.prompt_id for pair in pairs],
            "chosen_id": [pair.chosen_id for pair in pairs],
            "rejected_id": [pair.rejected_id for pair in pairs],
            "chosen_tokens": [length[pair.chosen_id] for pair in pairs],
            "rejected_tokens": [length[pair.rejected_id] for pair in pairs],
            "chosen_rate": [rates.get(pair.chosen_model, 0.5) for pair in pairs],
            "rejected_rate": [rates.get(pair.rejected_model, 0.5) for pair in pairs],
            "drawn": [pair.pair_id in drawn for pair in pairs],
            "matched": [is_length_matched(pair, one.ids, share) for pair in pairs],
        }
    )


def in_slice(table: pd.DataFrame, name: str) -> Array:
    """Which rows of a pair table are in a slice; only length_matched takes pairs not drawn."""
    if name == "length_matched":
        return table["matched"].to_numpy()
    longer = (table["chosen_tokens"] - table["rejected_tokens"]).to_numpy()
    wanted = {"all": longer == longer, "chosen_longer": longer > 0, "chosen_shorter": longer < 0}
    return table["drawn"].to_numpy() & wanted[name]


def sums(table: pd.DataFrame, logps: Mapping[str, Sequence[float]], side: str) -> Array:
    """Summed log-probability (nats) of the chosen or rejected response of each pair."""
    return np.array([sum(logps[one]) for one in table[f"{side}_id"]])


def log_ratios(
    table: pd.DataFrame,
    policy: Mapping[str, Sequence[float]],
    reference: Mapping[str, Sequence[float]],
) -> pd.DataFrame:
    """Policy minus reference (nats, summed over tokens) of both sides of each pair."""
    return pd.DataFrame(
        {
            side: sums(table, policy, side) - sums(table, reference, side)
            for side in ("chosen", "rejected")
        }
    )


def margin(table: pd.DataFrame, ratios: pd.DataFrame, kind: str) -> Array:
    """Chosen minus rejected log-ratio (nats), summed or per token of each response."""
    if kind == "summed":
        return (ratios["chosen"] - ratios["rejected"]).to_numpy()
    per_token = [ratios[side] / table[f"{side}_tokens"] for side in ("chosen", "rejected")]
    return (per_token[0] - per_token[1]).to_numpy()


def hits(differences: Array) -> Array:
    """1 where the chosen side is ahead, 0 where it is behind, one half where neither is."""
    return (np.sign(differences) + 1) / 2


def shortcuts(table: pd.DataFrame, reference: Mapping[str, Sequence[float]]) -> dict[str, Array]:
    """Hits of rules that learn nothing from the pairs, or nothing but who tends to win."""
    chosen, rejected = (sums(table, reference, side) for side in ("chosen", "rejected"))
    tokens = table["chosen_tokens"].to_numpy(), table["rejected_tokens"].to_numpy()
    return {
        "longer": hits(tokens[0] - tokens[1]),
        "shorter": hits(tokens[1] - tokens[0]),
        "reference_logp": hits(chosen - rejected),
        "reference_logp_per_token": hits(chosen / tokens[0] - rejected / tokens[1]),
        "model_that_wins_more": hits((table["chosen_rate"] - table["rejected_rate"]).to_numpy()),
    }


def interval(values_SN: Array, prompts: Sequence[str]) -> dict[str, float]:
    """Mean over seeds and pairs with a 95 % interval; prompts and seeds are drawn again.

    `prompts` names the prompt of each column: its pairs are drawn together.
    """
    codes, names = pd.factorize(np.asarray(prompts))
    values_SN = np.atleast_2d(np.asarray(values_SN, dtype=float))
    counts_P = np.bincount(codes).astype(float)
    totals_SP = np.stack([np.bincount(codes, weights=row) for row in values_SN])
    generator = np.random.default_rng(0)
    seeds_RS = generator.multinomial(len(values_SN), _even(len(values_SN)), RESAMPLES)
    prompts_RP = generator.multinomial(len(names), _even(len(names)), RESAMPLES)
    drawn_R = ((seeds_RS @ totals_SP) * prompts_RP).sum(1) / len(values_SN)
    low, high = np.quantile(drawn_R / (prompts_RP @ counts_P), [0.025, 0.975])
    return {
        "mean": round(float(values_SN.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def _even(number: int) -> Array:
    return np.full(number, 1 / number)


def verdict(difference: Mapping[str, float]) -> str:
    """above or below where the interval leaves out zero, else `not separated`."""
    if difference["low"] > 0:
        return "above"
    return "below" if difference["high"] < 0 else "not separated"


def length_correlation(table: pd.DataFrame, margins: Array) -> float:
    """Spearman correlation of the margin with how many tokens the chosen side is longer."""
    apart = (table["chosen_tokens"] - table["rejected_tokens"]).to_numpy()
    return round(float(spearmanr(margins, apart).statistic), 3)
