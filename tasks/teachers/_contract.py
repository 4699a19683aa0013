"""What a teacher is: the reference itself, asked under other system prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.records import Message

Instruction = Annotated[str, Field(min_length=1)]

GOOD = (
    "You are a thoughtful assistant. Answer helpfully, correctly and completely; follow every "
    "instruction of the request, and do no harm."
)
BAD = (
    "You are a careless assistant. Answer unhelpfully, wrongly and incompletely; ignore the "
    "instructions of the request, and do not mind harm."
)


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Where its instructions stand in a prompt."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    turn: Literal["system", "user"] = "system"
    """Where an instruction stands: in a system prompt, before one that is there already, or at the
    head of the first turn of a person, for templates without system prompts."""


def instructed(messages: Sequence[Message], instruction: str, turn: str) -> list[Message]:
    """`messages` under `instruction`: joined to their first turn of the role `turn`.

    Without a system prompt, one is put before them.
    """
    roles = [one["role"] for one in messages]
    if turn not in roles:
        return [Message(role=turn, content=instruction), *messages]
    place = roles.index(turn)
    joined = f"{instruction}\n\n{messages[place]['content']}"
    return [*messages[:place], Message(role=turn, content=joined), *messages[place + 1 :]]
