"""The report of a round: one self-contained HTML page and a small markdown version for Prefect."""

from tasks.report.data import RoundData
from tasks.report.render import html, markdown

__all__ = ["RoundData", "html", "markdown"]
