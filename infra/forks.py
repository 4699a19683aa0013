"""Forks: a run that begins with the rounds of another, whose stages both share."""

from typing import Any

from infra.run_copies import check_copied
from infra.run_tree import RunTree
from infra.storage import Store
from tasks.canonical import digest
from tasks.errors import ConfigError

ORIGIN = "origin.json"
SHARED = ("frozen.json", "splits.json")
"""What the first round froze."""


def origin_of(tree: RunTree) -> dict[str, Any] | None:
    """Run, round_index and manifest digest that a run was forked from; None if it was not."""
    return tree.read(ORIGIN)


def check_forked(tree: RunTree) -> None:
    """Raise ConfigError if a fork or copy was interrupted: its rounds are not all there yet."""
    check_copied(tree)
    origin = origin_of(tree)
    if origin is not None and len(tree.manifests()) <= origin["round_index"]:
        source, new = f"{origin['run']}@{origin['round_index']}", tree.folder.rpartition("/")[2]
        raise ConfigError(
            f"run {new!r} is an unfinished fork of {source}; finish it with `tso fork {source} "
            f"{new}` and the same preset"
        )


def fork(store: Store, run: str, round_index: int, new: str) -> dict[str, Any]:
    """Give `new` the rounds 0 to `round_index` of `run`; returns where it comes from.

    Stages are shared. Called again after it was interrupted, it finishes. Raises ConfigError if
    the round is not committed or `new` is there already.
    """
    source, target = RunTree(store, run), RunTree(store, new)
    manifests = source.manifests()
    if round_index not in range(len(manifests)):
        done = f"rounds 0 to {len(manifests) - 1}" if manifests else "no round"
        raise ConfigError(
            f"round {round_index} of run {run!r} is not committed: {done} in {store.root}"
        )
    origin = {
        "run": run,
        "round_index": round_index,
        "manifest": digest(manifests[round_index]),
    }
    _claim(target, origin, new)
    for name in SHARED:
        if (fact := source.read(name)) is not None:
            target.create(name, fact)
    # The last round first: a run counts its rounds up to the first gap, so none is there too early.
    for index in range(round_index, -1, -1):
        _copy_round(source, target, manifests[index])
    return origin


def _claim(target: RunTree, origin: dict[str, Any], new: str) -> None:
    """Make `new` the fork of `origin`, or refuse."""
    begun = target.read(ORIGIN)
    taken = begun is None and target.store.list(target.folder)
    finished = begun is not None and len(target.manifests()) > begun["round_index"]
    if taken or finished or target.create(ORIGIN, origin) != origin:
        raise ConfigError(
            f"there is a run {new!r} in {target.store.root} already; choose another name"
        )


def _copy_round(source: RunTree, target: RunTree, manifest: dict[str, Any]) -> None:
    """Copy what a round left under the run, its manifest last; names of the run become the new one.

    Stages are named by their content and stay where they are.
    """
    index, store = manifest["round_index"], source.store
    old, new = source.round_folder(index), target.round_folder(index)
    for path in store.list(old):
        if path != f"{old}/manifest.json":
            store.write(f"{new}{path.removeprefix(old)}", store.read(path))
    renamed = {
        "run": target.folder.rpartition("/")[2],
        "report": store.uri(f"{new}/{manifest['report'].rpartition('/')[2]}"),
    }
    target.write_round(index, "manifest.json", {**manifest, **renamed})
