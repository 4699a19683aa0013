"""Files to and from S3 in parts, several at once, hashed on the way; memory stays bounded.

s3fs's own transfers hash nothing, leave a part whose body breaks off untried, and wait for the
slowest of every four parts before they go on.
"""

import asyncio
import hashlib
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from infra.storage_failures import error_code

PART_BYTES = 16 * 2**20
"""Size of a part; 4 at once, and one that is read or written, take some 130 MB."""
PARTS_AT_ONCE = 4
MOST_PARTS = 10_000
"""S3's limit: above 156 GB the parts grow."""
INVALID_RANGE = "InvalidRange"
ANSWER_SECONDS = 60.0
"""One try of an upload gets so long, besides the time that its body takes."""
SLOWEST_BYTES = 2**17
"""Bytes a second; a body that goes more slowly is sent anew."""


def part_bytes(size: int) -> int:
    """Size of the parts of a file of `size` bytes: a whole number of MiB."""
    return max(PART_BYTES, math.ceil(size / MOST_PARTS / 2**20) * 2**20)


class Transfer:
    """Transfers to and from one bucket; its methods run on the event loop of `files`."""

    def __init__(self, files: Any, bucket: str) -> None:
        self._files = files
        self._bucket = bucket

    async def call(self, method: str, **arguments: Any) -> Any:
        """One call to S3, tried again where the network or the server failed.

        The client itself waits for ever if the leave to send a body gets lost on the way.
        """
        from s3fs.core import _error_wrapper

        await self._files.set_session()
        function = getattr(await self._files.get_s3(self._bucket), method)
        given = {"Bucket": self._bucket, **arguments}
        known = self._files._get_s3_method_kwargs(function, **given)
        body = arguments.get("Body")
        seconds = None if body is None else ANSWER_SECONDS + len(body) / SLOWEST_BYTES

        async def attempt() -> Any:
            return await asyncio.wait_for(function(**known), seconds)

        return await _error_wrapper(attempt, retries=self._files.retries)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` to before `end`; body and answer are one try."""
        from s3fs.core import _error_wrapper

        await self._files.set_session()
        client = await self._files.get_s3(self._bucket)
        part = {} if end is None else {"Range": f"bytes={start}-{end - 1}"}

        async def attempt() -> bytes:
            answer = await client.get_object(Bucket=self._bucket, Key=key, **part)
            try:
                return bytes(await answer["Body"].read())
            finally:
                answer["Body"].close()

        try:
            data: bytes = await _error_wrapper(attempt, retries=self._files.retries)
        except OSError as error:
            if error_code(error) == INVALID_RANGE:
                return b""  # the object is shorter than it has to be: its sha256 will tell
            raise
        return data

    async def download(self, key: str, size: int, take: Callable[[bytes], Any]) -> str:
        """Hand the object's `size` bytes to `take`, in order; their sha256."""
        digest = hashlib.sha256()

        def taken(data: bytes) -> None:
            digest.update(data)
            take(data)

        step = part_bytes(size)
        waiting: deque[asyncio.Task[bytes]] = deque()
        try:
            for start in range(0, max(size, 1), step):
                if len(waiting) == PARTS_AT_ONCE:
                    await asyncio.to_thread(taken, await waiting.popleft())
                end = min(start + step, size) if size > step else None
                waiting.append(asyncio.create_task(self.read(key, start, end)))
            while waiting:
                await asyncio.to_thread(taken, await waiting.popleft())
        finally:
            await _give_up(waiting)
        return digest.hexdigest()

    async def upload(self, local: Path, key: str) -> str:
        """Put a file: in parts where it is large, seen when the last is in; the sha256 of it."""
        size = local.stat().st_size
        digest = hashlib.sha256()
        with local.open("rb") as stream:
            if size <= PART_BYTES:
                data = await asyncio.to_thread(_read, stream, PART_BYTES, digest)
                await self.call("put_object", Key=key, Body=data)
            else:
                await self._upload_parts(stream, size, key, digest)
        return digest.hexdigest()

    async def _upload_parts(self, stream: BinaryIO, size: int, key: str, digest: Any) -> None:
        begun = await self.call("create_multipart_upload", Key=key)
        which = {"Key": key, "UploadId": begun["UploadId"]}
        try:
            parts = await self._send(stream, part_bytes(size), which, digest)
            try:
                await self.call(
                    "complete_multipart_upload", **which, MultipartUpload={"Parts": parts}
                )
            except FileNotFoundError:
                # The answer to an earlier try was lost: then the object is there.
                if (await self.call("head_object", Key=key))["ContentLength"] != size:
                    raise
        except BaseException:
            with suppress(Exception):  # what went wrong counts; `tso gc` finds what is left
                await self.call("abort_multipart_upload", **which)
            raise

    async def _send(
        self, stream: BinaryIO, step: int, which: dict[str, str], digest: Any
    ) -> list[dict[str, Any]]:
        waiting: deque[asyncio.Task[dict[str, Any]]] = deque()
        parts: list[dict[str, Any]] = []
        try:
            number = 0
            while data := await asyncio.to_thread(_read, stream, step, digest):
                number += 1
                waiting.append(asyncio.create_task(self._send_part(number, data, which)))
                if len(waiting) == PARTS_AT_ONCE:
                    parts.append(await waiting.popleft())
            while waiting:
                parts.append(await waiting.popleft())
        finally:
            await _give_up(waiting)
        return parts

    async def _send_part(self, number: int, data: bytes, which: dict[str, str]) -> dict[str, Any]:
        answer = await self.call("upload_part", **which, PartNumber=number, Body=data)
        return {"PartNumber": number, "ETag": answer["ETag"]}


def _read(stream: BinaryIO, size: int, digest: Any) -> bytes:
    data = stream.read(size)
    digest.update(data)
    return data


async def _give_up(tasks: deque[asyncio.Task[Any]]) -> None:
    """End tasks whose results nobody waits for any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
