"""Keep a store small: garbage collection as a flow of its own, for a schedule."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from infra.prefect.form import Overrides, PresetName
from tasks.clear import clear_after
from tasks.rounds import resolve


@flow(name="tso-garbage", flow_run_name="garbage of {preset}", persist_result=False)
def garbage(
    preset: PresetName = "quickstart",
    delete: bool = False,
    grace_days: float = 7.0,
    overrides: Overrides = None,
) -> State[Any]:
    """Find, and delete if asked to, what no run in the store needs any more.

    Args:
        preset: The file that names the store.
        delete: Otherwise it is only counted.
        grace_days: Age of finished stages that no run names, before they go.
        overrides: Settings to replace, by dotted key, e.g. `{"storage.root": "s3://team/tso"}`
    """
    config, _ = resolve(preset, overrides or {})
    found = clear_after(config.storage, grace_days, delete=delete)
    return Completed(message=found.summary)
