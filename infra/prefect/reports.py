"""What people find in Prefect's UI."""

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext, TaskRunContext


def publish_report(run: str, round_index: int, text: str) -> None:
    """Show a round's report as an artifact of the flow run; nothing outside of one."""
    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return
    key = f"report-{run}".lower().replace("_", "-").replace(".", "-")
    create_markdown_artifact(markdown=text, key=key, description=f"run {run}, round {round_index}")
