"""Whether everything that a run names is in the store, with the bytes it had when it was made."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra.artifacts import MANIFEST, Finished, read_stage
from infra.manifests import stored_file
from infra.reach import Mention, mentioned, run_objects, verb_of
from infra.run_tree import RunTree
from infra.storage import Store, StoredFile
from tasks.errors import ConfigError, DamagedError, StorageError

FILES_AT_ONCE = 4
"""Files that are read and hashed at a time; each takes some 80 MB."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is not as it has to be."""

    uri: str
    """The object."""
    what: str
    """missing, damaged, or another size."""
    mentions: tuple[Mention, ...]
    """Where the run names it; empty for an object of the run's own tree."""
    next_step: str
    """What mends it."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What a look at a run found."""

    stages: int
    """Finished stages that were looked at."""
    files: int
    """Files that these stages name."""
    size: int
    """Bytes of these files."""
    problems: tuple[Problem, ...]
    """What is wrong; empty if everything is there."""


def verify_run(store: Store, run: str, *, quick: bool = False) -> Verified:
    """Look at every stage that a run names: existence and size, and sha256 unless `quick`.

    Raises ConfigError if there is no such run, StorageError if the store cannot be asked.
    """
    tree = RunTree(store, run)
    if not store.list(tree.folder):
        raise ConfigError(f"no run {run!r} in {store.root}")
    own = _unreadable(tree)
    named = mentioned(store, {path.split("/")[1] for path in run_objects(store, run)})
    committed = len(tree.manifests()) if not own else 0
    look = _Look(store, run, committed)
    checked = [look.stage(folder, _listed(who)) for folder, who in sorted(named.items())]
    stages = [stage for stage in checked if isinstance(stage, _Stage)]
    problems = [*own, *(one for one in checked if isinstance(one, Problem))]
    problems += look.files(stages, quick)
    listed = [file for stage in stages for file in stage.files]
    return Verified(
        stages=len(stages),
        files=len(listed),
        size=sum(file.size for file in listed),
        problems=tuple(problems),
    )


def _unreadable(tree: RunTree) -> list[Problem]:
    """JSON objects of the run's own tree that do not parse."""
    problems = []
    for path in tree.store.list(tree.folder):
        if path.endswith(".json"):
            try:
                tree.read(path.removeprefix(f"{tree.folder}/"))
            except ValueError:
                problems.append(
                    Problem(
                        uri=tree.store.uri(path),
                        what="damaged: it is no JSON",
                        mentions=(),
                        next_step="restore the object from a copy of the store or an export",
                    )
                )
    return problems


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """A stage whose manifest is right."""

    folder: str
    mentions: tuple[Mention, ...]
    files: list[StoredFile]


class _Look:
    """Looks at stages of one run."""

    def __init__(self, store: Store, run: str, committed: int) -> None:
        self._store = store
        self._run = run
        self._committed = committed

    def stage(self, folder: str, who: tuple[Mention, ...]) -> _Stage | Problem:
        """The stage with the files that its manifest names, or what is wrong with the manifest."""
        uri = self._store.uri(f"{folder}/{MANIFEST}")
        try:
            finished = read_stage(self._store, folder)
        except FileNotFoundError:
            return self._problem(uri, "missing", folder, who)
        except StorageError as error:
            return self._problem(uri, f"damaged: {error}", folder, who)
        return _Stage(folder=folder, mentions=who, files=list(files_of(finished)))

    def files(self, stages: list[_Stage], quick: bool) -> list[Problem]:
        """What is wrong with the files of `stages`."""
        jobs = [(stage, file) for stage in stages for file in stage.files]
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            found = pool.map(lambda job: self._file(job[0], job[1], quick), jobs)
            return [one for one in found if one is not None]

    def _file(self, stage: _Stage, file: StoredFile, quick: bool) -> Problem | None:
        try:
            size = self._store.size(file.path)
            if size == file.size and not quick:
                self._store.check_file(file)
            what = "" if size == file.size else f"damaged: {size} bytes of {file.size}"
        except FileNotFoundError:
            what = "missing"
        except DamagedError:
            what = "damaged: its bytes changed"
        uri = self._store.uri(file.path)
        return self._problem(uri, what, stage.folder, stage.mentions) if what else None

    def _problem(self, uri: str, what: str, folder: str, who: tuple[Mention, ...]) -> Problem:
        step = self._next_step(verb_of(folder), what, who)
        return Problem(uri=uri, what=what, mentions=who, next_step=step)

    def _next_step(self, verb: str, what: str, who: tuple[Mention, ...]) -> str:
        """A round that is committed stays as it is, so only a copy or a branch mends it."""
        rounds = sorted({one.round_index for one in who if one.round_index is not None})
        finished = [index for index in rounds if index < self._committed]
        redo = f"--set 'redo=[{verb}]'"
        if not finished:
            return f"tso run {self._run} {redo}, with the run's preset: {verb} is done again"
        copy = "restore the object from a copy (tso import --verify of an export does)"
        if finished[0] == 0:
            return f"{copy}, or begin another run with {redo}"
        before = f"{self._run}@{finished[0] - 1}"
        return f"{copy}, or branch off: tso fork {before} NEW, then tso run NEW {redo}"


def _listed(who: set[Mention]) -> tuple[Mention, ...]:
    """By run and round; a file that names the stage only where no role is known."""
    roles = {one for one in who if not one.role.endswith(".json")}
    return tuple(sorted(roles or who, key=lambda one: one.order))


def files_of(stage: Finished) -> Iterator[StoredFile]:
    """Everything that a manifest names."""
    manifest: dict[str, Any] = stage.manifest
    for entry in manifest["tables"].values():
        yield stored_file(stage.folder, entry)
    for entries in manifest["files"].values():
        yield from (stored_file(stage.folder, entry) for entry in entries)
