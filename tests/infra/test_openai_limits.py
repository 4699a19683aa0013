"""The bucket that keeps calls below what a server allows in a minute."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.openai_limits import Bucket


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def spent_at_once(bucket: Bucket) -> int:
    """How many single units go out without waiting."""
    count = 0
    while bucket.seconds_until(1) == 0:
        bucket.take(1)
        count += 1
    return count


def test_five_seconds_worth_goes_out_at_once_and_the_rest_evenly() -> None:
    clock = Clock()
    bucket = Bucket(120, clock)
    assert spent_at_once(bucket) == 10
    clock.now += bucket.seconds_until(1)
    assert 0.5 < clock.now < 0.6
    assert spent_at_once(bucket) == 1


def test_what_was_not_used_can_be_used_by_others() -> None:
    bucket = Bucket(1200, Clock())
    bucket.take(100)
    assert bucket.seconds_until(50) > 0
    bucket.give_back(60)
    assert bucket.seconds_until(50) == 0


def test_a_call_larger_than_the_limit_goes_out_alone() -> None:
    clock = Clock()
    bucket = Bucket(60, clock)
    assert bucket.seconds_until(500) == 0
    bucket.take(500)
    assert bucket.seconds_until(1) > 400


Steps = st.lists(
    st.tuples(
        st.floats(0, 30),  # how long the caller does something else
        st.integers(1, 40),  # how much it asks for
        st.floats(0, 1),  # the share that it uses
        st.floats(0, 20),  # how long the call takes
    ),
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(1, 200), Steps)
def test_in_any_minute_no_more_is_used_than_the_limit_and_what_was_in_flight(
    per_minute: int, steps: list[tuple[float, int, float, float]]
) -> None:
    clock = Clock()
    bucket = Bucket(per_minute, clock)
    begun: list[tuple[float, float, float, float]] = []  # start, end, reserved, used
    open_calls: list[tuple[float, float]] = []  # end, to give back
    for pause, amount, share, seconds in steps:
        clock.now += pause + bucket.seconds_until(amount) + 1e-9
        for end, unused in [one for one in open_calls if one[0] <= clock.now]:
            bucket.give_back(unused)
            open_calls.remove((end, unused))
        clock.now += bucket.seconds_until(amount) + 1e-9
        bucket.take(amount)
        end = clock.now + seconds
        begun.append((clock.now, end, amount, share * amount))
        open_calls.append((end, amount * (1 - share)))
    for start, *_ in begun:
        used = sum(one[3] for one in begun if start <= one[0] < start + 60)
        largest = max(one[2] for one in begun)
        in_flight = sum(one[2] for one in begun if one[0] < start <= one[1] + 1e-6)
        assert used <= per_minute + in_flight + largest + 1e-3
