"""The rights in infra/policies/: enough for what our stores ask of S3, and no more."""

import json
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from infra.lease import Holder, Lease
from infra.storage import open_store
from tasks.errors import StorageError

FOLDER = Path(__file__).resolve().parents[2] / "infra" / "policies"
BUCKET, ROOT = "team-bucket", "tso"
RIGHT = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "DeleteObject": "s3:DeleteObject",
}
"""The right that each operation of S3's API needs. Another operation has none and is refused."""


def policy(role):
    return json.loads((FOLDER / f"{role}.json").read_text(encoding="utf-8"))


def statements_for(role, action, key, prefix):
    """The statements of `role` that allow `action` on `key`, or on the bucket where it is None."""
    resource = f"arn:aws:s3:::{BUCKET}" + ("" if key is None else f"/{key}")
    return [
        one["Sid"]
        for one in policy(role)["Statement"]
        if action in one["Action"]
        and any(fnmatchcase(resource, pattern) for pattern in one["Resource"])
        and all(
            any(fnmatchcase(prefix, pattern) for pattern in patterns)
            for patterns in one.get("Condition", {}).get("StringLike", {}).values()
        )
    ]


class Body:
    def __init__(self, data):
        self.data = data

    async def read(self, size=-1):
        size = len(self.data) if size < 0 else size
        part, self.data = self.data[:size], self.data[size:]
        return part

    def close(self):
        pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, *raised):
        pass


def refused(code, status, operation):
    answer = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


class Bucket:
    """Objects behind botocore's client, open to one role; what was asked is counted."""

    WHEN: ClassVar[datetime] = datetime(2026, 1, 1, tzinfo=UTC)

    def __init__(self, role, objects):
        self.role, self.objects, self.parts = role, objects, {}
        self.asked, self.used = set(), set()

    def answer(self, operation, given: dict[str, Any]):
        self.asked.add(operation)
        if operation not in RIGHT:
            raise refused("AccessDenied", 403, operation)
        key, prefix = given.get("Key"), given.get("Prefix", "")
        by = statements_for(self.role, RIGHT[operation], key, prefix)
        if not by:
            raise refused("AccessDenied", 403, operation)
        self.used |= {(sid, RIGHT[operation]) for sid in by}
        return getattr(self, operation)(given)

    def HeadObject(self, given):
        if given["Key"] not in self.objects:
            raise refused("404", 404, "HeadObject")
        data = self.objects[given["Key"]]
        return {"ContentLength": len(data), "LastModified": self.WHEN, "ETag": '"x"'}

    def GetObject(self, given):
        if given["Key"] not in self.objects:
            raise refused("NoSuchKey", 404, "GetObject")
        data = self.objects[given["Key"]]
        if "Range" in given:
            start, _, end = given["Range"].removeprefix("bytes=").partition("-")
            data = data[int(start) : int(end or len(data)) + 1]
        return {"Body": Body(data), "ContentLength": len(data), "ETag": '"x"'}

    def ListObjectsV2(self, given):
        found = sorted(key for key in self.objects if key.startswith(given.get("Prefix", "")))
        rows = [self.HeadObject({"Key": key}) | {"Key": key} for key in found]
        listed = [one | {"Size": one["ContentLength"]} for one in rows]
        return {"Contents": listed, "KeyCount": len(listed), "IsTruncated": False}

    def PutObject(self, given):
        if "IfNoneMatch" in given and given["Key"] in self.objects:
            raise refused("PreconditionFailed", 412, "PutObject")
        body = given.get("Body", b"")
        self.objects[given["Key"]] = bytes(body if isinstance(body, bytes) else body.read())
        return {"ETag": '"x"'}

    def DeleteObject(self, given):
        self.objects.pop(given["Key"], None)
        return {}

    def CreateMultipartUpload(self, given):
        self.parts["u"] = {}
        return {"UploadId": "u", "Key": given["Key"], "Bucket": BUCKET}

    def UploadPart(self, given):
        body = given["Body"]
        self.parts["u"][given["PartNumber"]] = bytes(
            body if isinstance(body, bytes | bytearray | memoryview) else body.read()
        )
        return {"ETag": '"p"'}

    def CompleteMultipartUpload(self, given):
        parts = self.parts.pop("u")
        self.objects[given["Key"]] = b"".join(parts[number] for number in sorted(parts))
        return {"ETag": '"x"'}

    def AbortMultipartUpload(self, given):
        self.parts.pop("u", None)
        return {}

    def ListMultipartUploads(self, given):
        return {"IsTruncated": False}


@pytest.fixture
def opened(monkeypatch):
    """A function that opens the bucket's store with the rights of a role."""
    from aiobotocore.client import AioBaseClient

    objects = {}

    def as_role(role):
        bucket = Bucket(role, objects)

        async def call(self, operation, given):
            return bucket.answer(operation, given)

        monkeypatch.setattr(AioBaseClient, "_make_api_call", call)
        return bucket, open_store(f"s3://{BUCKET}/{ROOT}")

    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return as_role


def a_run(store, folder):
    """What a round asks of a store: probe, lease, files small and large, a verb done again."""
    store.probe()
    holder = Holder(flow_run_id="f", host="h", boot_id="b", pid=1, process_started=1.0)
    with Lease(store, "runs/weekly/lease.json", holder):
        store.create("runs/weekly/claims/0.json", b"{}")
        large, copy = folder / "large", folder / "copy"
        large.write_bytes(bytes(40 * 2**20))
        file = store.put_file(large, "stages/train/k/files/model.safetensors")
        store.get_file(file, copy)
        store.create("stages/train/k/manifest.json", b"{}")
        store.write("runs/weekly/rounds/00000/manifest.json", b"{}")
    for path in store.list("stages/train/k"):
        store.delete(path)


def test_a_runner_has_the_rights_that_a_run_needs_and_uses_each_of_them(opened, tmp_path):
    bucket, store = opened("runner")
    a_run(store, tmp_path)
    assert bucket.asked <= RIGHT.keys()
    granted = {
        (one["Sid"], right) for one in policy("runner")["Statement"] for right in one["Action"]
    }
    # Aborting is what an upload that breaks off needs: the test below.
    assert granted - bucket.used == {("WriteObjects", "s3:AbortMultipartUpload")}


def test_a_runner_gives_up_an_upload_that_breaks_off(opened, tmp_path, monkeypatch):
    bucket, store = opened("runner")

    def breaks(given):
        raise refused("AccessDenied", 403, "UploadPart")

    monkeypatch.setattr(bucket, "UploadPart", breaks)
    large = tmp_path / "large"
    large.write_bytes(bytes(40 * 2**20))
    with pytest.raises(StorageError):
        store.put_file(large, "stages/train/k/files/model.safetensors")
    assert ("WriteObjects", "s3:AbortMultipartUpload") in bucket.used and bucket.parts == {}


@pytest.mark.parametrize(
    "path", ["runs/weekly/rounds/00000/manifest.json", "runs/weekly/claims/0.json", "gc/x.json"]
)
def test_a_runner_cannot_remove_what_a_run_is(opened, path):
    bucket, store = opened("runner")
    store.write(path, b"{}")
    with pytest.raises(StorageError, match="the right to read and write"):
        store.delete(path)
    assert f"{ROOT}/{path}" in bucket.objects


def test_a_reader_reads_and_lists_and_changes_nothing(opened):
    _, writer = opened("runner")
    writer.write("runs/weekly/claims/0.json", b"{}")
    bucket, store = opened("reader")
    assert store.list("runs/weekly") == ["runs/weekly/claims/0.json"]
    assert store.read("runs/weekly/claims/0.json") == b"{}"
    for change in (store.delete, lambda path: store.write(path, b"x")):
        with pytest.raises(StorageError, match="the right to read and write"):
            change("runs/weekly/claims/0.json")
    granted = {
        (one["Sid"], right) for one in policy("reader")["Statement"] for right in one["Action"]
    }
    assert bucket.used == granted


def test_a_collector_removes_and_writes_no_round(opened):
    _, writer = opened("runner")
    writer.write("stages/sample/old/manifest.json", b"{}")
    bucket, store = opened("collector")
    for path in store.list("stages"):
        store.delete(path)
    assert bucket.objects == {}
    with pytest.raises(StorageError):
        store.write("runs/weekly/rounds/00000/manifest.json", b"{}")


@pytest.mark.parametrize("role", ["reader", "runner", "collector"])
def test_no_role_reaches_another_tenants_part_of_the_bucket(role):
    for right in set(RIGHT.values()):
        assert statements_for(role, right, "other-team/secret", "other-team/") == []
        assert statements_for(role, right, "tso-other/secret", "tso-other/") == []
        assert statements_for(role, right, None, "") == []


@pytest.mark.parametrize("role", ["reader", "runner", "collector"])
def test_no_role_has_a_right_by_a_star(role):
    rights = {right for one in policy(role)["Statement"] for right in one["Action"]}
    assert rights <= set(RIGHT.values())
