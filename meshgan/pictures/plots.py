"""Charts that read well at normal size, also for colour-blind readers."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from meshgan.errors import InputError

# Okabe and Ito 2008, Color Universal Design; every line also has its own dash pattern
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)))
INK, QUIET = "#20242c", "#606874"
DPI = 110
MOST_LABELLED = 2.5  # bars per inch

Curve = tuple[Sequence | np.ndarray, Sequence | np.ndarray]
"""The x and the y of a line, as many of each."""


def line_chart(
    curves: Mapping[str, Curve],
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    smooth: int = 1,
    size_in: tuple[float, float] = (7.0, 3.6),
    log_y: bool = False,
) -> Image.Image:
    """Draw several lines into one chart.

    Args:
        curves: name to (x, y); values that are not finite leave a gap.
        title: above the chart.
        x_label: with its unit.
        y_label: with its unit.
        smooth: width of a running mean in points; the raw line stays faintly visible.
        size_in: inches at 110 points per inch.
        log_y: logarithmic vertical axis.

    Raises:
        InputError: no curve, or x and y of different lengths.
    """
    _check(curves)
    figure, axes = _figure(title, size_in)
    for k, (name, (x, y)) in enumerate(curves.items()):
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        colour, dash = COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)]
        if smooth > 1 and len(y) > 2 * smooth:
            axes.plot(x, y, color=colour, alpha=0.18, linewidth=0.8)
            y = running_mean(y, smooth)
        mark = "o" if len(y) < 8 else None
        axes.plot(x, y, color=colour, linestyle=dash, linewidth=1.8, label=name, marker=mark)
    if log_y:
        axes.set_yscale("log")
    axes.set_xlabel(x_label, color=QUIET)
    axes.set_ylabel(y_label, color=QUIET)
    _add_legend(axes, len(curves))
    return _to_picture(figure)


def training_curves(
    losses: Mapping[str, Curve], title: str = "Training", columns: int = 2
) -> Image.Image:
    """Draw each loss over the iterations in its own small chart, so that none hides another.

    Args:
        losses: name (with its unit in brackets, where it has one) to (iterations, values). Names
            of the form ``group/name`` share one chart per group, for example
            ``discriminator/real`` and ``discriminator/fake``.
        title: above all charts.
        columns: charts side by side.

    Raises:
        InputError: no curve, or x and y of different lengths.
    """
    _check(losses)
    groups: dict[str, dict[str, Curve]] = {}
    for name, curve in losses.items():
        group, _, line = name.rpartition("/")
        groups.setdefault(group or name, {})[line] = curve
    columns = min(columns, len(groups))
    rows = -(-len(groups) // columns)
    figure = Figure(figsize=(5.0 * columns, 3.0 * rows + 0.5), dpi=DPI, layout="constrained")
    figure.suptitle(title, color=INK, fontsize=13, x=0.01, ha="left")
    for place, (group, curves) in enumerate(groups.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        _style(axes, group)
        for k, (name, (x, y)) in enumerate(curves.items()):
            x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
            width = max(1, len(y) // 40)
            colour, dash = COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)]
            if width > 1:
                axes.plot(x, y, color=colour, alpha=0.18, linewidth=0.7)
            axes.plot(x, running_mean(y, width), color=colour, linestyle=dash, label=name)
        if place > len(groups) - columns:
            axes.set_xlabel("iteration", color=QUIET)
        _add_legend(axes, len(curves))
    return _to_picture(figure)


def bar_chart(
    bars: Mapping[str, Mapping[str, float]],
    title: str = "",
    y_label: str = "",
    x_label: str = "",
    size_in: tuple[float, float] = (7.0, 3.2),
) -> Image.Image:
    """Draw groups of bars, each with its value on top as long as there is room.

    Args:
        bars: series (one colour each) to category to value; a missing category leaves a gap.
        title: above the chart.
        y_label: with its unit.
        x_label: what the categories are.
        size_in: inches at 110 points per inch.

    Raises:
        InputError: there is no bar.
    """
    if not any(bars.values()):
        raise InputError("bar chart: no values given")
    categories = list(dict.fromkeys(name for series in bars.values() for name in series))
    figure, axes = _figure(title, size_in)
    width = 0.8 / len(bars)
    for k, (name, series) in enumerate(bars.items()):
        x = [categories.index(category) + (k - (len(bars) - 1) / 2) * width for category in series]
        colour = COLOURS[k % len(COLOURS)]
        drawn = axes.bar(x, list(series.values()), 0.92 * width, color=colour, label=name)
        if len(bars) * len(categories) <= MOST_LABELLED * size_in[0]:
            axes.bar_label(drawn, fmt="%.3g", fontsize=9, color=INK, padding=1)
    axes.set_xticks(range(len(categories)), [name.replace("_", "\n") for name in categories])
    axes.margins(y=0.15)
    axes.set_ylabel(y_label, color=QUIET)
    axes.set_xlabel(x_label, color=QUIET)
    _add_legend(axes, len(bars))
    return _to_picture(figure)


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over a window of ``width`` points around each point; ends use what there is."""
    if width <= 1 or len(values) == 0:
        return values
    window = np.ones(width)
    known = np.isfinite(values)
    middle = slice((width - 1) // 2, (width - 1) // 2 + len(values))
    total = np.convolve(np.where(known, values, 0.0), window)[middle]
    count = np.convolve(known.astype(np.float64), window)[middle]
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _check(curves: Mapping[str, Curve]) -> None:
    if not curves:
        raise InputError("line chart: no curves given")
    wrong = [f"{name}: {len(x)} x for {len(y)} y" for name, (x, y) in curves.items()
             if len(x) != len(y)]  # fmt: skip
    if wrong:
        raise InputError("line chart: " + "; ".join(wrong))


def _figure(title: str, size_in: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size_in, dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    _style(axes, title)
    return figure, axes


def _style(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11.5, color=INK)
    axes.grid(visible=True, axis="y", color="#e4e7ec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, labelsize=9.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#b8bec8")


def _add_legend(axes: Axes, count: int) -> None:
    if count > 1:
        # below the chart: inside it would hide what is drawn
        axes.legend(
            frameon=False,
            fontsize=9,
            labelcolor=INK,
            handlelength=2.4,
            ncols=2 if count < 5 else 3,
            loc="upper left",
            bbox_to_anchor=(-0.02, -0.14),
        )


def _to_picture(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")
