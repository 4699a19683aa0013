"""Memory that a step frees serves the next one, instead of going back to the kernel."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of glibc's mallopt for: memory at the end of the heap that stays, and block size from which
the kernel is asked each time."""
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc keep what is freed; without it each large tensor is made of new, zeroed pages.

    Steps of a small model are about a fifth shorter, and a process about a seventh larger.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library: its allocator is left as it is
        return
    mallopt(MMAP_THRESHOLD, LARGEST)
    mallopt(TRIM_THRESHOLD, LARGEST)
