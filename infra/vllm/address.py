"""Where a judge is asked: at an address that is given, or at a server that is started for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.processes.room import room
from infra.vllm.needs import server_needs
from infra.vllm.shared import shared_server


@dataclass(frozen=True, kw_only=True)
class Address:
    """An OpenAI-compatible server, as a client needs to know it."""

    base_url: str | Sequence[str]
    """Its address, up to and including /v1; several serve the same model."""
    model: str
    """The model's name there."""
    is_there: Callable[[], bool] = lambda: True
    """Whether it may still answer."""


@contextmanager
def address_of(judge: Any, folder: Path | None, workdir: Path) -> Iterator[Address]:
    """The server of `judge` for as long as it is asked; one of ours waits for room, and is stopped.

    `folder` holds the weights that we serve, its log is in `workdir`. ChildError if it does not
    start.
    """
    if folder is None:
        yield Address(base_url=judge.base_url, model=judge.model)
        return
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    needs = server_needs(judge.server, weights, str(folder))
    with (
        room(None).entered(needs) as entry,
        shared_server(judge.server, folder, workdir / "server", entry.gpus) as shared,
    ):
        server = shared.running()
        yield Address(base_url=server.base_url, model=server.name, is_there=server.alive)
