"""What a run has spent: known to all its processes, and after any of them dies."""

import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infra.ledger import Ledger, Purse, opened_ledger, past_spending
from infra.openai_calls import Call, Reply
from tasks.spending import Amount, Budget

CENT = Amount(usd=0.01, calls=1, tokens=100)


def purse(ledger: Ledger, **changes: Any) -> Purse:
    given = {"round_index": 0, "verb": "judge", "who": "main", "price": (1.0, 10.0)}
    return Purse(ledger=ledger, **given | changes)


def test_what_is_booked_is_known_after_reopening_by_round_verb_and_name(tmp_path: Path) -> None:
    with Ledger(tmp_path / "spent") as ledger:
        ledger.book(0, "sample", "large", CENT)
        ledger.book(1, "judge", "main", CENT)
        ledger.book(1, "judge", "main", CENT)
    with Ledger(tmp_path / "spent") as ledger:
        assert ledger.spent(1) == Amount(usd=0.02, calls=2, tokens=200)
        assert ledger.spent().calls == 3
        assert ledger.parts(1) == {("judge", "main"): Amount(usd=0.02, calls=2, tokens=200)}
        assert set(ledger.parts()) == {("sample", "large"), ("judge", "main")}


def test_two_processes_count_what_the_other_has_spent(tmp_path: Path) -> None:
    with Ledger(tmp_path / "spent") as one, Ledger(tmp_path / "spent") as other:
        for ledger in (one, other):
            ledger.hold_to(Budget(usd_per_run=0.02))
        one.book(0, "judge", "main", CENT)
        assert other.reserve(0, CENT) == "go"
        other.book(0, "judge", "main", CENT)
        other.release(0, CENT)
        assert one.reserve(0, CENT) == "over"
        assert "0.0200 USD of budget.usd_per_run = 0.0200 USD are spent" in one.why(0, CENT)


def test_threads_of_a_process_share_what_is_reserved(store: Any, tmp_path: Path) -> None:
    where, budget = (tmp_path / "spent", store, "runs/r/spending"), Budget(calls_per_run=5)

    def work(number: int) -> list[str]:
        with opened_ledger(*where, budget) as ledger:
            return [ledger.reserve(0, CENT) for _ in range(3)]

    with opened_ledger(*where, budget), ThreadPoolExecutor(4) as pool:
        answers = [one for found in pool.map(work, range(4)) for one in found]
    assert sorted(answers) == ["go"] * 5 + ["wait"] * 7


WRITER = """
    import sys
    from pathlib import Path
    from infra.ledger import Ledger
    from tasks.spending import Amount
    with Ledger(Path(sys.argv[1])) as ledger:
        while True:
            ledger.book(0, "judge", "main", Amount(usd=0.01, calls=1, tokens=100))
            print(ledger.spent().calls, flush=True)
"""


def test_sigkill_loses_nothing_that_was_booked(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "spent")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    while int(writer.stdout.readline()) < 20:
        pass
    writer.send_signal(signal.SIGKILL)
    told = int((writer.communicate()[0].split() or ["20"])[-1])
    with Ledger(tmp_path / "spent") as ledger:
        assert told <= ledger.spent().calls <= told + 1


def test_another_machine_knows_what_this_one_has_spent(store: Any, tmp_path: Path) -> None:
    with opened_ledger(tmp_path / "one", store, "runs/r/spending", Budget()) as ledger:
        ledger.book(2, "judge", "main", CENT)
    assert past_spending(tmp_path / "two", store, "runs/r/spending").spent(2) == CENT


def test_a_run_that_paid_for_nothing_leaves_no_trace(store: Any, tmp_path: Path) -> None:
    assert past_spending(tmp_path / "one", store, "runs/r/spending").spent() == Amount()
    assert store.list("runs") == [] and not (tmp_path / "one").exists()


def test_a_call_is_estimated_by_its_bytes_and_the_longest_reply(tmp_path: Path) -> None:
    call = Call(
        id="a",
        messages=[{"role": "user", "content": "x" * 60}],
        settings={"max_completion_tokens": 50},
        choices=3,
    )
    with Ledger(tmp_path / "spent") as ledger:
        estimate = purse(ledger).estimate(call)
        counted = Reply(prompt_tokens=10, completion_tokens=5)
        assert estimate == Amount(usd=(100 + 10 * 150) / 1e6, calls=1, tokens=250)
        assert purse(ledger).cost(counted, estimate).usd == pytest.approx((10 + 50) / 1e6)
        assert purse(ledger).cost(Reply(), estimate) == estimate
