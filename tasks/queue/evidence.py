"""What is known of each comparison after the judges have spoken, and how much it asks for."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.candidates import Candidate
from tasks.queue_reasons._contract import Evidence, sceptics_of
from tasks.records import Prompt, Response, Verdict
from tasks.voices import judges_of

Comparison = tuple[str, str]


class Compared(NamedTuple):
    """One comparison that people could make."""

    prompt_id: str
    ids: Comparison
    """The smaller id first."""
    stratum: str
    """Source of the prompt, and the two cells."""
    evidence: Evidence


class Asking(NamedTuple):
    """How strongly the reasons together ask for a person."""

    score: float
    """0 to 1: one less the product of what each leaves."""
    reason: str
    """Name of the one that asks most; empty where none does."""


def compared(
    comparisons: Mapping[str, Sequence[Comparison]],
    prompts: Mapping[str, Prompt],
    candidates: Mapping[str, Sequence[Candidate]],
    responses: Mapping[str, Response],
    verdicts: Iterable[Verdict],
    reasons: Mapping[str, Any],
) -> Iterator[Compared]:
    """The comparisons with all that is known of them, by prompt and ids."""
    said: dict[Comparison, list[Verdict]] = {}
    for one in verdicts:
        if one.annotator_kind == "judge" and one.b_id and one.a_id != one.b_id:
            said.setdefault((one.a_id, one.b_id), []).append(one)
    sceptics = sceptics_of(reasons.values())
    for prompt_id, members in sorted(comparisons.items()):
        known = {one.response_id: one for one in candidates[prompt_id]}
        for ids in sorted(members):
            a, b = known[ids[0]], known[ids[1]]
            texts = (len(responses[ids[0]].text), len(responses[ids[1]].text))
            evidence = _evidence(said.get(ids, []), (a, b), texts, sceptics)
            yield Compared(prompt_id, ids, _stratum(prompts[prompt_id].source, a, b), evidence)


def _evidence(
    verdicts: Sequence[Verdict],
    sides: tuple[Candidate, Candidate],
    lengths: tuple[int, int],
    sceptics: frozenset[str],
) -> Evidence:
    a, b = sides
    voices = judges_of(verdicts, "full", "inconsistent")
    return Evidence(
        prior=None if a.rank == b.rank else "a" if a.rank > b.rank else "b",
        voices=tuple(one for one in voices if one.annotator not in sceptics),
        sceptics=tuple(one for one in voices if one.annotator in sceptics),
        lengths=lengths,
    )


def _stratum(source: str, a: Candidate, b: Candidate) -> str:
    """Source and cells, as a report names them."""
    cells = " | ".join(sorted((a.cell, b.cell)))
    return f"{source} · {cells}" if source else cells


def asking(evidence: Evidence, reasons: Mapping[str, Any]) -> Asking:
    """What all `reasons` make of the evidence; several faint ones add up."""
    said = {name: one.weight * one(evidence) for name, one in reasons.items()}
    score = 1 - math.prod(1 - strength for strength in said.values())
    if not score:
        return Asking(0.0, "")
    return Asking(score, max(said, key=lambda name: said[name]))
