"""Exit codes of `tso`, listed once."""

from tasks.child import BAD_INPUT as CHILD_BAD_INPUT
from tasks.errors import (
    BudgetError,
    ChildError,
    ConfigError,
    ConflictError,
    DataError,
    FlowRunError,
    HeldError,
    StorageError,
)

OK = 0
"""All that was asked for is done."""
BUG = 1
"""An error in the program; the traceback is shown."""
BAD_INPUT = 2
"""Configuration, data or arguments are wrong; nothing was begun that would be wasted."""
HELD = 3
"""Another live flow run holds the run."""
STORAGE = 4
"""The store refused, is full, or changed under us."""
CHILD = 5
"""A child process, or a flow run on another work pool, failed; the message names it."""
BUDGET = 6
"""The budget is used up; what was paid is kept, and a larger budget goes on."""
INTERRUPTED = 130
"""Stopped by Ctrl-C or a signal; run the same command to go on."""

_CODES = (
    (HeldError, HELD),
    (StorageError, STORAGE),
    (ChildError, CHILD),
    (FlowRunError, CHILD),
    (BudgetError, BUDGET),
    (ConfigError, BAD_INPUT),
    (DataError, BAD_INPUT),
    (ConflictError, BAD_INPUT),
    (KeyboardInterrupt, INTERRUPTED),
)


def exit_code_of(error: BaseException) -> int:
    """The exit code for `error`."""
    if isinstance(error, ChildError) and error.exit_code == CHILD_BAD_INPUT:
        return BAD_INPUT
    return next((code for kind, code in _CODES if isinstance(error, kind)), BUG)
