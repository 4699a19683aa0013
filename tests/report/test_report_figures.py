"""The curves: deterministic, themed by the page, and bounded in size."""

import io
import math
import random
import subprocess
import sys

from example_measurements import steps as example_steps
from PIL import Image

from tasks.report.figures import MAX_POINTS, training_drawings, training_png


def _steps(number, **values):
    return [{"step": step, **values} for step in range(number)]


def test_a_loss_that_reports_no_rewards_has_no_empty_panels():
    drawings = training_drawings(_steps(3, loss=0.5))
    assert [drawing.title for drawing in drawings] == ["Loss"]
    assert drawings[0].legend == [("loss", 0.5)]


def test_the_own_metrics_of_a_loss_are_drawn_after_the_others():
    steps = _steps(3, gap=0.25, loss=0.5, learning_rate=0.1, tokens_per_second=9.0)
    drawings = training_drawings(steps)
    assert [drawing.title for drawing in drawings] == ["Loss", "gap"]
    assert drawings[1].legend == [("", 0.25)]


def test_health_is_drawn_before_the_own_metrics_of_a_loss():
    steps = _steps(3, gap=0.25, kl=0.1, entropy=1.5, solved=0.2, gradient_norm=1.0, loss=0.5)
    steps = [step | {"chosen_tokens": 30.0, "rejected_tokens": 20.0} for step in steps]
    assert [drawing.title for drawing in training_drawings(steps)] == [
        *("Loss", "Solved", "Distance from the reference", "Entropy of the next token"),
        *("Length", "Gradient norm", "gap"),
    ]


def test_colours_come_from_the_page_and_nothing_is_left_of_the_file_around_the_svg():
    svg = training_drawings(_steps(60, loss=0.5))[0].svg
    assert svg.startswith('<svg aria-hidden="true"')
    assert "var(--series-0)" in svg and "#0" + "303" not in svg
    for foreign in ("<metadata", "<style", "<?xml", "<!DOCTYPE", ' id="figure', "#000000"):
        assert foreign not in svg


def test_figures_are_the_same_bytes_every_time():
    steps = _steps(5, loss=0.5, accuracy=0.7)
    assert training_drawings(steps) == training_drawings(steps)
    assert training_png(steps) == training_png(steps)


def test_one_step_is_enough_for_a_figure():
    assert len(training_drawings(_steps(1, loss=0.5, accuracy=1.0))) == 2


def test_a_long_training_is_drawn_with_few_points():
    short, long = (len(training_drawings(_steps(n, loss=0.5))[0].svg) for n in (MAX_POINTS, 9000))
    assert abs(long - short) < 0.2 * short


def test_steps_without_a_number_are_left_out():
    steps = [{"step": 0, "loss": math.nan}, {"step": 1, "loss": 0.4}, {"step": 2}]
    assert training_drawings(steps)[0].legend == [("loss", 0.4)]
    assert training_drawings([{"step": 0, "loss": math.nan}]) == []


def test_the_picture_is_a_small_png():
    picture = training_png(_steps(300, loss=0.5, accuracy=0.7, reward_chosen=0.2, margin=1.0))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 40_000
    assert training_png([]) is None


def test_every_line_of_the_picture_keeps_its_colour():
    with Image.open(io.BytesIO(training_png(example_steps(random.Random(0), 120)))) as picture:
        colours = [colour for _, colour in picture.convert("RGB").getcolors()]
    for channel in range(3):  # red, green and blue each stand out somewhere
        assert max(c[channel] - max(c[:channel] + c[channel + 1 :]) for c in colours) > 20


def test_importing_the_report_does_not_import_matplotlib():
    code = "import sys, tasks.report; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
