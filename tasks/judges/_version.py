"""What identifies a judge's opinions."""

from typing import Any

from tasks.canonical import short_id
from tasks.variants import settings_of


def judge_version(judge: Any, *texts: str) -> str:
    """Digest of `judge`'s kind, semantics and settings, and of `texts` such as its template."""
    return short_id(settings_of(judge), *texts)
