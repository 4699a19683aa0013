"""What responses that transforms made come from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Derivation:
    """What a response that a transform made comes from. Key: (response_id, made_from)."""

    response_id: str
    """The response that was made."""
    made_from: str
    """The response that it was made from."""
    prompt_id: str
    """The prompt that both answer."""
    transform: str
    """Kind of the transform."""
    pair_id: str
    """The pair that it was made for, as it was before; empty where pairs stay as they are."""
    degree: int | None
    """How far it is degraded, from 1, where it was made to be told from what it was made from."""
    start: int | None
    """First token of the segment that was written anew, where one was."""
    replaced: int | None
    """Tokens of `made_from` in that segment."""
    written: int | None
    """Tokens of the response in that segment."""
