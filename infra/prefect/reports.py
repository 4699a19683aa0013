"""What people find in Prefect's UI: each round's report, and runs by their names."""

import os
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext, TaskRunContext
from prefect.runtime import flow_run


def publish_report(run: str, round_index: int, text: str, page: str) -> None:
    """Show a round's report as an artifact of the flow run; nothing outside of one.

    `page` is the URI of the whole report. No browser follows a link from a server's page to a
    local file or to s3://: it stands there to be copied, unless TSO_REPORTS_URL names a server that
    shows the reports of this store.
    """
    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return
    _publish(f"report-{run}", text, page, f"Run {run}, round {round_index}. The whole report: ")


def publish_rounds(run: str, text: str, page: str) -> None:
    """Show all rounds of a run as an artifact of the flow run; nothing outside of one.

    `page` is the URI of the run's page.
    """
    if FlowRunContext.get() is not None or TaskRunContext.get() is not None:
        _publish(f"rounds-{run}", text, page, f"Run {run}, all rounds. The whole report: ")


def publish_comparison(name: str, text: str) -> None:
    """Show the table of a comparison as an artifact of the flow run; nothing outside of one."""
    if FlowRunContext.get() is not None:
        create_markdown_artifact(
            markdown=text,
            key=_key(f"comparison-{name}"),
            description=f"Methods beside each other: {name}",
        )


def _key(text: str) -> str:
    return text.lower().replace("_", "-").replace(".", "-")


def _publish(key: str, text: str, page: str, described: str) -> None:
    link = browser_link(page)
    shown = f"[{link}]({link})" if link else f"`{page.removeprefix('file://')}`"
    create_markdown_artifact(
        markdown=f"{text}\n\n## The whole report\n\nOpen it in a browser: {shown}\n",
        key=_key(key),
        description=f"{described}{shown}",
    )


def browser_link(page: str) -> str:
    """Where a browser finds the report at the URI `page`; empty if no server shows it."""
    shown, store = os.environ.get("TSO_REPORTS_URL"), os.environ.get("TSO_STORE")
    if not shown or not store or not page.startswith(f"{store}/"):
        return ""
    return shown + page.removeprefix(store)


def tag_flow_run(tag: str) -> None:
    """Let people filter flow runs by `tag`; nothing outside of a flow run.

    Only the flow run has it: a tag on a task costs seconds for each of its runs.
    """
    given = flow_run.get_id()
    if given is None:
        return
    with get_client(sync_client=True) as client:
        seen = client.read_flow_run(UUID(given))
        if tag not in seen.tags:
            client.update_flow_run(seen.id, tags=[*seen.tags, tag])
