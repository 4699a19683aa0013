"""What a Prefect server does by itself: find dead flow runs, retry them, tell people.

`make_automations` may be called as often as one likes, on any server: automations are known by
their names and updated in place.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events import ResourceSpecification
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.settings import PREFECT_API_URL, temporary_settings

from infra.prefect.events import ROUND_EVENTS, ROUND_RESOURCES
from infra.prefect.notifications import notification_block
from infra.prefect.reviews import STILL_WAITS

RETRIED = "retry-crashed"
"""Tag of deployments (prefect.yaml) whose crashed flow runs are retried."""
RETRIES = 3
"""How often a crashed flow run is retried by default."""
RETRY_SECONDS = 15.0
"""A worker reports a crash twice; a retry before the second report would be undone by it."""
SILENCE_SECONDS = 540.0
"""Three heartbeats of Prefect's default frequency."""
PREFIX = "tso: "
FLOW_RUNS = "prefect.flow-run.*"
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDED = tuple(
    f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed")
)
RESTING = ("prefect.flow-run.Paused", "prefect.flow-run.Suspended")
"""A flow run that waits for people sends no heartbeat and is not dead."""
NOT_DEAD = (*RESTING, STILL_WAITS)
"""The tick says so again and again: a last heartbeat may come after the suspension."""
TAKEN, SUBMITTING = "prefect.flow-run.Pending", "prefect.flow-run.Submitting"
"""A worker has taken the flow run, and starts a process for it."""
STARTED = tuple(
    f"prefect.flow-run.{name}"
    for name in (
        *("InfrastructurePending", "Running", "Cancelling"),
        *("Scheduled", "AwaitingRetry", "AwaitingConcurrencySlot", "Late"),
    )
)
"""A process or pod is there or being ended, or no worker has the flow run any more."""
GOES_ON = tuple(
    f"prefect.flow-run.{name}"
    for name in ("Scheduled", "AwaitingRetry", "Pending", "Running", "Completed", "Cancelled")
)
"""After one of these a crashed flow run needs no retry."""
FAILED = ("prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut")
OF_OURS = ResourceSpecification.model_validate(
    {"prefect.resource.role": "flow", "prefect.resource.name": ["tso", "tso-*"]}
)
REVIEW_TEXT = """\
Flow run {{ flow_run.name }} waits for people. How much is done, where to answer, and the form with
which it goes on sooner or later (Resume):

{{ flow_run|ui_url }}
"""
RUN_TEXT = """\
Flow run {{ flow_run.name }} is {{ flow_run.state.name }}: {{ flow_run.state.message }}

{{ flow_run|ui_url }}
"""
ROUND_TEXT = """\
{{ event.resource['prefect.resource.name'] }}: {{ event.resource['tso.outcome'] }}.
{{ event.resource['tso.gate'] }}

Report: {{ event.resource['tso.report'] }}
"""


def make_automations(
    api: str,
    *,
    silence_seconds: float = SILENCE_SECONDS,
    retries: int = RETRIES,
    retry_seconds: float = RETRY_SECONDS,
    notify: str = "",
) -> list[str]:
    """Make the automations on the server of `api`, or bring them up to date.

    `notify`: where messages go (see `notification_block`). A line for each, e.g. `tso: dead flow
    runs become Crashed: made`.
    """
    with temporary_settings({PREFECT_API_URL: api}):
        block = notification_block(notify)
        retry = crashed_runs_are_retried(retries, retry_seconds)
        wanted = [zombies_crash(silence_seconds), never_started_crash(silence_seconds), retry]
        wanted += notifications(block) if block else []
        with get_client(sync_client=True) as client:
            lines = [_made(client, one) for one in wanted if retries or one is not retry]
            lines += [] if retries else _removed(client, retry.name)
    return lines if block else [*lines, "notifications: none (tso automations --notify says where)"]


def remove_automations(api: str) -> list[str]:
    """Take ours away from the server; the names of those that there were."""
    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
        ours = [one for one in client.read_automations() if one.name.startswith(PREFIX)]
        for one in ours:
            client.delete_automation(one.id)
    return [one.name for one in ours]


def zombies_crash(silence_seconds: float) -> AutomationCore:
    """A flow run that sent heartbeats and is silent for so long becomes Crashed."""
    return _silent_crash(
        "dead flow runs become Crashed",
        f"No heartbeat for {silence_seconds:g} s: its process or machine is gone.",
        after={HEARTBEAT},
        expect={HEARTBEAT, *ENDED, *NOT_DEAD},
        seconds=silence_seconds,
    )


def never_started_crash(silence_seconds: float) -> AutomationCore:
    """A flow run that a worker took, and whose process does not begin for so long, is Crashed.

    The worker was killed in between, or the server was away when it reported that the process
    had died: nobody would look at that flow run again.
    """
    return _silent_crash(
        "flow runs that do not start become Crashed",
        f"Taken by a worker and not running after {silence_seconds:g} s.",
        after={TAKEN, SUBMITTING},
        expect={SUBMITTING, *STARTED, *ENDED, *RESTING},
        seconds=silence_seconds,
    )


def _silent_crash(
    name: str, description: str, after: set[str], expect: set[str], seconds: float
) -> AutomationCore:
    """Crashed, when nothing that is expected follows within so long."""
    return AutomationCore(
        name=f"{PREFIX}{name}",
        description=description,
        trigger=EventTrigger(
            after=after,
            expect=expect,
            match=_resources(FLOW_RUNS),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name="Crashed",
                message=f"No sign of life for {seconds:g} s. Retry goes on where it was.",
            )
        ],
    )


def crashed_runs_are_retried(retries: int, seconds: float) -> AutomationCore:
    """A crashed flow run of a tagged deployment is retried, `retries` times at most.

    The wait is a trigger for what does not happen: nothing brings the flow run on for so long.
    """
    starts = [str(number) for number in range(retries + 1)]
    return AutomationCore(
        name=f"{PREFIX}crashed flow runs are retried",
        description=(
            f"{seconds:g} s after a crash, {retries} times at most; deployments tagged {RETRIED}."
        ),
        trigger=EventTrigger(
            after={"prefect.flow-run.Crashed"},
            expect=set(GOES_ON),
            match=ResourceSpecification.model_validate(
                {"prefect.resource.id": FLOW_RUNS, "prefect.run-count": starts}
            ),
            match_related=ResourceSpecification.model_validate(
                {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{RETRIED}"}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                name="AwaitingRetry",
                message="Retried after a crash: it goes on where it was.",
            )
        ],
    )


def notifications(block: UUID) -> list[AutomationCore]:
    """Messages about failures, about reviews that wait, and about gates that did not promote."""
    outcomes = [ROUND_EVENTS[name] for name in ("refused", "inconclusive")]
    return [
        _message("tell of failed flow runs", FAILED, FLOW_RUNS, block, "failed", RUN_TEXT),
        _message("tell of reviews", RESTING, FLOW_RUNS, block, "waits for people", REVIEW_TEXT),
        _message("tell of gates", outcomes, ROUND_RESOURCES, block, "not promoted", ROUND_TEXT),
    ]


def _message(
    name: str, events: Sequence[str], resources: str, block: UUID, subject: str, body: str
) -> AutomationCore:
    about_runs = resources == FLOW_RUNS
    shown = "{{ flow_run.name }}" if about_runs else "{{ event.resource['prefect.resource.name'] }}"
    action: ActionTypes = SendNotification(
        block_document_id=block, subject=f"TSO: {shown}: {subject}", body=body
    )
    return AutomationCore(
        name=f"{PREFIX}{name}",
        description=f"A message for each of: {', '.join(sorted(events))}",
        trigger=EventTrigger(
            expect=set(events),
            match=_resources(resources),
            match_related=OF_OURS if about_runs else ResourceSpecification.model_validate({}),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[action],
    )


def _resources(pattern: str) -> ResourceSpecification:
    return ResourceSpecification.model_validate({"prefect.resource.id": pattern})


def _made(client: SyncPrefectClient, wanted: AutomationCore) -> str:
    """Make or update one automation; what became of it.

    An equal one is left alone: an update would forget the flow runs that it is waiting for. One
    that somebody has paused stays paused.
    """
    known = client.read_automations_by_name(wanted.name)
    for double in known[1:]:
        client.delete_automation(double.id)
    if not known:
        client.create_automation(wanted)
        return f"{wanted.name}: made"
    if _settings(known[0]) == _settings(wanted):
        return f"{wanted.name}: as it was"
    wanted.enabled = known[0].enabled
    client.update_automation(known[0].id, wanted)
    return f"{wanted.name}: updated"


def _removed(client: SyncPrefectClient, name: str) -> list[str]:
    known = client.read_automations_by_name(name)
    for one in known:
        client.delete_automation(one.id)
    return [f"{name}: removed"] if known else []


def _settings(automation: AutomationCore) -> Any:
    """What an automation is, without the ids that the server gives to its parts."""
    fields = {"name", "description", "trigger", "actions"}
    return _without_ids(automation.model_dump(mode="json", include=fields))


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(one) for key, one in value.items() if key != "id"}
    if isinstance(value, list):
        listed = [_without_ids(one) for one in value]
        return sorted(listed) if all(isinstance(one, str) for one in listed) else listed
    return value
