"""A whole round behind a server that charges: stopped by its budget, gone on with a larger one."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from tasks.errors import BudgetError
from tests.infra.chat_server import Server, running_server
from tests.judged import say
from tests.whole_runs import error_of, small_world

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

USAGE = {"prompt_tokens": 200, "completion_tokens": 5, "total_tokens": 205}
COST = (200 * 1.0 + 5 * 10.0) / 1e6


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        running.play = the_later_in_the_alphabet
        yield running


def the_later_in_the_alphabet(handler: Any, number: int, text: str) -> None:
    """A judge that does not depend on the order in which responses are shown."""
    first, second = text.partition("Response A:")[2].split("Response B:")
    second = second.partition("Which response")[0]
    better = "A" if first.strip() > second.strip() else "B"
    say(handler, f"Verdict: {better}", usage=USAGE)


def shown(*arguments: object) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    return " ".join(done.output.split())


def test_a_round_stops_at_its_budget_and_goes_on_with_a_larger_one(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_WORK", str(tmp_path / "work"))
    judge = {"kind": "pairwise", "model": "m", "base_url": server.url, "max_tokens": 20}
    world = small_world(
        tmp_path,
        judges={"main": judge},
        prices={"m": [1.0, 10.0]},
        budget={"usd_per_round": 0.004},
    )
    plan = shown("run", "small", "--preset", world.preset, "--dry-run")
    assert "budget of the round: 0.00 of 0.00 USD are spent; the round may need more" in plan
    assert not server.asked
    stopped = error_of(world.rounds())
    assert isinstance(stopped, BudgetError) and "budget.usd_per_round = 0.0040 USD" in str(stopped)
    assert 0 < sum(server.asked.values()) * COST <= 0.004
    assert "judge main" in shown("status", "small", "--preset", world.preset)
    done = world.rounds(overrides={"budget.usd_per_round": 1})
    assert done.is_completed()
    manifest = world.tree().manifests()[0]
    calls = manifest["counts"]["judge-main-train"]["verdicts"]
    assert sum(server.asked.values()) == calls  # none was paid twice
    assert manifest["spent_usd"] == {"judge main": pytest.approx(calls * COST, abs=1e-6)}
    status = shown("status", "small", "--preset", world.preset)
    assert f"spent: {calls * COST:.4f} USD on {calls} calls" in status
