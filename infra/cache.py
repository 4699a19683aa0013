"""Local copies of checkpoints and big tables from a distant store, the least used thrown away.

<TSO_WORK>/cache/<aa>/<digest of its files>/lock           held shared while the copy is in use
                                             <name>/...    the files

A lock of the kernel ends with its process, so a copy in use is never thrown away and a killed
process keeps none. Files appear when their sha256 is verified; a damaged one is fetched again.
"""

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from infra.storage import Store, StoredFile, sha256_of
from infra.work import work_root
from tasks.canonical import digest
from tasks.errors import ConfigError

VARIABLE = "TSO_CACHE_GIB"
BIG_BYTES = 2**20
"""Smaller tables are read from the store: a copy would hardly be faster."""

_log = logging.getLogger(__name__)
_held: dict[Path, int] = {}
"""Copies that this process uses, with their locks."""
_seen: dict[Path, tuple[int, int, int]] = {}
"""Files that this process has verified: size, time of writing and number on the disk."""


def let_go() -> None:
    """Copies that this process used so far may be thrown away when room is needed."""
    while _held:
        os.close(_held.popitem()[1])


class Cache:
    """The copies on this machine; any number of processes may use them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._root = work_root() / "cache"
        self._limit = limit_bytes(store.settings.cache_gib)

    def folder(self, files: Sequence[StoredFile], prefix: str, name: str) -> Path:
        """A folder called `name` with `files`, which lie below `prefix`; it stays until `let_go`.

        Raises StorageError or FileNotFoundError if the store has not what it shall have.
        """
        entry = self._entry(files, prefix)
        if entry not in _held or not _is_whole(entry / name, files, prefix):
            lock = self._shared(entry, files, prefix, name)
            if (before := _held.pop(entry, None)) is not None:
                os.close(before)
            _held[entry] = lock
        return entry / name

    def read(self, file: StoredFile) -> bytes:
        """The bytes of one file, verified."""
        with self.opened(file) as local:
            return local.read_bytes()

    @contextmanager
    def opened(self, file: StoredFile) -> Iterator[Path]:
        """A copy of one file, verified, which stays within the block."""
        prefix, _, name = file.path.rpartition("/")
        entry = self._entry([file], prefix)
        lock = self._shared(entry, [file], prefix, "file")
        try:
            yield entry / "file" / name
        finally:
            os.close(lock)

    def _entry(self, files: Sequence[StoredFile], prefix: str) -> Path:
        mark = digest([[_relative(file, prefix), file.sha256] for file in files])
        return self._root / mark[:2] / mark

    def _shared(self, entry: Path, files: Sequence[StoredFile], prefix: str, name: str) -> int:
        """A shared lock on a copy that is whole; its time of use is now."""
        lock = _in_use(entry)
        try:
            if not _is_whole(entry / name, files, prefix):
                self._fill(entry, files, prefix, name)
            os.utime(lock)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _fill(self, entry: Path, files: Sequence[StoredFile], prefix: str, name: str) -> None:
        """Fetch what is missing or damaged, while others that want it wait.

        Whoever uses the copy is not disturbed: files are replaced whole.
        """
        lock = os.open(entry / "filling", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_whole(entry / name, files, prefix):
                self._make_room(sum(file.size for file in files), entry)
                self._store.get_folder(files, prefix, entry / name)  # verifies each
                for file in files:
                    local = entry / name / _relative(file, prefix)
                    _seen[local] = _mark(local.stat())
        finally:
            os.close(lock)

    def _make_room(self, needed: int, own: Path) -> None:
        """Throw copies away, the least recently used first, until `needed` bytes more fit."""
        entries = sorted(
            (one for one in self._root.glob("??/*") if one != own), key=_used, reverse=True
        )
        sizes = {one: _size(one) for one in entries}
        total = sum(sizes.values()) + needed
        while total > self._limit and entries:
            total -= sizes[entries[-1]] if _thrown_away(entries[-1]) else 0
            entries.pop()
        if total > self._limit:
            _log.info(
                "copies in use take %.1f GiB, more than the cache's %.1f GiB (%s or "
                "storage.cache_gib)",
                total / 2**30,
                self._limit / 2**30,
                VARIABLE,
            )


def limit_bytes(setting: float) -> int:
    """What copies may take together; the variable comes before the setting (GiB)."""
    told = os.environ.get(VARIABLE)
    try:
        limit = setting if told is None else float(told)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise ConfigError(f"{VARIABLE} is {told!r}; it has to be a number of GiB, 0 or more")
    return int(limit * 2**30)


def read_file(store: Store, file: StoredFile) -> bytes:
    """The verified bytes of `file`: by way of a local copy where that is worth it."""
    if store.cached and file.size >= BIG_BYTES:
        return Cache(store).read(file)
    return store.read_file(file)


def opened_file(store: Store, file: StoredFile) -> AbstractContextManager[Path]:
    """A local file with the verified bytes of `file`, within the block; not to be changed."""
    if store.cached and file.size >= BIG_BYTES:
        return Cache(store).opened(file)
    return store.at_hand(file)


def _relative(file: StoredFile, prefix: str) -> str:
    return file.path.removeprefix(f"{prefix}/")


def _is_whole(folder: Path, files: Iterable[StoredFile], prefix: str) -> bool:
    return all(_is_right(folder / _relative(file, prefix), file) for file in files)


def _is_right(local: Path, file: StoredFile) -> bool:
    """Whether `local` is what `file` has to be; this process hashes an unchanged file once."""
    try:
        facts = local.stat()
    except OSError:
        return False
    if facts.st_size != file.size:
        return False
    if _seen.get(local) != _mark(facts):
        if sha256_of(local) != file.sha256:
            return False
        _seen[local] = _mark(facts)
    return True


def _mark(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def _in_use(entry: Path) -> int:
    """A shared lock on the copy at `entry`, which is made if need be and stays while it lasts."""
    while True:
        entry.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(entry / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # thrown away in between
        fcntl.flock(lock, fcntl.LOCK_SH)
        if _is_still(lock, entry / "lock"):
            return lock
        os.close(lock)


def _is_still(lock: int, path: Path) -> bool:
    try:
        return os.fstat(lock).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _thrown_away(entry: Path) -> bool:
    """Remove a copy unless somebody uses it."""
    with _tried(entry) as free:
        if free:
            # Last the lock: whoever waits for it must find the rest gone.
            for part in entry.iterdir():
                if part.is_dir():
                    shutil.rmtree(part, ignore_errors=True)
            (entry / "lock").unlink(missing_ok=True)
            shutil.rmtree(entry, ignore_errors=True)
        return free


@contextmanager
def _tried(entry: Path) -> Iterator[bool]:
    try:
        lock = os.open(entry / "lock", os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def _used(entry: Path) -> float:
    try:
        return (entry / "lock").stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(entry: Path) -> int:
    found = 0
    for parent, _, names in os.walk(entry):
        for name in names:
            try:
                found += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                continue
    return found
