"""A few samples to read: pairs and evaluation responses, chosen by digest, not by taste."""

from typing import NamedTuple

from tasks.canonical import digest
from tasks.records import Message, Preference, PreferencePair, Prompt, Response
from tasks.report.data import RoundData


class Side(NamedTuple):
    """One of two texts that stand side by side."""

    label: str
    """chosen, rejected, reference or policy."""
    cell: str
    """The cell that wrote it, or empty."""
    text: str


class Excerpt(NamedTuple):
    """A prompt and two responses to it."""

    messages: list[Message]
    left: Side
    right: Side
    decided_by: str
    """Who decided a pair; empty for an evaluation prompt."""
    overruled: list[str]
    """Annotators who said the opposite."""


def excerpts(data: RoundData, number: int = 10) -> list[Excerpt]:
    """At most `number` excerpts, half pairs and half evaluation responses where there are enough.

    Pairs are mixed by who decided them, at most one a prompt; the order of the rows is irrelevant.
    """
    pairs, answers = _pairs(data), _answers(data)
    num_answers = min(len(answers), max(number // 2, number - len(pairs)))
    return pairs[: number - num_answers] + answers[:num_answers]


def _answers(data: RoundData) -> list[Excerpt]:
    ordered = sorted(data.samples, key=lambda sample: digest(sample[0].prompt_id))
    return [
        Excerpt(
            messages=prompt.messages,
            left=Side("reference", "", reference),
            right=Side("policy", "", policy),
            decided_by="",
            overruled=[],
        )
        for prompt, reference, policy in ordered
    ]


def _pairs(data: RoundData) -> list[Excerpt]:
    """One excerpt for each prompt with a pair, taking turns between the ways of deciding."""
    prompts = {prompt.prompt_id: prompt for prompt in data.prompts}
    responses = {response.response_id: response for response in data.responses}
    beliefs = {frozenset((row.a_id, row.b_id)): row for row in data.preferences}
    kinds: dict[str, list[Excerpt]] = {"human": [], "swapped": [], "judge": [], "prior": []}
    seen: set[str] = set()
    for pair in sorted(data.pairs, key=lambda pair: digest(pair.pair_id)):
        belief = beliefs.get(frozenset((pair.chosen_id, pair.rejected_id)))
        known = pair.chosen_id in responses and pair.rejected_id in responses
        if pair.prompt_id in seen or pair.prompt_id not in prompts or not known:
            continue
        seen.add(pair.prompt_id)
        excerpt = _pair(prompts[pair.prompt_id], pair, responses, belief)
        kinds.setdefault(_kind(belief), []).append(excerpt)
    return _taking_turns(list(kinds.values()))


def _kind(belief: Preference | None) -> str:
    if belief is None:
        return "none"
    swapped = belief.reason == "swapped" and belief.decided_by != "human"
    return "swapped" if swapped else belief.decided_by


def _pair(
    prompt: Prompt,
    pair: PreferencePair,
    responses: dict[str, Response],
    belief: Preference | None,
) -> Excerpt:
    chosen, rejected = responses[pair.chosen_id], responses[pair.rejected_id]
    return Excerpt(
        messages=prompt.messages,
        left=Side("chosen", chosen.cell, chosen.text),
        right=Side("rejected", rejected.cell, rejected.text),
        decided_by=belief.decided_by if belief else "",
        overruled=belief.overruled if belief else [],
    )


def _taking_turns(groups: list[list[Excerpt]]) -> list[Excerpt]:
    longest = max((len(group) for group in groups), default=0)
    return [group[turn] for turn in range(longest) for group in groups if turn < len(group)]
