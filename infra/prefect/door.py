"""A verb as a Prefect task: named for people, never cached by Prefect.

Completion is a fact in storage, so Prefect's own result cache stays off: a second truth would
only disagree with the first.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from infra.prefect.elsewhere import Call, during
from infra.worked import noted_work
from tasks.errors import BudgetError, ConfigError, ConflictError, DataError, FlowRunError

P = ParamSpec("P")
R = TypeVar("R")

WAITS_SECONDS: list[float] = [2, 10, 60]
"""Growing waits between attempts of a door that touches the network or starts a process."""

HOPELESS = (BudgetError, ConfigError, DataError, ConflictError)
"""What another attempt cannot mend."""


def _may_help(_task: Any, _run: Any, state: Any) -> bool:
    error = state.result(raise_on_failure=False)
    if isinstance(error, FlowRunError):
        return error.again
    return not isinstance(error, HOPELESS) and getattr(error, "exit_code", None) != 2


def _run_name(verb: str) -> Callable[[], str]:
    def name() -> str:
        parameters = task_run.parameters
        label = parameters.get("name")
        middle = f" · {label}" if label else ""
        return f"{verb}{middle} · round {parameters['place'].round_index}"

    return name


def door(verb: str, *, retries: int = 0) -> Callable[[Callable[P, R]], Any]:
    """Make a function with a `place` argument the task of `verb`.

    `retries` belongs to doors that need network or a process; bad input is never tried again.
    No tags: Prefect asks its server for a concurrency slot per tag, two seconds for each task.
    """
    as_task = task(
        name=verb,
        task_run_name=_run_name(verb),
        retries=retries,
        retry_delay_seconds=WAITS_SECONDS[:retries] or None,
        retry_condition_fn=_may_help if retries else None,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return lambda function: as_task(_known(verb, function))


def _known(verb: str, function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which can find out in which call it is; what it takes is noted."""
    signature = inspect.signature(function)

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs).arguments
        name = str(given.get("name", ""))
        with noted_work(given["place"], verb, name), during(Call(verb, function, given)):
            return function(*args, **kwargs)

    return called
