"""Precision-recall and reliability plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groundbreak.atomic import atomic_path

DPI = 110


def plot_curves(
    path: Path, curves: Mapping[str, Any], title: str, points: Mapping[str, float]
) -> None:
    """Precision over recall, one line a target; the operating point is marked.

    Args:
        path: of the PNG.
        curves: by target, threshold, precision and recall; None is left out.
        title: of the plot.
        points: by target, the threshold that is in use.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for target, curve in curves.items():
        if curve is None:
            continue
        (line,) = axes.plot(curve["recall"], curve["precision"], label=target.replace("_", " "))
        away = [abs(threshold - points[target]) for threshold in curve["threshold"]]
        used = away.index(min(away))
        axes.plot(
            curve["recall"][used], curve["precision"][used], "o", color=line.get_color(), ms=5
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision", title=title)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize="small", loc="lower left")
    _save(figure, path)


def plot_reliability(path: Path, bins: list[dict[str, Any]], title: str, unit: str) -> None:
    """Observed frequency over stated probability, and how many of ``unit`` said it."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(4.6, 4.2), dpi=DPI, layout="constrained")
    axes, counts = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    filled = [entry for entry in bins if entry["count"]]
    axes.plot([0, 1], [0, 1], "--", color="grey", lw=1, label="calibrated")
    axes.plot(
        [entry["probability"] for entry in filled],
        [entry["observed"] for entry in filled],
        "o-",
        label="observed",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="observed", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="upper left")
    counts.bar(
        [(entry["from"] + entry["to"]) / 2 for entry in filled],
        [entry["count"] for entry in filled],
        width=0.9 / len(bins),
    )
    counts.set_yscale("log")
    counts.yaxis.set_minor_formatter(NullFormatter())
    counts.set(xlabel="stated probability", ylabel=unit)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
