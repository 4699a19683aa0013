"""Reports: an HTML page for a round and one for a run with all its rounds; markdown for Prefect."""

from tasks.report.data import RoundData
from tasks.report.render import html, markdown
from tasks.report.render_run import run_html, run_markdown
from tasks.report.run_data import RunData

__all__ = ["RoundData", "RunData", "html", "markdown", "run_html", "run_markdown"]
