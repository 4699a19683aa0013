"""Work pools and limits on a Prefect server: made where they are missing, set where they differ."""

from collections.abc import Mapping

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings


def make_pools(api: str, pools: Mapping[str, int | None], limits: Mapping[str, int]) -> list[str]:
    """Process pools by name with their number of flow runs at a time (None: any), and limits.

    What a pool's job template was changed to stays. Returns a line for whatever is not as it was.
    """
    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
        changes = [_pool(client, name, most) for name, most in pools.items()]
        changes += [_limit(client, name, most) for name, most in limits.items()]
    return [line for line in changes if line]


def _pool(client: SyncPrefectClient, name: str, most: int | None) -> str:
    try:
        known = client.read_work_pool(name)
    except ObjectNotFound:
        made = WorkPoolCreate(name=name, type="process", concurrency_limit=most)
        client.create_work_pool(made)
        return f"work pool {name}: made ({_most(most)})"
    if known.concurrency_limit == most:
        return ""
    client.update_work_pool(name, WorkPoolUpdate(concurrency_limit=most))
    return f"work pool {name}: {_most(most)} (was {_most(known.concurrency_limit)})"


def _limit(client: SyncPrefectClient, name: str, most: int) -> str:
    try:
        known = client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=most))
        return f"limit {name}: made ({most})"
    if known.limit == most:
        return ""
    client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(limit=most))
    return f"limit {name}: {most} (was {known.limit})"


def _most(number: int | None) -> str:
    return "any number of flow runs at a time" if number is None else f"{number} at a time"
