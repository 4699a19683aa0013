import io
import threading

import pytest
from rich.console import Console

from infra.progress import Progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def plain() -> tuple[Progress, Clock, io.StringIO]:
    out, clock = io.StringIO(), Clock()
    return Progress(Console(file=out, width=200), clock), clock, out


def terminal() -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    return Progress(Console(file=out, force_terminal=True, width=120, color_system=None)), out


def test_a_note_stands_beside_the_count_in_lines_and_bars() -> None:
    progress, clock, out = plain()
    shown, drawn = terminal()
    for one in (progress, shown):
        with one.verb("sample", total=20) as bar:
            bar.note = "12 calls, 0.5 USD"
            clock.now += 10
            bar.advance(10)
    assert out.getvalue().splitlines()[1:] == [
        "sample: 10/20, 1/s, 10 s left (12 calls, 0.5 USD)",
        "sample: 10/20 in 10 s (12 calls, 0.5 USD)",
    ]
    assert "sample · 12 calls, 0.5 USD" in drawn.getvalue()


def test_without_a_terminal_a_line_at_start_every_ten_seconds_and_at_the_end() -> None:
    progress, clock, out = plain()
    with progress.verb("sample · policy · round 0", total=1200) as bar:
        for _ in range(30):
            clock.now += 1
            bar.advance(40)
    assert out.getvalue().splitlines() == [
        "sample · policy · round 0: 1,200 to do",
        "sample · policy · round 0: 400/1,200, 40/s, 20 s left",
        "sample · policy · round 0: 800/1,200, 40/s, 10 s left",
        "sample · policy · round 0: 1,200/1,200, 40/s, 0 s left",
        "sample · policy · round 0: 1,200/1,200 in 30 s",
    ]


def test_what_an_earlier_attempt_did_does_not_count_as_speed() -> None:
    progress, clock, out = plain()
    with progress.verb("score", total=1000) as bar:
        bar.advance(900)
        clock.now = 10
        bar.advance(10)
    assert "score: 910/1,000, 1/s, 90 s left" in out.getvalue()


def test_steps_may_be_set_with_a_total_that_comes_later() -> None:
    progress, clock, out = plain()
    with progress.verb("train") as bar:
        clock.now = 20
        bar.at(5, 50)
    assert out.getvalue().splitlines() == [
        "train",
        "train: 5/50, 0.25/s, 3 min left",
        "train: 5/50 in 20 s",
    ]


def test_a_verb_that_fails_says_how_far_it_came() -> None:
    progress, _, out = plain()
    with pytest.raises(ZeroDivisionError), progress.verb("judge", total=9) as bar:
        bar.advance(3)
        raise ZeroDivisionError
    assert out.getvalue().splitlines()[-1] == "judge: ended early at 3/9 after 0 s"


def test_names_and_notes_are_shown_as_they_are() -> None:
    progress, _, out = plain()
    progress.note("[bold] is no markup")
    assert out.getvalue() == "[bold] is no markup\n"


def test_on_a_terminal_bars_show_count_and_name_and_notes_stay() -> None:
    progress, out = terminal()
    with progress.verb("sample · [a]", total=4) as one, progress.verb("sample · b", total=6) as two:
        one.advance(4)
        two.advance(3)
        progress.note("half of it")
    shown = out.getvalue()
    assert "sample · [a]" in shown
    assert "4/4" in shown
    assert "3/6" in shown
    assert "half of it" in shown


def test_the_display_ends_with_the_last_verb_and_starts_again() -> None:
    progress, out = terminal()
    for _ in range(2):
        with progress.verb("judge", total=1) as bar:
            bar.advance()
    assert progress._shown is None
    assert out.getvalue().count("1/1") >= 2


def test_threads_may_count_together() -> None:
    progress, _, out = plain()
    with progress.verb("judge", total=4000) as bar:
        threads = [
            threading.Thread(target=lambda: [bar.advance() for _ in range(1000)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert out.getvalue().splitlines()[-1] == "judge: 4,000/4,000 in 0 s"
