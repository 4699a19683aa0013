"""Calls of doors in a world of their own, whose process may be told to die at a commit."""

from typing import NamedTuple

import pytest

from tests.door_calls import CALLS
from tests.killed import watch_commits
from tests.small_config import small_place

SHARD = 4
"""Prompts in a shard of what a writer is asked."""


class Done(NamedTuple):
    """A call that came to its end."""

    result: object
    commits: list[str]
    """Paths in the store, in order."""


def done(verb, folder, dies_before=None):
    """Call the door of `verb`; the process dies just before the commit of this number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", f"{folder}/work")
        patch.setattr("tasks.transform.SHARD_PROMPTS", SHARD)
        place = small_place(root=f"file://{folder}/store", round_index=0, policies={})
        door, given = CALLS[verb](place)
        commits = watch_commits(patch, dies_before)
        return Done(door.fn(**given), commits)
