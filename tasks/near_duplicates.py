"""Responses of one prompt that read nearly the same: one of them is compared for all."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz.distance import Levenshtein

from tasks.candidates import Candidate
from tasks.records import Response


class NearDuplicateSettings(BaseModel):
    """Which responses of a prompt are too alike to be compared."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    min_distance: Annotated[float, Field(ge=0, le=1)] | None = 0.0
    """Least edit distance over the longer length at which two responses are both compared; 0: they
    only have to differ beyond spaces; null: whatever there is is compared."""


def normalised(text: str) -> str:
    """`text` in one form of Unicode, every run of spaces and line ends one space.

    Case and punctuation stay: checks and people look at them.
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def represented(
    candidates: Mapping[str, Sequence[Candidate]],
    responses: Mapping[str, Response],
    min_distance: float | None,
) -> dict[str, list[Candidate]]:
    """The candidates of each prompt, marked where another one of nearly the same text stands in.

    The one presumed best represents (people first, then strength, then the smaller id).
    """
    return {
        prompt_id: list(members)
        if min_distance is None
        else _marked(members, responses, min_distance)
        for prompt_id, members in candidates.items()
    }


def standing(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that nobody stands in for."""
    return [one for one in candidates if not one.represented_by]


def _marked(
    members: Sequence[Candidate], responses: Mapping[str, Response], min_distance: float
) -> list[Candidate]:
    texts = {one.response_id: normalised(responses[one.response_id].text) for one in members}
    standing_for: dict[str, str] = {}
    leaders: list[str] = []
    best_first = sorted(members, key=lambda one: one.response_id)
    for one in sorted(best_first, key=lambda one: one.rank, reverse=True):
        name = one.response_id
        alike = (lead for lead in leaders if _near(texts[name], texts[lead], min_distance))
        if leader := next(alike, ""):
            standing_for[name] = leader
        else:
            leaders.append(name)
    return [replace(one, represented_by=standing_for.get(one.response_id, "")) for one in members]


def _near(one: str, other: str, min_distance: float) -> bool:
    if one == other:
        return True
    distance = Levenshtein.normalized_distance(one, other, score_cutoff=min_distance)
    return bool(distance < min_distance)
