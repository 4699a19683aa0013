"""The project's source files as tests see them: paths, syntax trees, imports, sizes."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ("flows", "tasks", "infra")
EVERYTHING = (*CODE, "tests", "examples", "benchmarks", "docs")

DOORS = (
    *("collect", "sample", "judge", "annotate", "estimate", "pair", "transform", "replay"),
    *("score", "teach", "train", "evaluate", "refresh"),
    *("contend", "rounds", "clear", "waiting", "average", "imagine"),
)
"""Verbs, and files of tasks/ beside them where Prefect, storage and domain meet."""

DOOR_PARTS: dict[str, str | tuple[str, ...]] = {
    "annotate_people": "annotate",
    "annotate_quality": "annotate",
    "annotate_queue": "annotate",
    "estimate_model": "estimate",
    "estimate_scores": "estimate",
    "evaluate_harness": "evaluate",
    "collect_clean": "collect",
    "judge_asking": "judge",
    "judge_models": "judge",
    "judge_panel": "judge",
    "judge_recorded": "judge",
    "label_passes": "pair",
    "pair_passes": ("pair", "imagine"),
    "refresh_report": "refresh",
    "refresh_rounds": "refresh",
    "replay_rows": "replay",
    "rounds_checks": "rounds",
    "sample_job": ("sample", "transform"),
    "score_rows": "score",
    "train_examples": "train",
    "transform_rows": "transform",
    "transform_writing": "transform",
}
"""Files of tasks/ that are part of a door, or of several; they and their parts may import them."""


def doors_of(part: str) -> tuple[str, ...]:
    """The doors that a file is part of."""
    doors = DOOR_PARTS[part]
    return (doors,) if isinstance(doors, str) else doors


def sources(*folders: str) -> list[str]:
    """Paths of the Python files below `folders`, relative to the repository, sorted."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def room_of(path: str) -> str:
    """story, quickstart, cli, door, domain or outside: decided by where the file lies."""
    top, *rest = path.split("/")
    if top == "flows":
        return rest[0] if len(rest) > 1 else "story"
    if top == "tasks":
        doors = {f"tasks/{door}.py" for door in (*DOORS, *DOOR_PARTS)}
        return "door" if path in doors else "domain"
    return "outside"


@cache
def tree(path: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=path)


def imports(path: str) -> list[tuple[int, str]]:
    """Line and dotted name of everything a file imports, inside functions too.

    `from tasks import child` counts as `tasks.child`.
    """
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} imports relative to itself; write it out"
            whole = node.module in CODE
            names = [f"{node.module}.{alias.name}" for alias in node.names] if whole else []
            found += [(node.lineno, name) for name in names or [str(node.module)]]
    return found


def within(name: str, *parents: str) -> bool:
    """Whether the module `name` is one of `parents`, or below one."""
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def functions(path: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, methods and inner ones included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(path: str) -> Iterator[tuple[ast.Call, str]]:
    """Every call in a file with the dotted name of what is called."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def docstring_lines(path: str) -> int:
    """Lines of docstrings, those under fields included."""
    texts = (
        node
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    )
    return sum(lines_of(node) for node in texts)


def lines_of(node: ast.stmt) -> int:
    """How many lines a statement spans."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    has_docstring = ast.get_docstring(function) is not None
    return lines_of(function) - (lines_of(function.body[0]) if has_docstring else 0)
