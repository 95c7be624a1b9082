"""Fill a region of a picture with ground, or with water, that was not there.

Two methods that share nothing but the feathered edge: ``patch`` copies ground of the same port
from elsewhere and bends its tone to the surroundings; ``smooth`` spreads the tone of the rim
(the harmonic function of it) and lays a texture with the spectrum of the port's ground over it.
Training pairs are made with one and test pairs with the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from groundbreak.types import BoolArray, FloatArray

_LONGEST_PX = 12.0
_MARGIN = 40  # pixels around a region that its tone may depend on
GOOD_SHARE = 0.985
"""A place to copy from must have at least this share of the wanted surface."""


@dataclass(frozen=True)
class Donor:
    """Where ground may be copied from: a picture, its usable pixels, and where the edited
    picture's upper left pixel lies in it (row, column).
    """

    pixels: FloatArray
    usable: BoolArray
    origin: tuple[int, int]


def fill_by_patch(
    rng: np.random.Generator, pixels: FloatArray, region: BoolArray, rim: BoolArray, donor: Donor
) -> FloatArray:
    """Replace a region by pieces of the donor, blended in at the edge.

    Args:
        rng: source of randomness.
        pixels: (bands, height, width).
        region: what to replace, (height, width).
        rim: pixels around whose tone the filling takes on; ground for ground, water for water.
        donor: where to copy from.

    Returns:
        (bands, height, width), a copy.

    Raises:
        ValueError: the donor has no place for even a part of the region.
    """
    box = _bounds(region, _MARGIN)
    there = Donor(
        donor.pixels,
        donor.usable,
        (donor.origin[0] + box[0].start, donor.origin[1] + box[1].start),
    )
    here, region, rim = pixels[(slice(None), *box)], region[box], rim[box]
    filled = _cover(rng, here, region, there, rim, depth=0)
    filled += rng.uniform(0.5, 0.9) * _tone(here - filled, region, rim)
    return _put(pixels, box, _blend(here, np.clip(filled, 0.0, 1.0), region))


def fill_smooth(
    rng: np.random.Generator, pixels: FloatArray, region: BoolArray, rim: BoolArray, donor: Donor
) -> FloatArray:
    """Replace a region by the harmonic function of its rim and a random texture.

    The texture has the amplitudes of the Fourier spectrum of a piece of the donor and random
    phases (the same for all bands, so that colours keep together). Arguments, result and errors
    as for ``fill_by_patch``.
    """
    box = _bounds(region, 3)
    here, region, rim = pixels[(slice(None), *box)], region[box], rim[box]
    base = np.stack([_harmonic(band, region, rim) for band in here])
    texture = _texture(rng, donor, max(region.shape))[:, : region.shape[0], : region.shape[1]]
    return _put(pixels, box, _blend(here, np.clip(base + texture, 0.0, 1.0), region))


def _cover(
    rng: np.random.Generator,
    pixels: FloatArray,
    region: BoolArray,
    donor: Donor,
    rim: BoolArray,
    depth: int,
) -> FloatArray:
    """Copy pieces over the region, halving it where no one piece is large enough."""
    rows, columns = np.nonzero(region)
    offset = _best_offset(rng, pixels, (rows, columns), donor, rim)
    if offset is None and depth < 5 and rows.size > 8:
        halves = _halve(region, rows, columns)
        first = _cover(rng, pixels, halves[0], donor, rim, depth + 1)
        second = _cover(rng, pixels, halves[1], donor, rim, depth + 1)
        weight = ndimage.gaussian_filter(halves[1].astype(np.float32), 1.0)
        near = ndimage.gaussian_filter(halves[0].astype(np.float32), 1.0)
        weight = weight / np.maximum(weight + near, 1e-6)
        return np.where(region, first * (1 - weight) + second * weight, pixels)
    if offset is None:
        raise ValueError("the donor has no place that would fill the region")
    # A few pixels more than the region, for the feather and the joints.
    wide = ndimage.binary_dilation(region, iterations=3)
    rows, columns = np.nonzero(wide)
    height, width = donor.usable.shape
    y = np.clip(rows + offset[0], 0, height - 1)
    x = np.clip(columns + offset[1], 0, width - 1)
    nearest = ndimage.distance_transform_edt(
        ~donor.usable[y.min() : y.max() + 1, x.min() : x.max() + 1],
        return_distances=False,
        return_indices=True,
    )
    inner = (y - y.min(), x - x.min())
    filled = pixels.copy()
    filled[:, rows, columns] = donor.pixels[
        :, nearest[0][inner] + y.min(), nearest[1][inner] + x.min()
    ]
    return filled


def _best_offset(
    rng: np.random.Generator,
    pixels: FloatArray,
    place: tuple[np.ndarray, np.ndarray],
    donor: Donor,
    rim: BoolArray,
) -> tuple[int, int] | None:
    """The offset to the donor of the place whose tone is nearest to the rim's; None if none."""
    rows, columns = place[0] + donor.origin[0], place[1] + donor.origin[1]
    some = slice(None, None, max(1, rows.size // 300))
    height, width = donor.usable.shape
    low, high = (-rows.min(), -columns.min()), (height - rows.max(), width - columns.max())
    reach = 30 + 2 * int(max(np.ptp(rows), np.ptp(columns)))
    target = pixels[:, rim].mean(axis=1) if rim.any() else None
    found: list[tuple[float, tuple[int, int]]] = []
    for attempt in range(240):
        far = reach * (1 + attempt // 60)
        dy = int(rng.integers(max(low[0], -far), max(min(high[0], far), max(low[0], -far) + 1)))
        dx = int(rng.integers(max(low[1], -far), max(min(high[1], far), max(low[1], -far) + 1)))
        y, x = rows[some] + dy, columns[some] + dx
        if donor.usable[y, x].mean() < GOOD_SHARE:
            continue
        tone = donor.pixels[:, y, x].mean(axis=1)
        mismatch = 0.0 if target is None else float(np.abs(tone - target).mean())
        found.append((mismatch, (dy + donor.origin[0], dx + donor.origin[1])))
        if len(found) == 6:
            break
    if not found:
        return None
    found.sort()
    return found[int(rng.integers(min(3, len(found))))][1]


def _halve(region: BoolArray, rows: np.ndarray, columns: np.ndarray) -> tuple[BoolArray, BoolArray]:
    """Two parts of a region, cut across its longer axis."""
    points = np.stack([rows - rows.mean(), columns - columns.mean()])
    _, vectors = np.linalg.eigh(points @ points.T)
    along = vectors[:, -1] @ points
    first = np.zeros_like(region)
    first[rows[along < np.median(along)], columns[along < np.median(along)]] = True
    return first, region & ~first


def _tone(difference: FloatArray, region: BoolArray, rim: BoolArray) -> FloatArray:
    """What the rim lacks, spread into the region by distance."""
    edge = (rim & ndimage.binary_dilation(region, iterations=4)).astype(np.float32)
    near, wide = (
        [ndimage.gaussian_filter(layer, sigma) for layer in (*(difference * edge), edge)]
        for sigma in (4.0, 16.0)
    )
    weight = near[-1] + 0.05 * wide[-1]
    parts = [(n + 0.05 * w) / np.maximum(weight, 1e-6) for n, w in zip(near, wide, strict=True)]
    return np.where(weight > 1e-5, np.stack(parts[:-1]), 0.0).astype(np.float32)


def _put(pixels: FloatArray, box: tuple[slice, slice], piece: FloatArray) -> FloatArray:
    out = pixels.copy()
    out[(slice(None), *box)] = piece
    return out


def _blend(pixels: FloatArray, filled: FloatArray, region: BoolArray) -> FloatArray:
    weight = np.clip(ndimage.gaussian_filter(region.astype(np.float32), 0.6) * 1.6 - 0.3, 0, 1)
    return (pixels + weight * (filled - pixels)).astype(np.float32)


def _bounds(region: BoolArray, margin: int) -> tuple[slice, slice]:
    rows, columns = (np.nonzero(region.any(axis=axis))[0] for axis in (1, 0))
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin),
        slice(max(columns[0] - margin, 0), columns[-1] + 1 + margin),
    )


def _harmonic(band: FloatArray, region: BoolArray, rim: BoolArray) -> FloatArray:
    """Solve Laplace's equation in the region; rim pixels are given, other neighbours absent."""
    number = np.full(region.shape, -1)
    number[region] = np.arange(int(region.sum()))
    count = int(region.sum())
    rows, columns, diagonal = [], [], np.full(count, 1e-3)
    given = np.full(count, 1e-3 * float(band[rim].mean()) if rim.any() else 1e-3 * band.mean())
    calm = ndimage.gaussian_filter(np.where(rim, band, 0.0), 1.0)
    calm /= np.maximum(ndimage.gaussian_filter(rim.astype(np.float32), 1.0), 1e-3)
    y, x = np.nonzero(region)
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        ny, nx = y + dy, x + dx
        inside = (ny >= 0) & (ny < region.shape[0]) & (nx >= 0) & (nx < region.shape[1])
        ny, nx = np.clip(ny, 0, region.shape[0] - 1), np.clip(nx, 0, region.shape[1] - 1)
        link = inside & region[ny, nx]
        rows.append(number[y[link], x[link]])
        columns.append(number[ny[link], nx[link]])
        fixed = inside & rim[ny, nx] & ~region[ny, nx]
        diagonal += link.astype(float) + fixed
        given += np.where(fixed, calm[ny, nx], 0.0)
    links = sparse.coo_matrix(
        (-np.ones(sum(map(len, rows))), (np.concatenate(rows), np.concatenate(columns))),
        shape=(count, count),
    )
    result = band.copy()
    result[region] = spsolve((links + sparse.diags(diagonal)).tocsc(), given)
    return result


def _texture(rng: np.random.Generator, donor: Donor, side: int) -> FloatArray:
    """Texture (bands, side, side) with zero mean, of the spectrum of a piece of the donor."""
    size = min(max(side, 32), *donor.usable.shape)
    best, share = (0, 0), -1.0
    for _ in range(60):
        y = int(rng.integers(donor.usable.shape[0] - size + 1))
        x = int(rng.integers(donor.usable.shape[1] - size + 1))
        here = float(donor.usable[y : y + size, x : x + size].mean())
        if here > share:
            best, share = (y, x), here
    window = (slice(best[0], best[0] + size), slice(best[1], best[1] + size))
    usable = donor.usable[window]
    if share <= 0.05:
        raise ValueError("the donor has no place that would fill the region")
    piece = donor.pixels[(slice(None), *window)]
    mean = piece[:, usable].mean(axis=1)[:, None, None]
    piece = np.where(usable, piece - mean, 0.0)
    phase = np.angle(np.fft.rfft2(rng.standard_normal((size, size))))
    spectrum = np.fft.rfft2(piece) * np.exp(1j * phase)
    # The rim says how light the ground is; long waves of the piece would say so again.
    waves = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    spectrum[:, waves < 1 / _LONGEST_PX] = 0.0
    texture = np.fft.irfft2(spectrum, s=(size, size)) / np.sqrt(share)
    repeat = -(-side // size)
    return np.tile(texture, (1, repeat, repeat))[:, :side, :side].astype(np.float32)
