import pytest

from infra.processes.smaller import with_smaller_budgets
from tasks.child import BUG, OUT_OF_MEMORY
from tasks.errors import ChildError


class Memory:
    """Work that fits if at most `room` tokens are worked on at once."""

    def __init__(self, room: int, code: int = OUT_OF_MEMORY) -> None:
        self.tried: list[int] = []
        self._room = room
        self._code = code

    def __call__(self, budget: int) -> str:
        self.tried.append(budget)
        if budget > self._room:
            raise ChildError(f"failed with {budget} tokens", self._code)
        return "done"


def test_what_fits_is_tried_once():
    memory = Memory(1000)
    assert with_smaller_budgets(memory, 800, 10) == ("done", 800)
    assert memory.tried == [800]


def test_the_budget_is_halved_until_it_fits(caplog):
    memory = Memory(250)
    assert with_smaller_budgets(memory, 800, 10) == ("done", 200)
    assert memory.tried == [800, 400, 200]
    assert "Trying again with 200 tokens at once instead of 400" in caplog.text


def test_the_longest_row_is_the_smallest_budget():
    memory = Memory(0)
    with pytest.raises(ChildError, match="failed with 300 tokens"):
        with_smaller_budgets(memory, 800, 300)
    assert memory.tried == [800, 400, 300]


def test_after_a_few_halvings_it_is_given_up():
    memory = Memory(0)
    with pytest.raises(ChildError, match="failed with 32 tokens"):
        with_smaller_budgets(memory, 1024, 1)
    assert memory.tried == [1024, 512, 256, 128, 64, 32]


def test_other_failures_are_not_tried_again():
    memory = Memory(0, BUG)
    with pytest.raises(ChildError):
        with_smaller_budgets(memory, 800, 10)
    assert memory.tried == [800]
