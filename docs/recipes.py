"""`python -m docs.recipes` writes the table of docs/recipes.md anew, from the files of recipes."""

import re
import sys
from pathlib import Path

from infra.presets import SHIPPED, read_recipe

PAGE = Path(__file__).resolve().parent / "recipes.md"
FOLDER = PAGE.with_suffix("")
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def shipped() -> list[str]:
    """Names of the recipes of this repository."""
    return sorted(file.stem for file in (SHIPPED / "recipes").glob("*.yaml"))


def table() -> str:
    """A row for each recipe, as Markdown."""
    rows = [
        "| Recipe | Method | Paper | What it does | Settings |",
        "|---|---|---|---|---|",
        *(row(name) for name in shipped()),
    ]
    return "\n".join(rows) + "\n"


def row(name: str) -> str:
    """The row of one recipe."""
    recipe = read_recipe(name)
    facts = recipe["recipe"]
    link = f"[{facts['paper']}](https://arxiv.org/abs/{facts['paper']})" if facts["paper"] else ""
    keys = ", ".join(f"`{key}`" for key in recipe["set"])
    cells = (f"[`{name}`](recipes/{name}.md)", facts["title"], link, facts["about"], keys)
    return f"| {' | '.join(one.replace('|', chr(92) + '|') for one in cells)} |"


def page() -> str:
    """The page as it is to be: what people wrote, with the table of now."""
    return TABLE.sub(lambda found: table(), PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}: {len(shipped())} recipes\n")
