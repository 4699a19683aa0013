"""A judge at hand that keeps what was written from standing on the wrong side of a pair."""

from typing import Annotated, Any

from tasks.errors import ConfigError
from tasks.records import Prompt, Response
from tasks.variants import chosen_from, kind_of

Guard = Annotated[Any, *chosen_from("tasks.judges")]


def check_guard(guard: Any) -> None:
    """Raise ConfigError for a judge that cannot compare by itself."""
    if guard is not None and not hasattr(guard, "compare"):
        raise ConfigError(
            f"guard is the judge {kind_of(guard)!r}, which asks a model or reads a table; take one "
            "that compares by itself, e.g. {kind: rule}"
        )


def is_worse(guard: Any, prompt: Prompt, one: Response, other: Response) -> bool:
    """Whether `guard` finds `one` worse than `other`; never without a guard."""
    if guard is None:
        return False
    return bool(guard.compare(prompt, one, other, "guard").outcome == "second")
