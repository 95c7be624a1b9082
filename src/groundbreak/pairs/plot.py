"""A picture of labelled pairs: before, after, and the label over the later date."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from groundbreak.atomic import atomic_path
from groundbreak.pairs.index import PairArrays, PairRecord, read_pair
from groundbreak.types import FloatArray, MaskValue

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS: dict[MaskValue, tuple[float, float, float]] = {
    MaskValue.NEW_BUILDING: (0.12, 0.62, 0.47),
    MaskValue.DEMOLITION: (0.84, 0.19, 0.15),
    MaskValue.DOCKING_SLIP: (0.46, 0.32, 0.75),
    MaskValue.UNKNOWN_DIRECTION: (0.95, 0.77, 0.06),
    MaskValue.IGNORE: (0.5, 0.5, 0.5),
}
"""By class; told apart by colour-blind readers too."""

OPACITY = 0.55


def plot(records: Sequence[PairRecord], path: Path | None = None) -> Figure:
    """Draw pairs, a row each.

    Args:
        records: of ``read_index``.
        path: where to write the figure (PNG, PDF, SVG), None not to.

    Returns:
        the figure.

    Raises:
        DataError: a picture cannot be read.
        OutputError: ``path`` cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(9, 3.1 * len(records) + 0.4), layout="constrained")
    grid = figure.subplots(len(records), 3, squeeze=False)
    present: set[int] = set()
    for row, record in zip(grid, records, strict=True):
        pair = read_pair(record)
        before, after = render(pair)
        present |= set(np.unique(pair.label).tolist())
        gsd = "" if pair.gsd_m is None else f", {pair.gsd_m:g} m"
        for axes, image, title in zip(
            row,
            (before, after, paint(after, pair.label)),
            (f"{record.name}{gsd}", "after", "label"),
            strict=True,
        ):
            axes.imshow(image, interpolation="nearest")
            axes.set_title(title, fontsize=8)
            axes.set_axis_off()
    shown = [value for value in COLOURS if int(value) in present]
    if shown:
        figure.legend(
            handles=[
                Patch(color=COLOURS[value], label=value.name.lower().replace("_", " "))
                for value in shown
            ],
            loc="outside lower center",
            ncols=len(shown),
            fontsize=8,
            frameon=False,
        )
    if path is not None:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=110)
    return figure


def render(pair: PairArrays) -> tuple[FloatArray, FloatArray]:
    """Both dates as (h, w, 3) in [0, 1], stretched alike; grey where there is no colour."""
    dates = np.stack([pair.before[pair.shown], pair.after[pair.shown]])
    low, high = np.quantile(dates, (0.01, 0.99))
    before, after = np.clip((dates - low) / max(float(high - low), 1e-6), 0, 1)
    return np.moveaxis(before, 0, 2), np.moveaxis(after, 0, 2)


def paint(image: FloatArray, label: NDArray[np.uint8]) -> FloatArray:
    """The label's colours laid over an image (h, w, 3)."""
    painted = image.copy()
    for value, colour in COLOURS.items():
        where = label == value
        painted[where] = (1 - OPACITY) * painted[where] + OPACITY * np.array(colour)
    return painted.astype(np.float32)
