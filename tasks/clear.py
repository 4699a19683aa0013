"""Clears out a store: what no run needs any more, by reason; deleted only when asked to."""

from dataclasses import dataclass

from infra.garbage import Grace, Pile, piles_of, throw_away
from infra.lease import Holder, Lease
from infra.storage import open_store
from tasks.errors import ConfigError
from tasks.storage_settings import StorageSettings


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What was found in a store, and what became of it."""

    root: str
    """Of the store."""
    piles: list[Pile]
    """What may go, by reason."""
    freed: int | None
    """Bytes that are free again; None: nothing was deleted."""

    @property
    def summary(self) -> str:
        """In one line."""
        found = ", ".join(f"{one.count:,} {one.role}" for one in self.piles) or "nothing"
        done = "nothing was deleted" if self.freed is None else f"{self.freed:,} bytes freed"
        return f"{self.root}: {found}; {done}"


def clear(storage: StorageSettings, grace: Grace, who: str, *, delete: bool) -> Cleared:
    """Find what no run needs; nobody else clears the store out meanwhile."""
    for name in ("stages", "unfinished", "uploads"):
        if getattr(grace, name) < 0:
            raise ConfigError(f"a grace of {getattr(grace, name)} days: it must be 0 or more")
    store = open_store(storage)
    with Lease(store, "gc/lease.json", Holder.here(who)):
        piles = piles_of(store, grace)
        freed = throw_away(store, piles) if delete else None
    return Cleared(root=store.root, piles=piles, freed=freed)


def clear_after(storage: StorageSettings, days: float, *, delete: bool) -> Cleared:
    """As `clear`, with a grace of `days` for finished stages that no run names."""
    return clear(storage, Grace(stages=days), "the garbage collection", delete=delete)
