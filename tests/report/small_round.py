"""A round small enough to count by hand: one prompt, three responses, every way of deciding."""

from example_round import verdict

from tasks.records import Preference, PreferencePair, Prompt, Response
from tasks.report import RoundData
from tasks.report.movements import NOTHING
from tasks.report.tally import RangeRows


def small_round(**changes) -> RoundData:
    """r1 and r2 are the policy's, r3 the large cell's; r1 beats r3 (swapped), r3 beats r2."""
    r1, r2, r3 = (
        _response(*row)
        for row in (("r1", "policy", "one two"), ("r2", "policy", "one"), ("r3", "large", "a b c"))
    )
    both = ("a", "b")
    fields = {
        "run": "small",
        "round_index": 0,
        "responses": [r1, r2, r3],
        "prompts": [_prompt()],
        "verdicts": [
            verdict(r1, r3, "prior", "b"),
            *(verdict(r1, r3, "judge", "a", x) for x in both),
            verdict(r2, r3, "prior", "b"),
            *(verdict(r2, r3, "judge", "a", x) for x in both),
            verdict(r2, r3, "human", "b"),
            *(verdict(r1, r2, "judge", x, x) for x in both),
        ],
        "preferences": [
            _preference("r1", "r3", "a", "judge", ["prior"], "swapped"),
            _preference("r2", "r3", "b", "human", ["main"], "human"),
            _preference("r1", "r2", "dropped", "none", [], "inconsistent"),
        ],
        "pairs": [_pair("r1", "r3"), _pair("r3", "r2")],
        "counts": {},
        "steps": [],
        "findings": [],
        "evaluation": [],
        "names": {},
        "movements": NOTHING,
        "gate": {},
        "cells": [{"name": "policy"}],
        "parts": [],
        "lineage": {},
    }
    return _round(fields | changes)


def _round(given: dict) -> RoundData:
    names = ("prompts", "responses", "verdicts", "preferences", "pairs", "prompt_diversity")
    rows = {name: given.pop(name, []) for name in names}
    return RoundData(
        ranges=[RangeRows(diversity=rows.pop("prompt_diversity"), **rows)],
        **given,
    )


def empty_round() -> RoundData:
    """A round in which nothing happened at all."""
    nothing = ("prompts", "responses", "verdicts", "preferences", "pairs", "cells")
    return small_round(**{name: [] for name in nothing})


def _prompt() -> Prompt:
    return Prompt(
        prompt_id="p",
        messages=[{"role": "user", "content": "Hello?"}],
        source="",
        source_id="",
        split="train",
        group_id="p",
        tags=[],
        checks=[],
    )


def _response(response_id: str, cell: str, text: str) -> Response:
    return Response(
        response_id=response_id,
        prompt_id="p",
        text=text,
        origin="policy",
        cell=cell,
        generator=cell,
        sample_index=0,
        seed=None,
        finish_reason="stop",
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def _preference(
    a: str, b: str, outcome: str, decided_by: str, overruled: list[str], reason: str
) -> Preference:
    return Preference(
        prompt_id="p",
        a_id=a,
        b_id=b,
        p_b_wins=0.5,
        outcome=outcome,
        margin=0.0,
        decided_by=decided_by,
        overruled=overruled,
        reason=reason,
    )


def _pair(chosen: str, rejected: str) -> PreferencePair:
    return PreferencePair(
        pair_id=chosen + rejected,
        prompt_id="p",
        chosen_id=chosen,
        rejected_id=rejected,
        p_chosen=0.9,
        margin=0.8,
        weight=0.5,
        rule="all",
    )
