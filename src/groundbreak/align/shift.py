"""How far a look is displaced against the reference look of its site.

Where the look lies as a whole is told by all windows together (see ``votes``), to whole pixels. How
far exactly is measured in each of many small windows by phase correlation of their edges, to a
hundredth of a pixel. Windows with little structure, or whose best shift does not raise their
correlation, are left out. Of the rest, those that agree count: leaning towers, look-alike roofs and
new quarters give other answers, each its own, so the place where most answers lie together is the
displacement of the ground. A second pass on the corrected pair measures what is left: the residual.
In very high resolution it does not vanish, since relief displaces every place a little differently.

The pictures may be one piece of the two looks, or several: their windows are taken together.

Phase correlation with upsampling: Guizar-Sicairos et al., Optics Letters 33(2), 2008
(scikit-image's ``phase_cross_correlation``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from groundbreak.align.config import AlignConfig
from groundbreak.align.measure import Measured, measure
from groundbreak.align.votes import Votes, count_votes
from groundbreak.align.windows import Cut, Edges, Window, cut, find_edges, spread_windows
from groundbreak.types import BoolArray, FloatArray

_FEWEST = 3
"""So many windows must agree where the picture holds as many."""


@dataclass(frozen=True)
class Alignment:
    """The content of the moving look lies ``dx`` to the right and ``dy`` below the reference's.

    Both are 0 where nothing better is known. ``residual_px`` is the median length of the shifts
    that are left in the windows that agree, None where nothing could be measured. ``reason`` says
    why the shift is not trusted, and is empty when it is. ``far`` is True where the look surely
    lies beyond what can be corrected; ``apart`` where the two show much, and nothing of it in the
    same place: one of them is placed wrongly or turned, or all of the ground changed.
    """

    dx: float
    dy: float
    residual_px: float | None
    trusted: bool
    reason: str = ""
    far: bool = False
    apart: bool = False

    @property
    def lies(self) -> bool:
        """Whether nothing speaks against the look lying on the reference."""
        return not (self.far or self.apart)


@dataclass(frozen=True)
class Piece:
    """The same ground in two looks of one grid.

    ``reference`` and ``moving`` are (bands, height, width); ``usable`` (height, width) is True
    where both looks are.
    """

    reference: FloatArray
    moving: FloatArray
    usable: BoolArray

    def __post_init__(self) -> None:
        """Refuse what cannot be compared.

        Raises:
            ValueError: shapes differ.
        """
        shapes = self.reference.shape, self.moving.shape, self.usable.shape
        if shapes[0] != shapes[1] or shapes[2] != shapes[0][1:]:
            raise ValueError(f"shapes differ: {', '.join(map(str, shapes))}")


def estimate_shift(pieces: Sequence[Piece], config: AlignConfig | None = None) -> Alignment:
    """Estimate the displacement of one look against another of the same grid.

    Args:
        pieces: of both looks, at least one, all of the same size.
        config: see ``AlignConfig``.

    Returns:
        the displacement of the content of the moving look, and whether to believe it.

    Raises:
        ValueError: the sizes differ.
    """
    if len(sizes := {piece.usable.shape for piece in pieces}) != 1:
        raise ValueError(f"expected pieces of one size, got {sorted(sizes)}")
    config = config or AlignConfig()
    if min(*sizes.pop()) < config.least_px:
        return _untrusted(f"smaller than {config.least_px} pixels")
    pair = _Pair.of(pieces, config)
    votes = pair.votes(config)
    start = _start(votes, config)
    length = math.hypot(*start)
    if length > config.max_voted_px:
        reason = f"a shift of {length:.0f} pixels is more than {config.max_voted_px:g}"
        return replace(_untrusted(reason), far=True)
    if length > 0:
        pieces = [_stepped_piece(piece, start) for piece in pieces]
        pair = _Pair.of(pieces, config)
    found = _measured(pair, pieces, config)
    if not found.trusted:
        if pair.apart(votes, config):
            reason = "nothing of it lies where the reference look shows it"
            return replace(_untrusted(reason), apart=True)
        found = _as_sure(found, votes, start, config)
    return replace(found, dx=found.dx + start[0], dy=found.dy + start[1])


def _as_sure(
    found: Alignment, votes: Votes | None, start: tuple[int, int], config: AlignConfig
) -> Alignment:
    """What is left to take out beyond ``start`` where the windows do not agree well enough.

    Not known to the last pixel, but where all windows together are clear, better than that it is
    not displaced: what some of them agree on if it is near, else what all of them say.
    """
    if votes is None or votes.strength < config.clear_vote:
        return replace(found, dx=0.0, dy=0.0, residual_px=None)
    dx = dy = 0.0
    if start == (0, 0) and votes.length <= config.near_px:
        dx, dy = float(votes.dx), float(votes.dy)
    if math.hypot(found.dx - dx, found.dy - dy) <= config.near_px:
        return found
    return replace(found, dx=dx, dy=dy, residual_px=None)  # it was what another shift leaves


@dataclass(frozen=True)
class _Pair:
    """The edges of two looks, by piece, and cut into the windows of all pieces."""

    windows: list[list[Window]]
    edges: list[tuple[Edges, Edges]]
    fixed: list[Cut]
    moving: list[Cut]

    @classmethod
    def of(cls, pieces: Sequence[Piece], config: AlignConfig) -> _Pair:
        quarter = len(pieces) * min(pieces[0].usable.shape) // 4
        side = int(np.clip(quarter, *config.window_px))
        most = -(-config.max_windows // len(pieces))
        windows = [spread_windows(piece.usable, side, config.min_usable, most) for piece in pieces]
        edges = [
            (
                find_edges(piece.reference, piece.usable, config.blur_px),
                find_edges(piece.moving, piece.usable, config.blur_px),
            )
            for piece in pieces
        ]
        fixed, moving = (_cut_all([both[n] for both in edges], windows) for n in (0, 1))
        return cls(windows, edges, fixed, moving)

    def votes(self, config: AlignConfig) -> Votes | None:
        """What the windows say together; None if they are too few to be asked."""
        if len(self.fixed) < config.least_voters:
            return None
        votes = count_votes(self.fixed, self.moving, config.near_px, config.max_shift_px)
        return votes if votes is not None and votes.voters >= config.least_voters else None

    def apart(self, votes: Votes | None, config: AlignConfig) -> bool:
        """Whether both show much, and nothing of it in the same place."""
        if votes is None or votes.around >= config.no_vote:
            return False
        # Waves and haze have nothing in common with anything: they say nothing.
        rich = [n for n, least in enumerate(self._contrasts()) if least >= config.contrast]
        if len(rich) < config.least_voters:
            return False
        fixed, moving = ([cuts[n] for n in rich] for cuts in (self.fixed, self.moving))
        alone = count_votes(fixed, moving, config.near_px, config.max_shift_px)
        return alone is not None and alone.around < config.no_vote

    def _contrasts(self) -> Iterator[float]:
        """Of each window, that of the look that shows less in it."""
        for windows, both in zip(self.windows, self.edges, strict=True):
            for window in windows:
                yield min(each.contrast(window) for each in both)


def _cut_all(edges: Sequence[Edges], windows: Sequence[Sequence[Window]]) -> list[Cut]:
    """The windows of all pieces."""
    return [cut(each, window) for each, own in zip(edges, windows, strict=True) for window in own]


def _start(votes: Votes | None, config: AlignConfig) -> tuple[int, int]:
    """Whole pixels (right, down) by which the picture is displaced before it is measured."""
    if votes is None or votes.length <= config.near_px or votes.strength < config.clear_vote:
        return (0, 0)
    there = votes.strength >= config.clearer * votes.in_place
    return (votes.dx, votes.dy) if there else (0, 0)


def _stepped_piece(piece: Piece, start: tuple[int, int]) -> Piece:
    """The moving look read at p + start, and what is usable of it."""
    usable = piece.usable & _stepped(piece.usable[None], start)[0]
    return Piece(piece.reference, _stepped(piece.moving, start), usable)


def _stepped(pixels: NDArray[Any], start: tuple[int, int]) -> NDArray[Any]:
    """(bands, height, width) read at p + start; 0 beyond the border."""
    moved = np.zeros_like(pixels)
    (right, down), (height, width) = start, pixels.shape[1:]
    rows = slice(max(0, -down), min(height, height - down))
    columns = slice(max(0, -right), min(width, width - right))
    moved[:, rows, columns] = pixels[
        :, rows.start + down : rows.stop + down, columns.start + right : columns.stop + right
    ]
    return moved


def _measured(pair: _Pair, pieces: Sequence[Piece], config: AlignConfig) -> Alignment:
    """The displacement to a fraction of a pixel, by the windows that agree."""
    first = measure(pair.fixed, pair.moving, config)
    if len(first.shifts) == 0:
        return _untrusted("too little stable structure to compare")
    dy, dx = first.median
    edges = []
    for piece in pieces:
        # Edges are those of the brightness: moving it alone is a third of the work.
        moved = shift_image(piece.moving.mean(axis=0, keepdims=True), dx, dy)
        edges.append(find_edges(moved, piece.usable, config.blur_px))
    left = measure(pair.fixed, _cut_all(edges, pair.windows), config)
    if len(left.shifts) == 0:
        return _untrusted("nothing is alike after the correction")
    # What the second pass finds is measured on better overlap: take it in.
    dy, dx = dy + left.median[0], dx + left.median[1]
    residual = float(np.median(np.hypot(*(left.shifts - left.median).T)))
    reason = _doubt(float(np.hypot(dx, dy)), left, config)
    return Alignment(float(dx), float(dy), residual, not reason, reason)


def _doubt(length: float, left: Measured, config: AlignConfig) -> str:
    """Why a shift is not to be believed; empty if it is."""
    if length > config.max_shift_px:
        return f"a shift of {length:.1f} pixels is more than {config.max_shift_px:g}"
    agreeing = len(left.shifts)
    if agreeing < max(config.min_agreeing * left.compared, min(_FEWEST, left.windows)):
        return f"the windows disagree: {agreeing} of {left.compared} find the same shift"
    if left.error > config.max_error_px:
        return f"the windows disagree: the shift is uncertain by {left.error:.1f} pixels"
    return ""


def shift_image(pixels: FloatArray, dx: float, dy: float) -> FloatArray:
    """Take a displacement out of a picture: what lies at p + (dx, dy) moves to p.

    Args:
        pixels: (bands, height, width).
        dx: pixels to the right.
        dy: pixels down.

    Returns:
        the same shape; the border is repeated where nothing moves in.
    """
    moved = [ndimage.shift(band, (-dy, -dx), order=3, mode="nearest") for band in pixels]
    return np.stack(moved).astype(np.float32)


def _untrusted(reason: str) -> Alignment:
    return Alignment(0.0, 0.0, None, trusted=False, reason=reason)
