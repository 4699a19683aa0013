"""Facts of a round in the form that the report takes them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.config import Config
from tasks.derivations import transforms_among
from tasks.model_matrix import evaluated_name
from tasks.records import Prompt, Response
from tasks.variants import kind_of, plain


def answers_side_by_side(
    prompts: Sequence[Prompt], answers: Sequence[Response], reference: str, policy: str
) -> dict[str, tuple[Prompt, str, str]]:
    """Prompt, the reference's answer and the policy's by prompt_id, where they differ.

    `reference` and `policy` are the sha256 of their weights.
    """
    by_cell: dict[tuple[str, str], str] = {
        (row.cell, row.prompt_id): row.text for row in answers if row.sample_index == 0
    }
    found = {}
    for prompt in prompts:
        ours = by_cell.get((evaluated_name(policy), prompt.prompt_id))
        theirs = by_cell.get((evaluated_name(reference), prompt.prompt_id))
        if ours is not None and theirs is not None and ours != theirs:
            found[prompt.prompt_id] = (prompt, theirs, ours)
    return found


def cell_facts(
    config: Config, strengths: Mapping[str, float], shares: Mapping[str, float]
) -> list[dict[str, Any]]:
    """What the report says of each cell of the matrix."""
    return [
        {
            "name": name,
            "engine": kind_of(cell.engine),
            "model": cell.model,
            "strength": strengths.get(name, cell.strength),
            "samples": cell.samples,
            "share": shares.get(name, cell.share),
            "temperature": cell.temperature,
        }
        for name, cell in config.matrix.items()
    ]


def part_facts(config: Config) -> list[tuple[str, str]]:
    """What the report says of loss, judges, gate and such: the kind and its settings."""
    judges = [(f"judge {name}", judge) for name, judge in config.judges.items()]
    optional = {
        "labels": config.pairs.labels,
        "estimator": config.estimator,
        "selection": config.pairs.selection,
    }
    there = [(name, part) for name, part in optional.items() if part is not None]
    parts = [("loss", config.training.loss), *there, *judges, ("gate", config.refresh.gate)]
    return [(name, _described(part)) for name, part in parts]


def _described(variant: Any) -> str:
    """`hinge (beta 0.1)`: the kind, and the settings that say something."""
    settings = plain(variant)
    kind = settings.pop("kind")
    empty: tuple[Any, ...] = (None, "", [], {})
    given = ", ".join(f"{name} {value}" for name, value in settings.items() if value not in empty)
    return f"{kind} ({given})" if given else str(kind)


def lineage(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a round was made of, as its manifest names it."""
    return {
        "artifacts": manifest["artifacts"],
        "reference_in": manifest["reference_in"]["sha256"],
        "reference_out": manifest["reference_out"]["sha256"],
        "config": manifest["config"],
        "seeds": {"seed": manifest["seed"]},
    }


def report_counts(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Counts of dropped rows by verb, as the report lists them."""
    pairs = counts["pair"]
    trained = counts["train"]
    return {
        "collect": {"duplicate": counts["collect-train"]["duplicates"]},
        "judge": {"near_duplicate": counts["annotate"].get("near_duplicates", 0)},
        "pair": _dropped(pairs) | _dropped(pairs, "unlabelled_"),
        **_transformed(counts),
        **(
            {"replay": _dropped(counts["replay"]) | {"used": counts["replay"]["replayed"]}}
            if "replay" in counts
            else {}
        ),
        "train": {
            "used": trained["examples"],
            "held_out": pairs.get("held_out_labels", pairs["held_out"]),
            **_dropped(trained),
        },
    }


def _transformed(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What all transforms dropped or left as it was; nothing where there are none."""
    found = Counter[str]()
    roles = transforms_among(counts)
    for role in roles:
        found.update(_dropped(counts[role]))
        left = _dropped(counts[role], "kept_").items()
        found.update({f"{reason}, left as it was": number for reason, number in left})
    return {"transform": dict(found)} if roles else {}


def _dropped(counts: Mapping[str, int], start: str = "dropped_") -> dict[str, int]:
    """What `counts` of a stage say of dropped rows, by reason; their names have this `start`."""
    return {
        key.removeprefix(start): value for key, value in counts.items() if key.startswith(start)
    }
