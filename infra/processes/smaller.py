"""Work that ran out of memory is tried again with less at once."""

import logging
from collections.abc import Callable
from typing import TypeVar

from tasks import child
from tasks.errors import ChildError

HALVINGS = 5
"""How often the budget is halved before it is given up."""

_log = logging.getLogger(__name__)
T = TypeVar("T")


def with_smaller_budgets(attempt: Callable[[int], T], budget: int, smallest: int) -> tuple[T, int]:
    """What `attempt(budget)` returns, and the budget (tokens) that fitted in memory.

    After running out of memory half the budget is tried, not below `smallest`, a few times; then
    the ChildError of the last attempt, which says what was in flight.
    """
    for _ in range(HALVINGS):
        try:
            return attempt(budget), budget
        except ChildError as error:
            less = max(budget // 2, smallest)
            if error.exit_code != child.OUT_OF_MEMORY or less >= budget:
                raise
            _log.warning(
                "%s\nTrying again with %d tokens at once instead of %d", error, less, budget
            )
            budget = less
    return attempt(budget), budget
