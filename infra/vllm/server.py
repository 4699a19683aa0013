"""One vLLM server from start to stop: supervised, health-checked, watched, really gone after."""

import logging
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from infra.processes import Supervised
from infra.processes.children import DEADLINE
from infra.vllm.command import command_line, variables
from infra.vllm.http import read, sums
from infra.vllm.leftovers import Leftovers, clear_earlier
from infra.vllm.machine import environment_for, free_port
from tasks import child
from tasks.errors import ChildError
from tasks.serving import ServerSettings

GRACE_SECONDS = 10.0
"""Time to stop by itself: it hands back shared memory then."""
POLL_SECONDS = 0.2
PORTS = 3
"""Starts that are tried when somebody else takes the port in the moment before."""
LOG_LINES = 40
TAKEN = "address already in use"

_log = logging.getLogger(__name__)


class Server:
    """A context manager; on entry it starts and waits until it answers.

    ChildError, with the last lines of its own log, where it does not.
    """

    def __init__(
        self, settings: ServerSettings, model: Path, workdir: Path, gpus: Sequence[str] = ()
    ) -> None:
        self.settings = settings
        self.model = model
        self.workdir = workdir
        self.name = served_name(model)
        self._gpus = gpus
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._hung = ""
        self._adapters: set[str] = set()

    def __enter__(self) -> "Server":
        for left in reversed(range(PORTS)):
            try:
                self._start()
                return self
            except ChildError as error:
                if left == 0 or TAKEN not in str(error).lower():
                    raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where the `openai` client finds it."""
        return f"{self.address}/v1"

    @property
    def address(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self._port}"

    def alive(self) -> bool:
        """Whether it may still answer."""
        return not self._over.is_set() and self._process.exit_code() is None

    def why_lost(self) -> str:
        """How it ended, in words, with the last lines of its log."""
        code = self._process.exit_code()
        how = self._hung or f"ended with exit code {code}"
        return f"the server of {self.model} {how}. {self._last_lines()}"

    def stop(self) -> None:
        """End it and all that it started, and see that nothing of it stays; twice is once."""
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
            self._left.note()
            self._process.stop()
            self._left.clear()
            self._sockets.cleanup()

    def load_adapter(self, name: str, folder: Path) -> None:
        """Serve the adapter in `folder` under `name`; ChildError if the server refuses it."""
        with self._lock:
            if name in self._adapters:
                return
            body = {"lora_name": name, "lora_path": str(folder)}
            url = f"{self.address}/v1/load_lora_adapter"
            if read(url, self.settings.start_seconds, body) is None:
                raise ChildError(
                    f"the server of {self.model} does not take the adapter {folder}; is its rank "
                    f"above adapter_rank={self.settings.adapter_rank}? {self._last_lines()}",
                    child.BAD_INPUT,
                )
            self._adapters.add(name)

    def _start(self) -> None:
        mark = uuid.uuid4().hex
        self._over.clear()
        self._port = free_port()
        self._sockets = tempfile.TemporaryDirectory(prefix="tso-vllm-", ignore_cleanup_errors=True)
        clear_earlier()
        self._left = Leftovers(self.workdir, self._gpus)
        own = variables(self.settings, self._gpus, self._sockets.name)
        self._process = Supervised(
            command_line(self.settings, self.model, self._port, (self.name, mark)),
            self.workdir,
            environment=environment_for(own),
            inherit=False,
            grace_seconds=GRACE_SECONDS,
        )
        self._process.__enter__()
        try:
            self._wait_until_it_answers(mark)
        except BaseException:
            self.stop()
            raise
        threading.Thread(target=self._watch, name="vllm-watch", daemon=True).start()

    def _wait_until_it_answers(self, mark: str) -> None:
        """Until it has drawn a token: some models fail only then."""
        deadline = time.monotonic() + self.settings.start_seconds
        while read(f"{self.address}/health", 5) is None:
            self._check_start(deadline)
            time.sleep(POLL_SECONDS)
        models = read(f"{self.address}/v1/models", 30) or ""
        if mark not in models:
            raise ChildError(f"another server answers at {self.address}: {TAKEN}", child.BUG)
        probe = {"model": self.name, "prompt": [1], "max_tokens": 1, "temperature": 0}
        left = max(1.0, deadline - time.monotonic())
        if read(f"{self.address}/v1/completions", left, probe) is None:
            raise self._failed_start("cannot draw a token", child.BUG)
        self._left.note()

    def _check_start(self, deadline: float) -> None:
        code = self._process.exit_code()
        if code is not None:
            raise self._failed_start(f"ended with exit code {code}", code)
        if time.monotonic() > deadline:
            limit = f"(start_seconds={self.settings.start_seconds:g})"
            raise self._failed_start(f"does not answer in time {limit}", DEADLINE)

    def _failed_start(self, how: str, code: int) -> ChildError:
        return ChildError(f"vLLM cannot serve {self.model}: it {how}. {self._last_lines()}", code)

    def _last_lines(self) -> str:
        lines = self._process.log_tail(LOG_LINES) or "(nothing)"
        return f"Log: {self.workdir / child.LOG}, last lines:\n{lines}"

    def _watch(self) -> None:
        """Stop it when it has requests, or does not say, and makes no token for too long."""
        limit = self.settings.stalled_seconds
        each = min(5.0, limit / 4)
        moved, last = time.monotonic(), -1.0
        while not self._over.wait(each) and self._process.exit_code() is None:
            page = read(f"{self.address}/metrics", each)
            figures = sums(page) if page is not None else {}
            tokens = figures.get("generation_tokens_total", 0) + figures.get(
                "prompt_tokens_total", 0
            )
            idle = page is not None and not _requests(figures)
            if idle or (page is not None and tokens != last):
                moved, last = time.monotonic(), tokens
            elif time.monotonic() - moved > limit:
                self._hung = f"made no token for {limit:g} s (stalled_seconds) and was stopped"
                _log.warning("%s", self.why_lost())
                self.stop()


def _requests(figures: dict[str, float]) -> float:
    return figures.get("num_requests_running", 0) + figures.get("num_requests_waiting", 0)


def served_name(model: Path) -> str:
    """The name of `model` in calls: the same after another start, so journals know it again."""
    return model.name
