"""Deployments that a flow sends work to: looked up, and looked at before the first round."""

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import WorkerStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from tasks.errors import ConfigError

WITHOUT_WORKERS = (":push", ":managed")
"""Work pools whose types end so start their work themselves."""


def found_deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    """The deployment FLOW/NAME; ConfigError if the server has none."""
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        raise ConfigError(
            f"there is no deployment {name} on {client.api_url}; put it there with "
            "`prefect --no-prompt deploy --all` (prefect.yaml), or let the verb work here: local"
        ) from error


def look_at_deployment(name: str, needs_worker: bool) -> str:
    """Says who works for the deployment FLOW/NAME.

    Raises ConfigError if there is no such deployment, it cannot run, or, where that is needed,
    nobody works for its pool.
    """
    if get_current_settings().api.url is None:
        raise ConfigError(
            f"{name} is a deployment on a Prefect server, but PREFECT_API_URL is not set; set it, "
            "or let the verb work here: local"
        )
    with get_client(sync_client=True) as client:
        pool = found_deployment(client, name).work_pool_name
        if pool is None:
            raise ConfigError(f"the deployment {name} has no work pool; give it one and deploy it")
        return _said(client, name, pool, needs_worker)


def _said(client: SyncPrefectClient, name: str, pool: str, needs_worker: bool) -> str:
    known = client.read_work_pool(pool)
    if known.is_paused:
        raise ConfigError(
            f"{name} needs the work pool {pool}, which is paused: prefect work-pool resume {pool}"
        )
    if known.type.endswith(WITHOUT_WORKERS):
        return f"{name}, work pool {pool} ({known.type})"
    workers = client.read_workers_for_work_pool(pool)
    online = sum(worker.status == WorkerStatus.ONLINE for worker in workers)
    start = f"start one: prefect worker start --pool {pool}"
    if online:
        return f"{name}, work pool {pool}, {online} worker{'' if online == 1 else 's'} online"
    if needs_worker:
        raise ConfigError(
            f"{name} needs a worker, and none is online for the work pool {pool}; {start}. "
            "To begin nevertheless: --set placement.wait_for_workers=true"
        )
    return f"{name}, work pool {pool}: no worker is online, its work will wait; {start}"
