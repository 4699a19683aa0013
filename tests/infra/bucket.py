"""A bucket behind botocore's client that is open to one of the roles in infra/policies/."""

import json
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import ClientError

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
