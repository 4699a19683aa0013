"""What the runs of a comparison have left in their store."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flows.comparison.plan import Plan
from infra.artifacts import open_artifact
from infra.run_tree import RunTree
from infra.storage import open_store
from infra.worked import work_of
from tasks.ledger.rounds import WHOLE, RoundFacts
from tasks.measuring import Measured
from tasks.methods import Method, MethodRun
from tasks.model_matrix import evaluated_name
from tasks.records import Artifact
from tasks.refresh import rounds_of
from tasks.tables import from_table


class _Named(NamedTuple):
    """A stage that a run names."""

    artifact: Artifact
    seconds: float
    """Of the run's calls that were about it."""


Made = dict[str, float]
"""By the URI of each stage that a run of the comparison made: seconds it took."""


def runs_left(plan: Plan, failed: Mapping[str, str]) -> list[MethodRun]:
    """What every run came to, in the plan's order; those that have not begun yet are left out.

    A stage that several runs name was made by the first of them in that order.
    """
    made: Made = {}
    found = [_left(plan, method, failed.get(method.run, ""), made) for method in plan.methods]
    return [one for one in found if one.failed or one.rounds]


def _left(plan: Plan, method: Method, failed: str, made: Made) -> MethodRun:
    tree = RunTree(open_store(plan.storage), method.run)
    if not tree.manifests():
        return MethodRun(method=method, failed=failed)
    rounds = rounds_of(tree)
    stages = _stages(tree, rounds)
    reused = {uri for uri in stages if uri in made}
    shared = sum(made[uri] for uri in reused)
    made.update({uri: one.seconds for uri, one in stages.items() if uri not in made})
    return MethodRun(
        method=method,
        rounds=len(rounds),
        prompts=sum(one.manifest["artifacts"]["collect-train"]["rows"] for one in rounds),
        pairs=sum(one.given for one in rounds),
        calls=sum(_calls(tree, one.artifact) for one in stages.values()),
        usd=sum(one.usd for one in rounds),
        seconds=round(sum(one.all_seconds or 0.0 for one in rounds), 1),
        shared_seconds=round(shared, 1),
        stages=len(stages),
        reused=len(reused),
        **_measured(tree, [one for one in rounds if one.metrics]),
        failed=failed,
    )


def _stages(tree: RunTree, rounds: list[RoundFacts]) -> dict[str, _Named]:
    """Every stage that the rounds name, by its URI."""
    found: dict[str, _Named] = {}
    for facts in rounds:
        took: dict[str, float] = {}
        for one in work_of(tree, facts.index):
            role = _role(one.verb, one.name, facts)
            took[role] = took.get(role, 0.0) + one.seconds
        for role, artifact in facts.manifest["artifacts"].items():
            named = _Named(Artifact(**artifact), took.get(_sorted(role), 0.0))
            found.setdefault(artifact["uri"], named)
    return found


def _role(verb: str, name: str, facts: RoundFacts) -> str:
    """What a call of a verb is about, comparable with the roles of stages."""
    weights = {"policy": facts.policy, "reference": facts.reference_in, "sft": facts.sft}
    parts = name.split(" · ") if name else []
    if verb == "sample" and parts[1:] == ["evaluation"] and parts[0] in weights:
        parts[0] = evaluated_name(weights[parts[0]])
    return _sorted("-".join([verb, *parts]))


def _sorted(role: str) -> str:
    """Roles name cell and part in another order than calls do."""
    return "-".join(sorted(role.split("-")))


def _calls(tree: RunTree, artifact: Artifact) -> int:
    return int(open_artifact(tree.store, artifact).side().get("calls", 0))


def _measured(tree: RunTree, rounds: list[RoundFacts]) -> dict[str, Any]:
    """What the newest of the rounds that were measured says; nothing if none was."""
    if not rounds:
        return {}
    last = rounds[-1]
    return {
        "measured_round": last.index,
        "values": _values(tree, last),
        "figures": {metric: _figure(last, metric) for metric in last.metrics},
    }


def _values(tree: RunTree, facts: RoundFacts) -> dict[str, dict[str, float]]:
    """The policy's values over all prompts, by metric and prompt."""
    artifact = Artifact(**facts.manifest["artifacts"]["evaluate"])
    rows = from_table(Measured, open_artifact(tree.store, artifact).table("values"))
    found: dict[str, dict[str, float]] = {}
    for one in rows:
        if (one.who, one.slice) == ("policy", WHOLE):
            found.setdefault(one.metric, {})[one.prompt_id] = one.value
    return found


def _figure(facts: RoundFacts, metric: str) -> float:
    found = facts.figure(metric)
    assert found is not None, "metrics are those with a figure"
    return found.value
