"""The rights in infra/policies/: enough for what our stores ask of S3, and no more."""

import pytest

from infra.lease import Holder, Lease
from infra.storage import open_store
from tasks.errors import StorageError
from tests.infra.bucket import BUCKET, RIGHT, ROOT, Bucket, policy, refused, statements_for


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
