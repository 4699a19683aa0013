"""The flow that runs methods beside each other: each an ordinary run, and one table at the end."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.comparison.left import runs_left
from flows.comparison.plan import Plan, planned
from flows.tso import tso
from infra.prefect.form import Methods, Overrides, RunName, Seeds, TotalRounds
from infra.prefect.reports import publish_comparison
from infra.storage import open_store
from infra.work import work_root
from tasks import child
from tasks.claims import frozen_keys
from tasks.config import plain_config
from tasks.methods import Method, Row, plain_rows, table_of
from tasks.methods_page import as_markdown
from tasks.rounds import committed_round, committed_rounds, resolve


@flow(name="tso-compare", flow_run_name="{name}", persist_result=False)
def compare(
    name: RunName,
    methods: Methods,
    seeds: Seeds = (0,),
    until: TotalRounds = 1,
    overrides: Overrides = None,
) -> State[Any]:
    """Run methods beside each other on the same prompts, and say what each came to.

    Args:
        name: Begins the names of the runs; the same name goes on with them.
        methods: Presets with recipes, e.g. quickstart+rpo. Others are held to the first.
        seeds: Each method is run once with each of these.
        until: Rounds of the first method; the others get as many prompts as it.
        overrides: Settings to replace in all of them, by dotted key; what a recipe sets stays.
    """
    plan = planned(name, methods, seeds, until, overrides or {})
    failed = dict(plan.refused)
    rows: list[Row] = []
    for method in plan.methods:
        if method.run not in failed and (why := _failure_of(method, plan)):
            failed[method.run] = why
        rows = write_table(plan, failed, folder_of(name))
    publish_comparison(name, as_markdown(f"Comparison {name}", rows))
    done = len(plan.methods) - len(failed)
    state = f"{name}: {done} of {len(plan.methods)} runs ended well"
    return Completed(name="SomeFailed" if failed else "Completed", message=state)


def _failure_of(method: Method, plan: Plan) -> str:
    """Bring the run to its rounds; why that was not possible, or nothing."""
    done = len(committed_rounds(open_store(plan.storage), method.run))
    if other := _other_settings(method, plan, done):
        return (
            f"the run {method.run} was made with other values of {', '.join(other)}; give them "
            "back, or give the comparison another --name"
        )
    if done >= method.rounds:
        return ""
    state = tso(
        run=method.run,
        preset=method.name,
        until=method.rounds,
        overrides=dict(method.overrides),
        return_state=True,
    )
    if state.is_completed():
        return ""
    error = state.result(raise_on_failure=False)
    return str(error) or type(error).__name__


def _other_settings(method: Method, plan: Plan, done: int) -> list[str]:
    """What the rounds that are done were made with otherwise; their figures are of that."""
    asked, _ = resolve(method.name, method.overrides)
    store = open_store(plan.storage)
    made = (committed_round(store, method.run, index)[0] for index in range(done))
    return sorted(
        {key for one in made for key in frozen_keys(plain_config(one), plain_config(asked))}
    )


def folder_of(name: str) -> Path:
    """Where this machine keeps the newest table of a comparison."""
    return work_root() / "compare" / name


def write_table(plan: Plan, failed: dict[str, str], folder: Path) -> list[Row]:
    """The table of what there is so far; in `folder` as table.md and table.json."""
    rows = table_of(runs_left(plan, failed))
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "table.md"
    page.write_text(as_markdown(f"Comparison {plan.name}", rows), encoding="utf-8")
    child.write_json(folder / "table.json", _plain(plan, failed, rows))
    return rows


def _plain(plan: Plan, failed: dict[str, str], rows: list[Row]) -> dict[str, Any]:
    return {"name": plan.name, "methods": plain_rows(rows), "failed": failed}
