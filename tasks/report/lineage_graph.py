"""What was made of what, as a graph: the stages of one round, and the policies of a run."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tasks.ledger.rounds import RoundFacts
from tasks.report.formatting import count, figure, short

WIDTH, HEIGHT = 130, 42
"""Of a node (units of the drawing)."""
ACROSS, DOWN = 158, 54
"""From one column or row to the next."""
SHOWN = 16
"""Characters of a name that fit into a node."""
COLUMNS = ("collect", "sample", "judge", "pair", "train", "evaluate")
"""Of the stages of a round, from left to right; people stand with judges."""


class Node(NamedTuple):
    """A box with two lines."""

    x: float
    y: float
    title: str
    line: str
    hint: str
    """What a mouse that rests on it is told."""
    kind: str
    """How it is drawn: stage, promoted, inconclusive, refused or model."""


class Edge(NamedTuple):
    """A line from the right of one node to the left of another."""

    x1: float
    y1: float
    x2: float
    y2: float
    kind: str
    """solid, or dashed where what comes out is not used."""

    @property
    def path(self) -> str:
        """As SVG."""
        middle = (self.x1 + self.x2) / 2
        return (
            f"M{self.x1:g} {self.y1:g}C{middle:g} {self.y1:g} {middle:g} {self.y2:g} "
            f"{self.x2:g} {self.y2:g}"
        )


class Graph(NamedTuple):
    """Nodes and edges on a drawing of this size."""

    nodes: list[Node]
    edges: list[Edge]
    width: float
    height: float


def shown(name: str) -> str:
    """A name as far as it fits."""
    return name if len(name) <= SHOWN else f"{name[: SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}"


def stage_graph(artifacts: Mapping[str, Mapping[str, Any]], outcome: str) -> Graph:
    """The stages of a round, by role, each column after those it reads."""
    columns: list[list[tuple[str, Mapping[str, Any]]]] = [[] for _ in COLUMNS]
    for role, artifact in artifacts.items():
        if (place := _column(role)) is not None:
            columns[place].append((role, artifact))
    columns = [column for column in columns if column]
    tallest = max((len(column) for column in columns), default=1)
    placed = [
        [_stage_node(index, row, len(column), tallest, *one) for row, one in enumerate(column)]
        for index, column in enumerate(columns)
    ]
    placed.append([_gate_node(len(placed), tallest, outcome)])
    edges = [
        _edge(left, right)
        for before, after in pairwise(placed)
        for left in before
        for right in after
    ]
    return _graph([node for column in placed for node in column], edges)


def _column(role: str) -> int | None:
    """Where a role stands; what only serves another stage, as scores do, has no place."""
    if role.endswith("-evaluation") or "-evaluation-" in role or role == "agreement":
        return None
    verb = role.partition("-")[0]
    verb = "judge" if verb == "annotate" else verb
    return COLUMNS.index(verb) if verb in COLUMNS else None


def _stage_node(
    column: int, row: int, rows: int, tallest: int, role: str, artifact: Mapping[str, Any]
) -> Node:
    name = role.removeprefix("sample-train-").removeprefix("judge-").removesuffix("-train")
    verb = role.partition("-")[0]
    title = f"{verb} {name}" if verb in ("sample", "judge") else name
    return Node(
        x=column * ACROSS,
        y=(row + (tallest - rows) / 2) * DOWN,
        title=shown(title),
        line=f"{count(int(artifact.get('rows', 0)))} rows",
        hint=f"{role}: {artifact.get('uri', '')}",
        kind="stage",
    )


def _gate_node(column: int, tallest: int, outcome: str) -> Node:
    y = (tallest - 1) / 2 * DOWN
    return Node(column * ACROSS, y, "gate", outcome, f"the gate said {outcome}", outcome)


def run_graph(rounds: Sequence[RoundFacts], metric: str | None) -> Graph:
    """The policies of a run: each grows from its reference; who was refused leads nowhere."""
    if not rounds:
        return _graph([], [])
    sft = rounds[0].sft or rounds[0].reference_in
    nodes = [Node(0, 0, "SFT model", short(sft), f"sha256 {sft}", "model")]
    edges, places = [], {sft: nodes[0]}
    for column, one in enumerate(rounds, start=1):
        stands = one.reference_out == one.policy
        report = one.figure(metric) if metric else None
        said = "" if report is None else f" · {figure(report.value)}"
        node = Node(
            x=column * ACROSS,
            y=0 if stands else DOWN,
            title=f"round {one.index}",
            line=f"{short(one.policy)[:8]}{said}",
            hint=f"{one.outcome}: sha256 {one.policy}",
            kind=one.outcome,
        )
        source = places.get(one.reference_in, nodes[0])
        edges.append(_edge(source, node, "solid" if stands else "dashed"))
        nodes.append(node)
        places[one.policy] = node
    return _graph(nodes, edges)


def _edge(left: Node, right: Node, kind: str = "solid") -> Edge:
    return Edge(left.x + WIDTH, left.y + HEIGHT / 2, right.x, right.y + HEIGHT / 2, kind)


def _graph(nodes: list[Node], edges: list[Edge]) -> Graph:
    width = max((node.x for node in nodes), default=0) + WIDTH
    height = max((node.y for node in nodes), default=0) + HEIGHT
    return Graph(nodes, edges, width, height)
