"""Every error this project raises on purpose.

TSOError
├── ConfigError (ValueError)      the configuration cannot describe a run
├── DataError (ValueError)        a table, a record or a file breaks its promise
├── StorageError (OSError)        the store refused, is full, or changed under us
│   └── DamagedError              what is read is not what was written
├── ConflictError                 two different results claim one place
├── BudgetError                   what may be spent is spent
├── HeldError                     another live flow run holds this run
├── ChildError                    a child process failed; `exit_code` says how
└── FlowRunError                  a flow run that works for this one did not complete

Each message names the thing, the value, what is allowed, and the next step.
"""


class TSOError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigError(TSOError, ValueError):
    """The configuration cannot describe a run."""


class DataError(TSOError, ValueError):
    """A table, a record or a file breaks the promise its schema makes."""


class StorageError(TSOError, OSError):
    """The store refused, is full, or changed under us."""


class DamagedError(StorageError):
    """What is read is not what was written: trying again does not help."""


class ConflictError(TSOError):
    """Two different results claim one place."""


class BudgetError(TSOError):
    """What may be spent is spent: trying again does not help, a larger budget does."""


class HeldError(TSOError):
    """Another live flow run holds this run."""


class ChildError(TSOError):
    """A child process failed."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class FlowRunError(TSOError):
    """A flow run that works for this one on another work pool did not complete."""

    def __init__(self, message: str, again: bool) -> None:
        """`again`: its process died, so another attempt may help."""
        super().__init__(message)
        self.again = again
