"""Responses that a loss needs besides those of the pairs: a third one, or answers to others."""

from collections.abc import Collection, Mapping, Sequence

from tasks.records import PreferencePair, Response
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


def labelled(pairs: Sequence[PreferencePair]) -> dict[str, list[str]]:
    """The distinct responses that `pairs` compare, sorted, by prompt in the order of ids."""
    return {
        prompt_id: sorted({one for pair in some for one in (pair.chosen_id, pair.rejected_id)})
        for prompt_id, some in sorted(grouped(pairs).items())
    }


def explored_responses(
    pairs: Sequence[PreferencePair], responses: Mapping[str, Response]
) -> dict[str, str]:
    """For each prompt of `pairs`, a response of the policy as it was sampled, if there is one.

    One that is in no pair is preferred, then the lowest id.
    """
    own = grouped(one for one in responses.values() if one.origin == "policy" and one.text)
    return {
        prompt_id: min(
            (one.response_id for one in own[prompt_id]), key=lambda one: (one in compared, one)
        )
        for prompt_id, compared in labelled(pairs).items()
        if prompt_id in own
    }


def mismatched_responses(
    pairs: Sequence[PreferencePair], tokens: Mapping[str, Sequence[int]]
) -> dict[Combination, str]:
    """For each response of `pairs`, one to the next prompt in the order of ids, the last's first.

    The j-th response of a prompt gets the j-th of the next one, counted round. `tokens` are token
    ids by response; responses without any are left out. One prompt alone has no next one.
    """
    found = labelled(pairs)
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
    pairs: Sequence[PreferencePair], tokens: Mapping[str, Sequence[int]]
) -> dict[str, Combination]:
    """What `mismatched_responses` says, as prompts and responses by the ids of their scores."""
    found = mismatched_responses(pairs, tokens)
    return {crossed_id(prompt, other): (prompt, other) for (prompt, _), other in found.items()}
