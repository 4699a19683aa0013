"""Part of pairing: whose scores rules and selections read, and which responses a rule sees."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tasks.estimates import scores_of
from tasks.pairs import PromptPreferences
from tasks.records import Verdict
from tasks.tables import grouped


def readers_of(rule: Any, selection: Any | None) -> set[str]:
    """The annotators whose scores a pair rule or a selection reads."""
    return {one.by for one in (rule, selection) if one is not None and hasattr(one, "by")}


def with_scores(
    by_prompt: Mapping[str, PromptPreferences], verdicts: Iterable[Verdict], annotators: set[str]
) -> dict[str, PromptPreferences]:
    """`by_prompt` with the scores that `annotators` gave; nothing changes without any."""
    if not annotators:
        return dict(by_prompt)
    said = grouped(verdicts)
    return {
        prompt_id: replace(one, scores=scores_of(said.get(prompt_id, []), annotators))
        for prompt_id, one in by_prompt.items()
    }


def selected(
    by_prompt: Mapping[str, PromptPreferences], selection: Any | None, seed: int
) -> tuple[dict[str, PromptPreferences], Counter[str]]:
    """What the pair rule sees of each prompt, and counts of what it does not.

    Counts: responses `selected`, `unselected` and `unscored`; `unselected_preferences`, those that
    were kept and have a response that is left out.
    """
    counts: Counter[str] = Counter()
    if selection is None:
        return dict(by_prompt), counts
    seen = {}
    for prompt_id, one in by_prompt.items():
        scores = one.scores_by(selection.by)
        there = one.standing_ids()
        stays = set(selection(scores, prompt_id, seed))
        seen[prompt_id] = _only(one, stays)
        counts.update(
            selected=len(stays),
            unselected=len(scores) - len(stays),
            unscored=len(there) - len(scores),
            unselected_preferences=len(one.kept()) - len(seen[prompt_id].kept()),
        )
    return seen, counts


def _only(prompt: PromptPreferences, stays: set[str]) -> PromptPreferences:
    return replace(
        prompt,
        preferences=[one for one in prompt.preferences if {one.a_id, one.b_id} <= stays],
        candidates={name: one for name, one in prompt.candidates.items() if name in stays},
    )
