"""Curves as inline SVG in the page's own colours, and as one PNG for markdown.

No foreign text is ever drawn: titles stand in the page, where they are escaped.
"""

import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_POINTS = 200
"""A longer curve is averaged down to this many points."""

_SMOOTH_ABOVE = 40
_STYLES = ("-", (0, (5, 2)), (0, (1, 1.5)))
_INK, _RULE = "#010101", "#020202"
_SERIES = ("#030301", "#030302", "#030303")
_THEME = {_INK: "var(--muted)", _RULE: "var(--rule)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES)
}
"""Colours that are drawn in vain and then replaced by variables of the style sheet."""

_PRINTED = {
    _INK: "#444444",
    _RULE: "#dddddd",
    **dict(zip(_SERIES, ("#0072b2", "#d55e00", "#009e73"), strict=True)),
}
_SETTINGS: Any = {
    "svg.hashsalt": "tso",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.unicode_minus": True,
    "path.simplify": False,
}


class Panel(NamedTuple):
    """What one figure shows of the optimizer steps."""

    title: str
    unit: str
    series: tuple[tuple[str, str], ...]
    """(key of a step, label)."""
    is_share: bool = False


class Curve(NamedTuple):
    """One line: its label, its points, and the value it ends at."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    last: float
    low: Sequence[float] = ()
    """Lower ends of intervals, a point each; none where empty."""
    high: Sequence[float] = ()
    """Upper ends."""


class Drawing(NamedTuple):
    """A figure of the page: its caption and its picture."""

    title: str
    unit: str
    legend: list[tuple[str, float]]
    """(label, last value), in the order of the series colours."""
    svg: Markup


PANELS = (
    Panel("Loss", "nats", (("loss", "loss"),)),
    Panel(
        "Rewards", "reward units", (("reward_chosen", "chosen"), ("reward_rejected", "rejected"))
    ),
    Panel("Margin", "reward units", (("margin", "chosen less rejected"),)),
    Panel("Accuracy", "share of pairs", (("accuracy", "chosen above rejected"),), True),
    Panel(
        "Clipped",
        "share of pairs",
        (("clipped_chosen", "chosen"), ("clipped_rejected", "rejected"), ("clipped_both", "both")),
        True,
    ),
    Panel(
        "Log-probability",
        "nats a response",
        (("chosen_logp", "chosen"), ("rejected_logp", "rejected")),
    ),
)

MORE_PANELS = (
    Panel(
        "Log-probability of a token",
        "nats a token",
        (("chosen_logp_per_token", "chosen"), ("rejected_logp_per_token", "rejected")),
    ),
    Panel("Solved", "share of pairs", (("solved", "solved"),), True),
    Panel("Distance from the reference", "nats a token", (("kl", "on the pairs' responses"),)),
    Panel("Entropy of the next token", "nats", (("entropy", "policy"),)),
    Panel("Length", "tokens", (("chosen_tokens", "chosen"), ("rejected_tokens", "rejected"))),
    Panel("Gradient norm", "", (("gradient_norm", "before it is scaled down"),)),
)
"""What the page has room for besides; the picture for markdown has not."""

_DRAWN = {key for panel in (*PANELS, *MORE_PANELS) for key, _ in panel.series}
_NOT_DRAWN = {"step", "learning_rate", "tokens_per_second"}


def training_drawings(steps: list[dict[str, float]]) -> list[Drawing]:
    """One drawing for each panel of which the steps say anything, then the loss's own metrics."""
    drawings = []
    for panel in (*PANELS, *MORE_PANELS, *_own_panels(steps)):
        curves = _curves(panel, steps)
        if curves:
            legend = [(curve.label, curve.last) for curve in curves]
            drawn = svg(curves, is_share=panel.is_share)
            drawings.append(Drawing(panel.title, panel.unit, legend, drawn))
    return drawings


def _own_panels(steps: list[dict[str, float]]) -> list[Panel]:
    """A panel for each metric that only this loss has, in order of first appearance."""
    names = dict.fromkeys(name for step in steps for name in step)
    return [Panel(name, "", ((name, ""),)) for name in names if name not in _DRAWN | _NOT_DRAWN]


def training_png(steps: list[dict[str, float]]) -> bytes | None:
    """All panels in one picture of 900 x 460 pixels; None without a step."""
    panels = [(panel, curves) for panel in PANELS if (curves := _curves(panel, steps))]
    return panels_png(panels, rows=2) if panels else None


def panels_png(
    panels: list[tuple[Panel, list[Curve]]], *, rows: int = 1, dots: bool = False
) -> bytes:
    """Up to three panels a row in one picture of 900 pixels, 230 a row; titles stay as they are."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_SETTINGS):
        figure = Figure(figsize=(11.25, 2.875 * rows), dpi=80, layout="constrained")
        axes = figure.subplots(rows, 3, squeeze=False).flatten()
        for axis, (panel, curves) in zip(axes, panels, strict=False):
            _draw(axis, curves, _PRINTED, is_share=panel.is_share, dots=dots)
            title = f"{panel.title} ({panel.unit})" if panel.unit else panel.title
            axis.set_title(title, fontsize=9, loc="left", parse_math=False)
            if len(curves) > 1:
                axis.legend([curve.label for curve in curves], frameon=False, fontsize=8)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        return _few_colours(_saved(figure, "png", {"Software": None}))


def _curves(panel: Panel, steps: list[dict[str, float]]) -> list[Curve]:
    curves = []
    for key, label in panel.series:
        known = [step for step in steps if math.isfinite(step.get(key, math.nan))]
        if known:
            x, y = (_binned([step[name] for step in known]) for name in ("step", key))
            curves.append(Curve(label, x, y, known[-1][key]))
    return curves


def _binned(values: list[float]) -> list[float]:
    """`values`, averaged in equal bins where there are more than `MAX_POINTS`."""
    if len(values) <= MAX_POINTS:
        return values
    return [float(np.mean(part)) for part in np.array_split(np.array(values), MAX_POINTS)]


def svg(curves: list[Curve], *, is_share: bool = False, dots: bool = False) -> Markup:
    """The curves as a part of a page, in its colours; `dots` mark each point and its interval."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_SETTINGS):
        figure = Figure(figsize=(4.0, 2.1), layout="constrained")
        own = {colour: colour for colour in _THEME}
        _draw(figure.subplots(), curves, own, is_share=is_share, dots=dots)
        text = _saved(figure, "svg", {"Date": None}).decode()
    return Markup(_inlined(text))


def _draw(
    axis: "Axes",
    curves: list[Curve],
    colours: dict[str, str],
    *,
    is_share: bool = False,
    dots: bool = False,
) -> None:
    """Lines told apart by dashes as well as colour; noisy ones pale below their moving average."""
    from matplotlib.ticker import MaxNLocator

    for number, curve in enumerate(curves):
        look: dict[str, Any] = {"color": colours[_SERIES[number]], "linestyle": _STYLES[number]}
        smooth = _moving_average(curve.y)
        if smooth is not None:
            pale: dict[str, Any] = {"color": look["color"], "linewidth": 0.7, "alpha": 0.35}
            axis.plot(curve.x, curve.y, label="_nolegend_", **pale)
        if dots:
            look |= {"marker": "o", "markersize": 3.5}
            axis.vlines(
                curve.x[: len(curve.low)], curve.low, curve.high, color=look["color"], linewidth=1
            )
        axis.plot(curve.x, curve.y if smooth is None else smooth, linewidth=1.5, **look)
    if is_share:
        axis.set_ylim(-0.03, 1.03)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color(colours[_RULE])
    axis.grid(axis="y", color=colours[_RULE], linewidth=0.6)
    axis.set_axisbelow(True)
    axis.patch.set_visible(False)
    axis.tick_params(colors=colours[_INK], length=0, labelsize=8)
    axis.locator_params(axis="y", nbins=4)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _moving_average(y: Sequence[float]) -> list[float] | None:
    """The centred mean over a tenth of the curve, less at its ends; None for a short curve."""
    if len(y) <= _SMOOTH_ABOVE:
        return None
    half = len(y) // 20
    values = np.array(y)
    spans = (max(half // 3, min(half, i, len(y) - 1 - i)) for i in range(len(y)))
    return [float(values[max(0, i - n) : i + n + 1].mean()) for i, n in enumerate(spans)]


def _saved(figure: "Figure", kind: str, metadata: dict[str, None]) -> bytes:
    buffer = io.BytesIO()
    figure.patch.set_visible(kind == "png")
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def _few_colours(png: bytes) -> bytes:
    """`png` with a palette of 64 colours: a third of the bytes, and lines look the same."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        # The default method, median cut, would merge the colour of a thin line into another.
        palette = image.convert("RGB").quantize(64, method=Image.Quantize.MAXCOVERAGE)
        palette.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _inlined(svg: str) -> str:
    """`svg` as a part of a page: no prologue, no page-wide style, no ids that would repeat."""
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-z0-9.]+_\d+"', "", text)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    for drawn, variable in _THEME.items():
        text = text.replace(drawn, variable)
    return text.replace("<svg", '<svg aria-hidden="true"', 1)
