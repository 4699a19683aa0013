"""The averaging job: a moving average of weights, one policy further, tensor by tensor."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, float32

from tasks.child import ItemLog, Reporter
from tasks.errors import DataError
from tasks.training.settings import Strict
from tasks.training.tensor_files import sync

WEIGHTS = "*.safetensors"


@dataclass(frozen=True, kw_only=True)
class AverageJob:
    """spec.json of an averaging job."""

    __pydantic_config__: ClassVar[ConfigDict] = Strict

    job: Literal["average"]
    """Which job it is."""
    stage: str
    """Name of the stage, for the item log."""
    before: str
    """Folder of the average so far; may be relative to the work folder."""
    policy: str
    """Folder of the policy that joins it."""
    decay: Annotated[float, Field(ge=0, lt=1)]
    """What the average so far keeps of its weight."""
    item_log: str | None = None
    """File that gets one line per file of weights before it is made."""


def average(workdir: Path, job: AverageJob, reporter: Reporter) -> dict[str, Any]:
    """WORKDIR/model: decay x before + (1 - decay) x policy, in float32 whatever they are in.

    Files of weights are those of the policy; one that is complete is kept when the job begins
    again. Config and tokenizer are the policy's. Raises DataError if the models differ in shape.
    """
    policy, folder, made = workdir / job.policy, workdir / "model", workdir / "model.part"
    if folder.is_dir():
        return {}
    made.mkdir(exist_ok=True)
    items = ItemLog(job.item_log, job.stage)
    with _tensors(workdir / job.before) as before:
        for path in sorted(policy.glob(WEIGHTS)):
            if not (made / path.name).exists():
                items.starting([path.name])
                _average_file(path, before, job.decay, made / path.name)
            reporter.beat()
    for path in policy.iterdir():
        if path.is_file() and path.suffix != ".safetensors":
            shutil.copyfile(path, made / path.name)
    for path in [*made.iterdir(), made]:
        sync(path)
    made.rename(folder)
    return {}


def _average_file(path: Path, before: dict[str, Any], decay: float, target: Path) -> None:
    with safe_open(str(path), "pt") as opened:
        tensors = {
            name: _averaged(name, before, opened.get_tensor(name), decay)
            for name in opened.keys()  # noqa: SIM118
        }
    part = target.with_suffix(".part")
    save_file(tensors, part, metadata={"format": "pt"})
    part.rename(target)


def _averaged(name: str, before: dict[str, Any], policy: Tensor, decay: float) -> Tensor:
    if name not in before:
        raise DataError(f"the policy has weights {name!r}, and the average before it has none")
    old: Tensor = before[name].get_tensor(name)
    if old.shape != policy.shape:
        raise DataError(
            f"{name!r} is {tuple(policy.shape)} in the policy and {tuple(old.shape)} in the average"
        )
    if not policy.is_floating_point():
        return policy
    return old.to(float32).lerp(policy.to(float32), 1 - decay)


@contextmanager
def _tensors(folder: Path) -> Iterator[dict[str, Any]]:
    """The open file of each tensor in `folder`, by name."""
    with ExitStack() as stack:
        files = [
            stack.enter_context(safe_open(str(path), "pt")) for path in sorted(folder.glob(WEIGHTS))
        ]
        yield {name: file for file in files for name in file.keys()}  # noqa: SIM118
