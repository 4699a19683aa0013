"""Chat completions from any OpenAI-compatible server: many at once, none paid twice, none lost."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from infra.openai_batch import Answers, Batch
from infra.openai_calls import Call, CallJournal, Choice, Reply, Secret, api_key
from tasks.canonical import digest

__all__ = ["Call", "CallJournal", "Choice", "Client", "Reply", "api_key"]


def unheard(entry: Mapping[str, Any]) -> None:
    """The `watch` of a client whose spending nobody follows."""


@dataclass(kw_only=True)
class Client:
    """A context manager; on entry it reads the key and opens the journal."""

    base_url: str
    """Address of the server, up to and including /v1."""
    model: str
    """Name of the model, as the server knows it."""
    api_key_env: str = ""
    """Environment variable that holds the key; empty if the server needs none."""
    concurrency: int = 8
    """Calls under way at a time."""
    timeout_seconds: float = 120.0
    """Longest wait for one answer (s)."""
    max_retries: int = 6
    """Further tries after 408, 409, 429, 5xx, timeouts and cut answers, with growing waits."""
    first_wait_seconds: float = 0.5
    """Wait before the first further try (s); it doubles with each one."""
    longest_wait_seconds: float = 600.0
    """A server that asks for a longer wait (Retry-After) is given up on (s)."""
    journal: CallJournal | None = None
    """Keeps every reply and failed attempt; opened and closed by the client."""
    watch: Callable[[Mapping[str, Any]], None] = unheard
    """Told of every entry of the journal: first the old ones, then each as it comes."""
    item_log: Path | None = None
    """Where every call that is made is logged before it is made."""
    stage: str = "calls"
    """Name of the stage in the item log."""
    give_up_after: int = 20
    """After this many failed calls in a row the rest of a batch is not sent."""
    is_there: Callable[[], bool] = lambda: True
    """Whether the server may still answer: asked before a failed call is tried again."""

    def __enter__(self) -> "Client":
        self._key = Secret(api_key(self.api_key_env))
        self._open = ExitStack()
        if self.journal is not None:
            self._open.enter_context(self.journal)
            for entry in self.journal.entries():
                self.watch(entry)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def complete(self, calls: Iterable[Call]) -> Generator[tuple[Call, Reply], None, None]:
        """Yield each call with its reply as soon as it is there, in any order.

        A reply has as many choices as the call wants: where a server gives fewer, further calls
        are made for the rest. A call that fails yields a Reply with `error`. Closing the iterator
        abandons calls that are under way. `calls` is read, lazily, by another thread. Raises what
        the journal raises: a reply that cannot be kept must not be followed by more paid calls.
        """
        answers: Answers = queue.SimpleQueue()
        batch = Batch(self, iter(calls), answers, self._key)
        thread = threading.Thread(target=batch.run, name="openai-client", daemon=True)
        thread.start()
        try:
            while (answer := answers.get()) is not None:
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
        finally:
            batch.cancel()
            thread.join()

    def call_digest(self, call: Call) -> str:
        """Under what the journal keeps the reply: digest of model, conversation, settings and id.

        Seeds and the number of choices follow from the id.
        """
        return digest([self.model, call.asked, call.settings, call.id])
