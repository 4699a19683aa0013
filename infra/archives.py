"""A store as one file: a tar of its objects, which another machine unpacks into a store."""

import os
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.storage import Store, checked_path, open_store
from infra.work import work_root
from tasks.errors import DataError

ENDING = ".tar"


def is_archive(where: str) -> bool:
    """Whether `where` names a file, not a store."""
    return where.endswith(ENDING)


@contextmanager
def packed(archive: Path) -> Iterator[Store]:
    """An empty store; what is in it at the end becomes the file `archive`, whole or not at all."""
    with _staging() as store:
        yield store
        archive.parent.mkdir(parents=True, exist_ok=True)
        temporary = archive.with_name(f".{archive.name}.{uuid.uuid4().hex}")
        try:
            with tarfile.open(temporary, "w") as tar:
                for path in store.list():
                    tar.add(_local(store, path), arcname=path, recursive=False)
            os.replace(temporary, archive)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def unpacked(archive: Path) -> Iterator[Store]:
    """A store with what `packed` put into `archive`; DataError if it is no such file."""
    with _staging() as store:
        try:
            with tarfile.open(archive, "r:") as tar:
                for member in tar:
                    _unpack(tar, member, store)
        except (tarfile.TarError, EOFError, FileNotFoundError) as error:
            raise DataError(f"{archive} is no archive of `tso export`: {error}") from error
        yield store


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, store: Store) -> None:
    """Take one file; links, devices and names that leave the folder are refused."""
    if not member.isfile():
        raise DataError(f"{member.name!r} in an archive is no file; `tso export` packs only files")
    target = _local(store, checked_path(member.name))
    target.parent.mkdir(parents=True, exist_ok=True)
    given = tar.extractfile(member)
    assert given is not None
    with given, target.open("wb") as written:
        while data := given.read(2**20):
            written.write(data)


def _local(store: Store, path: str) -> Path:
    return Path(store.root.removeprefix("file://")) / path


@contextmanager
def _staging() -> Iterator[Store]:
    folder = work_root() / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as made:
        yield open_store(made)
