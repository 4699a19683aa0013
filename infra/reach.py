"""Which stages the runs of a store name, and where: what has to be there, and what may go."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from infra.artifacts import MANIFEST
from infra.storage import Store

STAGE = re.compile(r"stages/([a-z0-9_-]+)/[0-9a-f]{2}/[0-9a-f]{64}")
"""The folder of a stage, wherever an address holds it."""
ROUND = re.compile(r"/rounds/(\d{5})/")
ROLE = re.compile(r"/stages/([^/]+)\.json$")
BESIDE = ".evaluation"
"""Ends the name of the tree where evaluations of a run are noted."""
AT_ONCE = 8
"""Objects that are read at a time."""


@dataclass(frozen=True)
class Mention:
    """Where a run names a stage."""

    run: str
    """The run."""
    round_index: int | None
    """The round; None outside of rounds."""
    role: str
    """What the stage is there; the file that names it where that says no role."""

    @property
    def order(self) -> tuple[str, int, str]:
        """What comes first where mentions are listed."""
        return self.run, -1 if self.round_index is None else self.round_index, self.role


Mentions = dict[str, set[Mention]]
"""By the folder of a stage: who names it."""


def runs_of(store: Store) -> list[str]:
    """Names of all runs, with the trees beside them."""
    return sorted({path.split("/")[1] for path in store.list("runs") if path.count("/") > 1})


def run_objects(store: Store, run: str) -> list[str]:
    """Paths of all that a run has below `runs/`, evaluations of it included."""
    return [*store.list(f"runs/{run}"), *store.list(f"runs/{run}{BESIDE}")]


def mentioned(store: Store, runs: Iterable[str]) -> Mentions:
    """The stages that `runs` name, and those that these stages name.

    Every JSON object of a run is searched, so nothing that some part still points to is missed.
    Raises StorageError where one cannot be read: then nobody knows what it names.
    """
    found: defaultdict[str, set[Mention]] = defaultdict(set)
    paths = [path for run in runs for path in store.list(f"runs/{run}") if path.endswith(".json")]
    for path, text in _texts(store, paths):
        for folder in _stages_in(text):
            found[folder].add(_mention(path))
    _follow(store, found)
    return dict(found)


def _follow(store: Store, found: Mentions) -> None:
    """Add what the manifests of stages in `found` name, and so on."""
    new = set(found)
    while new:
        paths = [f"{folder}/{MANIFEST}" for folder in sorted(new)]
        new = set()
        for path, text in _texts(store, paths):
            own = path.removesuffix(f"/{MANIFEST}")
            for folder in _stages_in(text) - found.keys():
                found[folder] = set(found[own])
                new.add(folder)


def _texts(store: Store, paths: list[str]) -> Iterator[tuple[str, str]]:
    """Texts of the objects that are there."""

    def read(path: str) -> str:
        try:
            return store.read(path).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""  # removed meanwhile, or a stage that is not finished

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from zip(paths, pool.map(read, paths), strict=True)


def _stages_in(text: str) -> set[str]:
    return {match.group() for match in STAGE.finditer(text)}


def _mention(path: str) -> Mention:
    index, role = ROUND.search(path), ROLE.search(path)
    return Mention(
        run=path.split("/")[1],
        round_index=None if index is None else int(index[1]),
        role=path.rpartition("/")[2] if role is None else role[1],
    )


def verb_of(folder: str) -> str:
    """The verb of the stage in `folder`."""
    return folder.split("/")[1]
