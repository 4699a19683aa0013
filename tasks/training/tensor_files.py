"""Tensors of all processes in safetensors files, through torch.distributed.checkpoint.

DCP plans who writes which part of which tensor and reads it back for any other number of processes.
Its own file format pickles the plan, so ours goes into the headers of the safetensors files, in the
form that DCP's HuggingFaceStorageReader reads (docs/decisions/0012).
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner, WriteItem, WriteItemType
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.checkpoint.storage import StorageWriter, WriteResult
from torch.futures import Future

from tasks.errors import DataError
from tasks.training.processes import rank

FILE_BYTES = 1 << 30
"""Tensors that are copied to the host together and lie in one file."""
PARTS = "DCP_SHARDING_INFO"
"""Where the reader looks for the offsets of each part of a tensor."""

Files = dict[str, dict[str, Any]]
"""Name of a file, and its sha256 and size (bytes)."""


def write_tensors(folder: Path, tensors: Mapping[str, Tensor]) -> Files:
    """Write `tensors`, fsynced, and return the files of all processes; every process calls it.

    Other processes than the first get an empty dict.
    """
    writer = _Writer(folder)
    with _plainly():
        save(dict(tensors), storage_writer=writer)
    return writer.files


def stored_tensors(folder: Path) -> dict[str, TensorStorageMetadata]:
    """Size and dtype of each tensor that lies in `folder`, from the files' headers."""
    found: dict[str, Any] = (
        HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    )
    return found


def read_tensors(folder: Path, into: Mapping[str, Tensor]) -> None:
    """Overwrite the tensors of `into` with those of `folder`; every process calls it.

    Raises DataError if one is missing or has another size or dtype.
    """
    stored = stored_tensors(folder)
    for name, tensor in into.items():
        if name not in stored:
            raise DataError(f"{folder} holds no tensor {name!r}; it was made by other work")
        saved = (tuple(stored[name].size), stored[name].properties.dtype)
        if saved != (tuple(tensor.shape), tensor.dtype):
            raise DataError(
                f"{folder} holds {name!r} as {saved[0]} {saved[1]}, the model has "
                f"{tuple(tensor.shape)} {tensor.dtype}; it was made by other work"
            )
    with _plainly():
        load(dict(into), storage_reader=HuggingFaceStorageReader(str(folder)))


class _Writer(StorageWriter):
    """Each process writes its parts to files of its own; the first learns all digests."""

    def __init__(self, folder: Path) -> None:
        self.files: Files = {}
        self._folder = folder

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> "Future[list[WriteResult]]":
        """Write the parts of this process; each result carries its file's digest."""
        results = []
        for number, items in enumerate(_portions(plan.items)):
            path = self._folder / f"tensors-{rank():05d}-{number:05d}.safetensors"
            file = {path.name: _write(path, items, planner)}
            results += [
                WriteResult(index=item.index, size_in_bytes=_num_bytes(item), storage_data=file)
                for item in items
            ]
        done: Future[list[WriteResult]] = Future()
        done.set_result(results)
        return done

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """Called on the first process, with the results of all."""
        for result in (one for part in results for one in part):
            self.files |= result.storage_data

    def reset(self, checkpoint_id: str | os.PathLike[str] | None = None) -> None:
        """Nothing: a writer writes one checkpoint."""

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        """Nothing: the folder is there."""

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        """The plan as it is."""
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        """The plans as they are."""
        return plans

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike[str]) -> bool:
        """Whether this writer can be chosen by a path alone: no."""
        return False


def _portions(items: Iterable[WriteItem]) -> Iterator[list[WriteItem]]:
    """Runs of `items` of at most FILE_BYTES, one at least."""
    portion: list[WriteItem] = []
    size = 0
    for item in items:
        if portion and size + _num_bytes(item) > FILE_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += _num_bytes(item)
    if portion:
        yield portion


def _num_bytes(item: WriteItem) -> int:
    data = item.tensor_data
    if data is None or item.type == WriteItemType.BYTE_IO:
        raise TypeError(f"{item.index.fqn} is no tensor; numbers and texts belong into the state")
    return data.chunk.sizes.numel() * data.properties.dtype.itemsize


def _write(path: Path, items: list[WriteItem], planner: SavePlanner) -> dict[str, Any]:
    tensors: dict[str, Tensor] = {}
    parts: dict[str, Any] = {}
    for item in items:
        name, data, tensor = item.index.fqn, item.tensor_data, planner.resolve_data(item)
        if name in tensors or data is None or not isinstance(tensor, Tensor):
            raise TypeError(f"{name} has several parts in one process; a file can hold only one")
        tensors[name] = tensor.cpu().contiguous()
        parts[name] = {"saved_offsets": list(data.chunk.offsets)}
    save_file(tensors, path, metadata={PARTS: json.dumps(parts)})
    sync(path)
    return digest_of(path)


def digest_of(path: Path) -> dict[str, Any]:
    """The sha256 and the size (bytes) of a file."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": sha256, "size": path.stat().st_size}


def sync(path: Path) -> None:
    """Have a file or the entries of a folder on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _plainly() -> Iterator[None]:
    """DCP without its warning where there is one process, and with the errors as they were.

    It wraps every failure, memory used up or a full disk among them, into one that is no Exception.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        try:
            yield
        except CheckpointException as error:
            cause, _ = next(iter(error.failures.values()))
            raise cause from error
