"""Responses that a loss needs besides those of the pairs: a third one, or answers to others."""

from collections.abc import Collection, Mapping, Sequence

from tasks.records import Label, PreferencePair, Response
from tasks.tables import grouped

Combination = tuple[str, str]
"""A prompt_id and a response_id."""


RANGE_PROMPTS, EVERYTHING = 1024, 2**62
"""Prompts that are looked at together, and all of them."""


def range_size(further: Collection[str]) -> int:
    """How many prompts have to be looked at together: one's mismatched responses are another's."""
    return EVERYTHING if "mismatched" in further else RANGE_PROMPTS


def crossed_id(prompt_id: str, response_id: str) -> str:
    """What the score of a response under the prompt of another one is filed under."""
    return f"{response_id}@{prompt_id}"


def ids_of(given: PreferencePair | Label) -> tuple[str, ...]:
    """The responses that a pair compares, or the one that a label is about."""
    if isinstance(given, Label):
        return (given.response_id,)
    return given.chosen_id, given.rejected_id


def looked_at(given: Sequence[PreferencePair | Label]) -> dict[str, list[str]]:
    """The distinct responses of pairs or labels, sorted, by prompt in the order of ids."""
    return {
        prompt_id: sorted({one for each in some for one in ids_of(each)})
        for prompt_id, some in sorted(grouped(given).items())
    }


def explored_responses(
    given: Sequence[PreferencePair | Label], responses: Mapping[str, Response]
) -> dict[str, str]:
    """For each prompt of pairs or labels, one of the policy's responses as it was sampled, if any.

    One that is in no pair and has no label is preferred, then the lowest id.
    """
    own = grouped(one for one in responses.values() if one.origin == "policy" and one.text)
    return {
        prompt_id: min(
            (one.response_id for one in own[prompt_id]), key=lambda one: (one in compared, one)
        )
        for prompt_id, compared in looked_at(given).items()
        if prompt_id in own
    }


def mismatched_responses(
    given: Sequence[PreferencePair | Label], tokens: Mapping[str, Sequence[int]]
) -> dict[Combination, str]:
    """For each response of pairs or labels, one to the next prompt in the order of ids.

    The last prompt's next one is the first. The j-th response of a prompt gets the j-th of the next
    one, counted round. `tokens` are token ids by response; responses without any are left out. One
    prompt alone has no next one.
    """
    found = looked_at(given)
    found = {prompt_id: [one for one in some if tokens[one]] for prompt_id, some in found.items()}
    prompts = [prompt_id for prompt_id, some in found.items() if some]
    if len(prompts) < 2:
        return {}
    following = dict(zip(prompts, [*prompts[1:], prompts[0]], strict=True))
    return {
        (prompt_id, response_id): found[after][place % len(found[after])]
        for prompt_id, after in following.items()
        for place, response_id in enumerate(found[prompt_id])
    }


def crossed_responses(
    given: Sequence[PreferencePair | Label], tokens: Mapping[str, Sequence[int]]
) -> dict[str, Combination]:
    """What `mismatched_responses` says, as prompts and responses by the ids of their scores."""
    found = mismatched_responses(given, tokens)
    return {crossed_id(prompt, other): (prompt, other) for (prompt, _), other in found.items()}
