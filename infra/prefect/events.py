"""Events of ours on the Prefect server, for automations and other systems to act on.

An event is an announcement; the round's manifest in the store is the truth.
"""

from collections.abc import Mapping
from typing import Any

from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event

OUTCOMES = ("promoted", "refused", "inconclusive")
ROUND_EVENTS = {outcome: f"tso.round.{outcome}" for outcome in OUTCOMES}
"""By the gate's outcome."""
ROUND_RESOURCES = "tso.round.*"
"""Ids of rounds as resources of events: `tso.round.RUN.INDEX`."""


def announce_round(manifest: Mapping[str, Any], place: str) -> None:
    """Tell the server how a committed round ended; nothing outside of a flow run.

    `place` is the URI of the manifest. All that others need to act is a label of the resource, so
    that an automation can match on it and hand it on as a parameter.
    """
    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return
    run, index, gate = manifest["run"], manifest["round_index"], manifest["gate"]
    figures = {f"tso.figure.{name}": f"{value:.6g}" for name, value in manifest["figures"].items()}
    emit_event(
        event=ROUND_EVENTS[gate["outcome"]],
        resource={
            "prefect.resource.id": f"tso.round.{run}.{index}",
            "prefect.resource.name": f"{run} · round {index}",
            "tso.run": run,
            "tso.round": str(index),
            "tso.outcome": gate["outcome"],
            "tso.gate": " ".join(gate["reasons"]),
            "tso.policy": manifest["policy"]["uri"],
            "tso.manifest": place,
            "tso.report": manifest["report"],
            **figures,
        },
        payload={"gate": gate, "figures": manifest["figures"]},
    )
