"""The settings of the sensitivity study, what is chosen from it, and its figure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.study.intervals import judged
from benchmarks.study.plan import Plan
from benchmarks.study.runs import Found
from benchmarks.study.tables import differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bound = float | None
LONG = "long"
STEPS = "steps"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One point of the grid."""

    beta: float
    c_w: Bound
    """Ceiling of the chosen reward; None: none."""
    c_l: Bound
    """Depth of the rejected reward's floor."""
    long: bool = False
    """Whether it was trained four times as long."""

    @property
    def name(self) -> str:
        """As a variant."""
        named = f"b{self.beta:g}-w{_word(self.c_w)}-l{_word(self.c_l)}"
        return f"{named}-{LONG}" if self.long else named

    def overrides(self, grid: Mapping[str, Any]) -> dict[str, Any]:
        """As settings of a run."""
        floor = None if self.c_l is None else -self.c_l
        bounds = {"beta": self.beta, "chosen_ceiling": self.c_w, "rejected_floor": floor}
        loss = {"training.loss": {**grid["loss"], **bounds}}
        return loss | grid[LONG] if self.long else loss


def _word(bound: Bound) -> str:
    return "none" if bound is None else f"{bound:g}"


def settings_of(grid: Mapping[str, Any]) -> list[Setting]:
    """All points of a plan's grid, each once."""
    bounds, beta = grid["bounds"], grid["beta"]
    square = [Setting(beta=beta, c_w=c_w, c_l=c_l) for c_w in bounds for c_l in bounds]
    betas = [Setting(beta=one, c_w=c, c_l=c) for one in grid["betas"] for c in bounds]
    long = [Setting(beta=beta, c_w=c, c_l=c, long=True) for c in bounds]
    return list(dict.fromkeys([*square, *betas, *long]))


def with_grid(plan: Plan) -> Plan:
    """The plan with its grid as variants; those that are trained longer may have more steps."""
    settings = settings_of(plan.grid)
    long = [one.name for one in settings if one.long]
    each = dict.fromkeys(long, plan.seconds[LONG]) if LONG in plan.seconds else {}
    return replace(
        plan,
        variants={one.name: one.overrides(plan.grid) for one in settings},
        unequal={name: [STEPS] for name in long},
        seconds={**plan.seconds, **each},
    )


def chosen(plan: Plan, found: Found) -> dict[str, Any]:
    """Which setting is to be the default, by the rule that was fixed beforehand.

    The default stands unless a setting of the same length of training is better than it in the
    first column at 5 % (Holm over all of them); then it is the best of those.
    """
    column = plan.columns[0]
    short = {one.name for one in settings_of(plan.grid) if not one.long}
    rivals = {name: one for name, one in differences(plan, found, column).items() if name in short}
    verdicts = judged(rivals, plan.delta)
    better = [name for name, verdict in verdicts.items() if verdict == "worse"]
    best = min(better, key=lambda name: rivals[name].mean, default=plan.main)
    return {
        "default": plan.main,
        "better": sorted(better),
        "chosen": best,
        "column": column["title"],
    }


def draw(result: Mapping[str, Any], path: Path) -> None:
    """The figure of a result, as SVG: bounds against each other, beta, and longer training."""
    import matplotlib.pyplot as plt

    metrics = result["metrics"]
    columns = [one["title"] for one in metrics["plan"]["columns"]]
    style = {"svg.hashsalt": "study", "svg.fonttype": "path", "font.size": 9}
    with plt.rc_context(style):
        figure, axes = plt.subplots(2, 2, figsize=(9, 7.2), layout="constrained")
        for axis, column in zip(axes[0], columns, strict=False):
            _square(axis, metrics, column)
        _lines(axes[1][0], metrics, columns[0], _by_beta(metrics["plan"]["grid"]))
        _lines(axes[1][1], metrics, columns[0], _by_length(metrics["plan"]["grid"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)


def _square(axis: "Axes", metrics: Mapping[str, Any], column: str) -> None:
    """Every ceiling with every floor, at the grid's beta."""
    grid = metrics["plan"]["grid"]
    bounds, beta = grid["bounds"], grid["beta"]
    rows = [
        [_share(metrics, Setting(beta=beta, c_w=c_w, c_l=c_l), column) for c_l in bounds]
        for c_w in bounds
    ]
    cells = [[100 * one["mean"] if one else float("nan") for one in row] for row in rows]
    axis.imshow(cells, cmap="cividis", aspect="auto")
    for y, row in enumerate(rows):
        for x, one in enumerate(row):
            if one:
                text = f"{100 * one['mean']:.1f}\n±{50 * (one['high'] - one['low']):.1f}"
                box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5}
                axis.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)
    words = [_word(one) for one in bounds]
    axis.set_xticks(range(len(bounds)), words)
    axis.set_yticks(range(len(bounds)), words)
    axis.set_xlabel("c_l: rejected rewards count down to -c_l")
    axis.set_ylabel("c_w: chosen rewards count up to c_w")
    axis.set_title(f"beta {beta:g} · {column} (%)", fontsize=9)


def _by_beta(grid: Mapping[str, Any]) -> dict[str, list[Setting]]:
    """A line for each beta."""
    betas = sorted([grid["beta"], *grid["betas"]])
    return {
        f"beta {beta:g}": [Setting(beta=beta, c_w=c, c_l=c) for c in grid["bounds"]]
        for beta in betas
    }


def _by_length(grid: Mapping[str, Any]) -> dict[str, list[Setting]]:
    """A line for each length of training."""
    beta, bounds = grid["beta"], grid["bounds"]
    return {
        title: [Setting(beta=beta, c_w=c, c_l=c, long=long) for c in bounds]
        for title, long in (("as in a round", False), ("four times the steps", True))
    }


def _lines(
    axis: "Axes", metrics: Mapping[str, Any], column: str, lines: Mapping[str, list[Setting]]
) -> None:
    """Shares with their intervals over c_w = c_l, beside each other."""
    bounds = metrics["plan"]["grid"]["bounds"]
    for number, (title, settings) in enumerate(lines.items()):
        shares = [(x, _share(metrics, one, column)) for x, one in enumerate(settings)]
        some = [(x + 0.08 * (number - 1), one) for x, one in shares if one]
        means = [100 * one["mean"] for _, one in some]
        reach = [50 * (one["high"] - one["low"]) for _, one in some]
        axis.errorbar([x for x, _ in some], means, reach, label=title, marker="o", capsize=3)
    axis.set_xticks(range(len(bounds)), [_word(one) for one in bounds])
    axis.set_xlabel("c_w = c_l")
    axis.set_ylabel(f"{column} (%)")
    axis.legend(frameon=False)


def _share(metrics: Mapping[str, Any], setting: Setting, column: str) -> dict[str, Any] | None:
    found = metrics["variants"].get(setting.name)
    share: dict[str, Any] | None = found["columns"][column] if found else None
    return share
