"""The store refuses in the middle of a stage: what is said, what is kept, what is done again."""

import shutil
import subprocess
from collections import Counter
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from infra.engines.scripted import Scripted
from infra.place import open_stage, store_of
from infra.storage_local import LocalBackend
from tasks.config import CellSection
from tasks.errors import StorageError
from tasks.model_matrix import Cell
from tasks.records import SHARD_PROMPTS, Prompt
from tasks.sample import sample_cell
from tasks.tables import content, to_table
from tests.opinion_makers import prompt
from tests.small_config import small_place
from tests.whole_runs import items

SHARDS = 8
BEFORE = 3
"""Shards that are committed when a fault strikes."""


def sampled(place):
    """The door's artifact for enough prompts for all shards."""
    rows = [
        prompt(prompt_id=f"p{n:04}", text=f"Say {n}.") for n in range(SHARDS * SHARD_PROMPTS - 5)
    ]
    table = to_table(Prompt, rows)
    inputs = {"rows": content(Prompt, table)}
    stage = open_stage(place, "test", settings="prompts", inputs=inputs, semantics=1)
    prompts = stage.commit(tables={"rows": (Prompt, table)})
    settings = CellSection.model_validate({"engine": "scripted", "default": "{seed} {index}"})
    cell = Cell(name="a", settings=settings, checkpoint=None, fingerprint="f", origin="model")
    return sample_cell.fn(name="a · train", prompts=prompts, cell=cell, role="train", place=place)


def shards_in(place):
    """Which shards of the sample stage are committed."""
    paths = store_of(place).list("stages/sample")
    return sorted(int(path[-10:-5]) for path in paths if "/shards/" in path and "json" in path)


@pytest.fixture
def undisturbed(tmp_path):
    """What the stage comes to if nothing happens."""
    place = small_place(root=f"memory://{tmp_path.name}", round_index=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", str(tmp_path / "calm-work"))
        return sampled(place).content


@pytest.fixture
def strikes(monkeypatch):
    """Lets something happen once, when some shards are committed and the next one is drawn."""
    draw = Scripted.sample

    @contextmanager
    def at_the_next_shard(fault):
        def interrupted(engine, job):
            for number, drawn in enumerate(draw(engine, job)):
                if number == BEFORE:
                    fault()
                yield drawn

        with monkeypatch.context() as patch:
            patch.setattr(Scripted, "sample", interrupted)
            yield

    return at_the_next_shard


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, of 64 MB, which can be filled and made read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def resumes(place, undisturbed, kept, begun):
    """The stage is finished as if nothing had happened; of what was committed nothing is redone."""
    assert kept == list(range(BEFORE))
    assert sampled(place).content == undisturbed
    assert shards_in(place) == list(range(SHARDS))
    repeated = Counter(items()) - Counter(set(items()))
    lost = [name for _, name in begun[BEFORE * SHARD_PROMPTS :]]
    assert sorted(name for _, name in repeated) == sorted(lost)
    assert len(lost) == SHARD_PROMPTS


def test_a_disk_that_fills_up_is_named_and_the_stage_goes_on_when_there_is_room(
    disk, strikes, undisturbed
):
    place = small_place(root=f"file://{disk}/store", round_index=0)

    def fill():
        free = shutil.disk_usage(disk).free
        subprocess.run(["fallocate", "-l", str(free), str(disk / "filler")], check=True)

    said = rf"{disk}/store/stages/sample/.*No space left.*full: free space there \(this takes .* b"
    with strikes(fill), pytest.raises(StorageError, match=said):
        sampled(place)
    kept, begun = shards_in(place), items()
    (disk / "filler").unlink()
    resumes(place, undisturbed, kept, begun)


def test_a_store_that_turns_read_only_is_named_and_the_stage_goes_on_afterwards(
    disk, strikes, undisturbed
):
    place = small_place(root=f"file://{disk}/store", round_index=0)
    said = rf"{disk}/store/.*Read-only file system.*It is read-only: mount it writable"
    with strikes(lambda: remount(disk, "ro")), pytest.raises(StorageError, match=said):
        sampled(place)
    kept, begun = shards_in(place), items()
    remount(disk, "rw")
    resumes(place, undisturbed, kept, begun)


def refusing(monkeypatch, error):
    """Make every call that writes to a local store fail; returns how to end that."""
    patch = pytest.MonkeyPatch()

    def refuse(*_):
        raise error

    def begin():
        for name in ("write", "create", "put"):
            patch.setattr(LocalBackend, name, refuse)

    monkeypatch.setattr(LocalBackend, "cached", False)
    return begin, patch.undo


@pytest.mark.parametrize(
    ("code", "next_step"),
    [
        ("ExpiredToken", "The keys have expired: renew"),
        ("InvalidAccessKeyId", "The access key is not known there: check"),
        ("AccessDenied", "the right to read and write"),
    ],
)
def test_credentials_that_are_taken_back_are_named_and_the_stage_goes_on_with_new_ones(
    tmp_path, monkeypatch, strikes, undisturbed, code, next_step
):
    place = small_place(root=f"file://{tmp_path}/store", round_index=0)
    refused = ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")
    if code == "AccessDenied":
        refused = PermissionError("Access Denied")
    begin, end = refusing(monkeypatch, refused)
    with strikes(begin), pytest.raises(StorageError, match=next_step):
        sampled(place)
    end()
    kept, begun = shards_in(place), items()
    resumes(place, undisturbed, kept, begun)


def test_keys_that_an_s3_server_takes_back_are_named_and_the_stage_goes_on_with_new_ones(
    swift, s3, monkeypatch, strikes, undisturbed
):
    place = small_place(root=s3, round_index=0)
    old = swift.credentials.secret

    def take_back():
        swift.stop()
        swift.renew_credentials()
        swift.start()

    said = "The secret key is wrong: check AWS_ACCESS_KEY_ID"
    with strikes(take_back), pytest.raises(StorageError, match=said) as caught:
        sampled(place)
    assert old not in str(caught.value) and swift.credentials.secret not in str(caught.value)
    for name, value in swift.environment().items():
        monkeypatch.setenv(name, value)
    kept, begun = shards_in(place), items()
    resumes(place, undisturbed, kept, begun)


def test_whichever_write_is_refused_the_stage_ends_as_if_nothing_had_happened(
    tmp_path, monkeypatch, undisturbed
):
    written = []

    def counting(name):
        does = getattr(LocalBackend, name)

        def call(backend, *arguments):
            written.append(name)
            if len(written) == refused_at:
                raise PermissionError("Access Denied")
            return does(backend, *arguments)

        return call

    for name in ("write", "create", "put"):
        monkeypatch.setattr(LocalBackend, name, counting(name))
    refused_at = 0
    sampled(small_place(root=f"file://{tmp_path}/calm", round_index=0))
    in_all, found = len(written), []
    for refused_at in range(1, in_all + 1):
        written.clear()
        place = small_place(root=f"file://{tmp_path}/{refused_at}", round_index=0)
        with pytest.raises(StorageError, match="right to read and write"):
            sampled(place)
        before = set(shards_in(place))
        found.append(sampled(place).content == undisturbed and before <= set(shards_in(place)))
    assert found == [True] * in_all and in_all > 2 * SHARDS


def test_a_full_disk_for_local_work_is_named_and_nothing_is_lost(disk, monkeypatch, undisturbed):
    place = small_place(root="memory://local-work", round_index=0)
    monkeypatch.setenv("TSO_WORK", str(disk / "work"))
    (disk / "work").mkdir()
    free = shutil.disk_usage(disk).free
    subprocess.run(["fallocate", "-l", str(free), str(disk / "filler")], check=True)
    with pytest.raises(StorageError, match=rf"{disk}/work/.*free space|{disk}/work/.*Free space"):
        sampled(place)
    (disk / "filler").unlink()
    assert sampled(place).content == undisturbed
