"""s3:// as a store: a flat set of keys below a prefix of a bucket.

Errors are the clients' own; `Store` translates them.
"""

import errno
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from infra.s3_session import described, files_of
from infra.s3_transfer import Transfer
from infra.storage_objects import Found, Upload
from tasks.storage_settings import StorageSettings

Result = TypeVar("Result")


class S3Backend:
    """A bucket, or a part of one."""

    cached = True

    def __init__(self, settings: StorageSettings) -> None:
        where = settings.root.removeprefix("s3://")
        self._settings = settings
        self._bucket, _, prefix = where.partition("/")
        self._prefix = f"{prefix}/" if prefix else ""

    @property
    def _files(self) -> Any:
        return files_of(self._settings)

    def _run(self, job: Callable[[Transfer], Awaitable[Result]]) -> Result:
        """The result of `job`, which runs on the event loop of the connection."""
        from fsspec.asyn import sync

        files = self._files

        async def done() -> Result:
            return await job(Transfer(files, self._bucket))

        result: Result = sync(files.loop, done)
        return result

    def _call(self, method: str, **arguments: Any) -> Any:
        return self._run(lambda to: to.call(method, **arguments))

    def _key(self, path: str) -> str:
        return f"{self._prefix}{path}"

    def reached(self) -> str:
        """Where the server is and whose keys are used."""
        return described(self._settings)

    def read(self, path: str) -> bytes:
        """One GET."""
        return self._run(lambda to: to.read(self._key(path)))

    def write(self, path: str, data: bytes) -> None:
        """Replace an object in one step."""
        self._call("put_object", Key=self._key(path), Body=data)

    def create(self, path: str, data: bytes) -> bool:
        """Some stores say `exists`, some `invalid argument`: then what is there decides."""
        try:
            self._call("put_object", Key=self._key(path), Body=data, IfNoneMatch="*")
        except OSError as error:
            if not _may_be_taken(error) or not self._is_there(path):
                raise
            return False
        return True

    def _is_there(self, path: str) -> bool:
        try:
            self.size(path)
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        """Bytes of an object; a common prefix of keys is no object."""
        return int(self._call("head_object", Key=self._key(path))["ContentLength"])

    def list(self, folder: str) -> Iterator[Found]:
        """Keys below `folder`, page by page."""
        prefix = self._key(f"{folder}/" if folder else "")
        page: dict[str, Any] = {}
        while True:
            answer = self._call("list_objects_v2", Prefix=prefix, **page)
            for one in answer.get("Contents", ()):
                yield Found(
                    path=one["Key"].removeprefix(self._prefix),
                    size=int(one["Size"]),
                    modified=one["LastModified"].timestamp(),
                )
            if not answer.get("IsTruncated"):
                return
            page = {"ContinuationToken": answer["NextContinuationToken"]}

    def delete(self, path: str) -> None:
        """Remove an object."""
        self._call("delete_object", Key=self._key(path))

    def put(self, local: Path, path: str) -> str:
        """Upload a file; the sha256 of what was sent."""
        return self._run(lambda to: to.upload(local, self._key(path)))

    def get(self, path: str, size: int, local: Path) -> str:
        """Download a file; the sha256 of what came."""
        with local.open("wb") as stream:
            return self._run(lambda to: to.download(self._key(path), size, stream.write))

    def sha256(self, path: str, size: int) -> str:
        """Of an object's bytes, which are kept nowhere."""
        return self._run(lambda to: to.download(self._key(path), size, len))

    def uploads(self) -> Iterator[Upload]:
        """Uploads in parts that are under way or were left behind."""
        page: dict[str, Any] = {}
        while True:
            answer = self._call("list_multipart_uploads", Prefix=self._prefix, **page)
            for one in answer.get("Uploads", ()):
                yield Upload(
                    path=one["Key"].removeprefix(self._prefix),
                    mark=one["UploadId"],
                    begun=one["Initiated"].timestamp(),
                )
            if not answer.get("IsTruncated"):
                return
            page = {
                "KeyMarker": answer["NextKeyMarker"],
                "UploadIdMarker": answer["NextUploadIdMarker"],
            }

    def abort(self, upload: Upload) -> None:
        """Give an upload up; its parts are gone."""
        self._call("abort_multipart_upload", Key=self._key(upload.path), UploadId=upload.mark)


def _may_be_taken(error: OSError) -> bool:
    return isinstance(error, FileExistsError) or error.errno in (
        errno.EINVAL,
        errno.EBUSY,
        errno.EIO,
    )
