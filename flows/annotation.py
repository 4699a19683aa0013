"""The tick: on a schedule, lets rounds that wait for people go on by quorum or deadline."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.waiting import tick


@flow(name="tso-annotation", flow_run_name="annotation", persist_result=False)
def annotation() -> State[Any]:
    """Look at every flow run that waits for people, and resume those that need not wait longer.

    Nothing is awake in a suspended flow run: this is what notices that its people are done.
    """
    return Completed(message=tick())
