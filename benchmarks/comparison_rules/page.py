"""The study's table in docs/comparisons.md, made from its result."""

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/comparisons.md"
BEGIN, END = "<!-- study -->\n", "<!-- end of study -->\n"
HEAD = (
    "| Ranked | Rule | Calls | of random | Kendall τ | of random | Difference (95 %) | Holds |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def table(rows: list[dict[str, Any]]) -> str:
    """One line for each rule and number of calls; the one that counts in bold."""
    return HEAD + "".join(_line(row) for row in rows)


def _line(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    holds = "yes" if row["surely"] else "on average" if row["holds"] else "no"
    mark = "**" if row["counts"] else ""
    return (
        f"| {row['case']} | `{row['rule']}` | {row['calls']:,.0f} | "
        f"{mark}{row['calls_random']:,.0f}{mark} | {row['tau']:.3f} | {row['tau_random']:.3f} | "
        f"{row['difference']:+.3f} ({low:+.3f} to {high:+.3f}) | {mark}{holds}{mark} |\n"
    )


def write_page(result: Path) -> None:
    """Put the table of `result` into the page."""
    rows = json.loads(result.read_text(encoding="utf-8"))["metrics"]["rows"]
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{table(rows)}{END}{after}", encoding="utf-8")
