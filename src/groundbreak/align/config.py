"""What is compared when looks are aligned, and when the answer is believed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AlignConfig:
    """What is compared, and when the answer is believed. Lengths in pixels of the grid."""

    window_px: tuple[int, int] = (96, 256)
    """Side of the windows: a quarter of the picture's, within these bounds."""
    least_px: int = 32
    """A picture smaller than this shows too little."""
    max_shift_px: float = 8.0
    """The windows by themselves are not believed beyond this."""
    max_voted_px: float = 24.0
    """Nor are all windows together beyond this."""
    near_px: float = 3.0
    """So far the windows find a displacement without being told where to look."""
    least_voters: int = 9
    """With fewer windows their sum is not asked: chance has not averaged out."""
    clear_vote: float = 10.0
    """Strength from which a peak is that of the ground. Of 41 pairs of LEVIR-CD, MS-HS, Sejong,
    Joplin and OSCD two have less (8.2 and more); of 75 of other places, or turned by 20 degrees,
    all do."""
    no_vote: float = 5.0
    """With less strength within ``max_shift_px`` nothing says that both show the same ground: of
    the same pairs none of the first, and most of the others. Ground that was built over as a whole
    is as low, so it is no proof."""
    contrast: float = 0.02
    """A window that says so must show as much in both: see ``Edges.contrast``."""
    clearer: float = 1.25
    """A peak elsewhere must be so many times as strong as what lies in place."""
    max_windows: int = 60
    """At most about so many windows: the cost is bounded."""
    min_usable: float = 0.6
    """Least usable share of a window."""
    min_correlation: float = 0.15
    """Least correlation of the edges of a window once it is aligned; more for a window of fewer
    than 160 pixels a side, where unrelated pictures come that far by chance."""
    agree_px: float = 1.5
    """Windows agree when their shifts are so near to each other."""
    min_agreeing: float = 0.3
    """Least share of the compared windows that must agree."""
    max_error_px: float = 0.5
    """Largest standard error of the shift, from the spread of the windows that agree. Half a pixel:
    in a mosaic, such as that of Joplin, places lie a pixel to either side of the median."""
    blur_px: float = 1.0
    """Smoothing before gradients are taken: noise has edges too."""
    upsample: int = 50
    """Of the correlation peak: shifts come in 1/50 pixel."""
