"""How many children may work at the same time in this process."""

from functools import cache
from threading import BoundedSemaphore


@cache
def slots(side_by_side: int) -> BoundedSemaphore:
    """The semaphore shared by all who may work `side_by_side` at a time."""
    return BoundedSemaphore(side_by_side)
