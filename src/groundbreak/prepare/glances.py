"""All looks of a site judged at a glance; pictures and answers are kept for later runs.

A look by itself is known by a digest of its scenes, what is found in it by those of its neighbours
in time as well. One more look is read and judged by itself, and those beside it are judged anew. Of
the others nothing is read, not even their pictures.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from groundbreak.atomic import output_error
from groundbreak.errors import RasterError
from groundbreak.prepare.acquire import Acquired
from groundbreak.prepare.known import JUDGEMENT, Known, digest, placed, record
from groundbreak.prepare.looks import LookPlan
from groundbreak.prepare.overview import Glance, Overview, find_clouds, neighbours, take_glance
from groundbreak.prepare.twins import PICTURE, Picture, picture_of
from groundbreak.raster.read import read_window
from groundbreak.raster.write import RasterSink
from groundbreak.types import BoolArray, Box

log = logging.getLogger(__name__)

ALIKE = 1e-3
"""Below this range of all its values, in every band, a picture shows nothing."""
ENOUGH_PX = 64
"""Fewer pixels than these may well be of one colour."""
IN_MEMORY = 16
"""Looks whose pictures are held: those of two backgrounds."""

STRETCHED = (False, True, None)
"""How a kept picture says whether it is stretched: by the place in this list."""

Basis = tuple[str, ...]
"""Digests of what a look depends on."""


@dataclass(frozen=True)
class Glimpsed:
    """A look and its bands, all that its picture depends on, and how that is had if not kept."""

    plan: LookPlan
    bands: tuple[str, ...]
    basis: Basis
    acquire: Callable[[], Acquired]


@dataclass(frozen=True)
class Verdict:
    """What was judged of a look.

    Attributes:
        usable_share: of the site, as the coarse grid shows it.
        reason: why the look cannot take part; empty if it can.
        clouds: digest of where clouds and shadows were found.
    """

    usable_share: float
    reason: str
    clouds: str


VERDICT = record(Verdict)


@dataclass(frozen=True)
class Judge:
    """What looks are judged by.

    Attributes:
        grid: the coarse grid.
        inside: (height, width) of it, True inside the site's outline.
        network: ask the trained cloud network as well, where it knows the sensor.
        least_share: of the site that a look must show.
        folder: where pictures are kept.
        known: where answers are kept.
    """

    grid: GeoBox
    inside: BoolArray
    network: bool
    least_share: float
    folder: Path
    known: Known

    def key(self, basis: Basis) -> str:
        """By which a look by itself is known."""
        return digest([JUDGEMENT, basis, placed(self.grid), self.network])

    def keeps(self, basis: Basis) -> bool:
        """Whether the picture of a look was kept."""
        return self.path(self.key(basis), "masks").is_file()

    def path(self, key: str, what: str) -> Path:
        """Of a picture."""
        return self.folder / f"{key}_{what}.tif"


class Glances:
    """The looks of a site on the coarse grid; threads may share them."""

    def __init__(self, judge: Judge, looks: Sequence[Glimpsed]) -> None:
        """``looks`` by date."""
        self._judge, self._looks = judge, looks
        self._keys = [judge.key(look.basis) for look in looks]
        self._among = [
            digest([key, *(self._keys[k] for k in neighbours(i, len(looks)))])
            for i, key in enumerate(self._keys)
        ]
        inside = hashlib.sha256(np.packbits(judge.inside).tobytes()).hexdigest()
        self._questions = [["verdict", key, inside, judge.least_share] for key in self._among]
        self._glance = lru_cache(maxsize=IN_MEMORY)(self._read_or_take)

    def verdicts(self, pool: Executor) -> list[Verdict]:
        """Judge all looks, those that nothing has changed for by what is known of them.

        Raises:
            SceneLostError: a file is damaged.
            OutputError: the folder cannot be written.
        """
        count = len(self._looks)
        known, asked = self._judge.known, self._questions
        new = [i for i in range(count) if not known.knows(asked[i], VERDICT)]
        # Each is taken once, before threads come to need the same ones.
        list(pool.map(self._glance, sorted({k for i in new for k in (i, *neighbours(i, count))})))
        return list(pool.map(self._verdict, range(count)))

    def overview(self, index: int) -> Overview:
        """A look with what was found in it.

        Raises:
            SceneLostError: a file is damaged.
            OutputError: the folder cannot be written.
        """
        return Overview(self._looks[index].plan, self._glance(index).acquired, self._clouds(index))

    def picture(self, index: int) -> Picture:
        """What a look shows.

        Raises:
            SceneLostError: a file is damaged.
            OutputError: the folder cannot be written.
        """
        return self._judge.known.of(
            ["picture", self._keys[index]],
            lambda: asdict(picture_of(self._glance(index).acquired)),
            PICTURE,
        )

    def forget_others(self) -> None:
        """Remove what was kept of other looks, or of these when they were others."""
        wanted = {
            self._judge.path(key, what)
            for keys, names in ((self._keys, ("pixels", "masks")), (self._among, ("clouds",)))
            for key in keys
            for what in names
        }
        for path in set(self._judge.folder.glob("*.tif")) - wanted:
            path.unlink(missing_ok=True)

    def _read_or_take(self, index: int) -> Glance:
        judge, look = self._judge, self._looks[index]
        pixels, masks = (judge.path(self._keys[index], what) for what in ("pixels", "masks"))
        kept = self._kept(masks, pixels)
        if kept is not None:
            valid, usable, told, clear, masked = kept[0][:-1] > 0
            stretched = STRETCHED[min(int(kept[0][-1].max()), len(STRETCHED) - 1)]
            seen = Acquired(kept[1], valid, usable, bool(masked.all()), look.bands, stretched)
            return Glance(seen, told, clear)
        taken = take_glance(look.plan, look.acquire(), judge.grid, judge.network)
        seen = taken.acquired
        told = seen.masked, STRETCHED.index(seen.stretched)
        marks = [np.full(seen.valid.shape, mark, np.uint8) for mark in told]
        self._write(pixels, seen.pixels)
        # Written last: it says that the look is complete.
        self._write(masks, np.stack([seen.valid, seen.usable, taken.told, taken.clear, *marks]))
        return taken

    def _clouds(self, index: int) -> BoolArray:
        path = self._judge.path(self._among[index], "clouds")
        kept = self._kept(path)
        if kept is not None:
            found: BoolArray = kept[0][0] > 0
            return found
        others = [self._glance(k) for k in neighbours(index, len(self._looks))]
        clouds = find_clouds(self._glance(index), others, self._judge.grid)
        self._write(path, clouds[None])
        return clouds

    def _verdict(self, index: int) -> Verdict:
        return self._judge.known.of(
            self._questions[index], lambda: asdict(self._judged(self.overview(index))), VERDICT
        )

    def _judged(self, view: Overview) -> Verdict:
        share = float(view.usable[self._judge.inside].mean())
        clouds = hashlib.sha256(np.packbits(view.clouds).tobytes()).hexdigest()[:32]
        return Verdict(share, self._useless(view.acquired, share), clouds)

    def _useless(self, look: Acquired, share: float) -> str:
        inside, least = self._judge.inside, self._judge.least_share
        shown = look.pixels[:, look.valid & inside]
        if shown.shape[1] >= ENOUGH_PX:
            spread = np.ptp(np.percentile(shown, (1, 99), axis=1), axis=0)
            if spread.max() < ALIKE:
                return "shows one colour only"
        if share >= least:
            return ""
        seen = float(look.valid[inside].mean())
        if seen < least:
            return f"shows {100 * seen:.0f} % of the site"
        lost = f"{100 * (1 - share / seen):.0f} %"
        return f"{lost} of what it shows is under cloud or otherwise unusable"

    def _kept(self, last: Path, *others: Path) -> list[np.ndarray[Any, Any]] | None:
        """What files hold; None where they were not kept, or are damaged.

        Args:
            last: of the files, the one that was written last: without it they are not complete.
            others: the other ones.

        Raises:
            OutputError: a damaged file cannot be removed.
        """
        if not last.is_file():
            return None
        height, width = self._judge.grid.shape
        try:
            window = (slice(0, height), slice(0, width))
            return [read_window(path, window) for path in (last, *others)]
        except RasterError as error:
            log.warning("%s; it is made anew", error)
        try:
            # If the scenes cannot be had now, nobody must count on these files again.
            last.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(last, error) from error
        return None

    def _write(self, path: Path, bands: np.ndarray[Any, Any]) -> None:
        values = bands.astype(np.uint8) if bands.dtype == bool else bands
        height, width = self._judge.grid.shape
        with RasterSink(path, self._judge.grid, len(bands), values.dtype.name) as sink:
            sink.write(Box(0, height, 0, width), values)
