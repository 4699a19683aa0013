"""Memory used up: recognised whoever says so, and told with what was worked on."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cublas_status_alloc_failed",
    "std::bad_alloc",
)
"""What torch's RuntimeErrors say, in lower case, when host or device memory is used up."""
UNNAMED_FAILURES = ("could not create a primitive", "could not execute a primitive")
"""What oneDNN says for want of memory and of other things: memory where the process is limited."""


class OutOfMemory(MemoryError):
    """The work does not fit in memory: the launcher may try again with less at once."""

    def __init__(self, message: str, **facts: int) -> None:
        super().__init__(message)
        self.facts = facts

    def __str__(self) -> str:
        named = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return f"{self.args[0]} (in flight: {named})" if named else str(self.args[0])


@contextmanager
def in_flight(**facts: int) -> Iterator[None]:
    """What is worked on in the block: if memory runs out there, OutOfMemory says so.

    Blocks may be nested; each adds its facts, which also stand in error.json.
    """
    try:
        yield
    except OutOfMemory as error:
        error.facts = {**facts, **error.facts}
        raise
    except Exception as error:
        if not is_used_up(error):
            raise
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise OutOfMemory(f"out of memory: {said[0]}", **facts) from error


def is_used_up(error: BaseException) -> bool:
    """Whether `error` says that memory is used up."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and _says_so(str(error).strip().lower())


def _says_so(text: str) -> bool:
    if text in UNNAMED_FAILURES:
        return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return any(sign in text for sign in SIGNS)
