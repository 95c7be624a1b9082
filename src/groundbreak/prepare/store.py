"""Prepared looks on disk: aligned, comparable pixels and what is usable of them.

``LOOK/pixels.tif`` holds [0, 1] as uint16 * 1e-4 on the site's grid, ``LOOK/usable.tif`` 1 where
usable, ``LOOK/look.json`` the rest, with the sizes of both files; it is written last and says that
the look is complete.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundbreak.atomic import write_json
from groundbreak.kept import kept_json, kept_whole
from groundbreak.prepare.known import record
from groundbreak.raster.read import read_window
from groundbreak.types import BoolArray, FloatArray

PIXEL_SCALE = 10000.0
LOOK = "look.json"
PIXELS, USABLE = "pixels.tif", "usable.tif"
LOOKS = "looks"
"""Below the folder of a site: its prepared looks."""


@dataclass(frozen=True)
class Noted:
    """What tells whether a prepared look is the one that is wanted; see ``PreparedLook``."""

    key: str
    told: str
    scene_ids: tuple[str, ...]


@dataclass(frozen=True)
class PreparedLook:
    """What is known of a look after it was prepared.

    Attributes:
        key: digest of everything that the preparation depended on.
        digest: digest of the prepared pixels and masks.
        told: digest of what the catalogue and the settings say of the look itself.
        state: digest of its files' sizes and times, and of the offsets that were found.
        aligned: whether the shift is trusted.
        shift_px: (dx, dy) by which its content was displaced, as far as is known; taken out.
        residual_px: what is left of it, None where it could not be measured.
        alignment_note: why the shift is not trusted.
        apart: nothing of it lies where the reference look shows it.
        gain, offset: radiometric correction per band that was applied.
        mean, spread: of the usable pixels per band, after the correction.
        masked: every scene came with a cloud mask.
        flags: of ``types.FLAGS``, for events that rest on this look.
    """

    id: str
    start: datetime
    end: datetime
    scene_ids: tuple[str, ...]
    bands: tuple[str, ...]
    sensor: str | None
    gsd_m: float | None
    valid_share: float
    usable_share: float
    masked: bool
    aligned: bool
    shift_px: tuple[float, float]
    residual_px: float | None
    alignment_note: str
    gain: tuple[float, ...]
    offset: tuple[float, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    flags: tuple[str, ...]
    key: str
    digest: str
    folder: Path
    told: str = ""
    state: str = ""
    apart: bool = False

    def pixels(self, window: tuple[slice, slice]) -> FloatArray:
        """(bands, height, width) in [0, 1] in a (rows, columns) window of the site's grid."""
        return unit(self.numbers(window))

    def numbers(self, window: tuple[slice, slice]) -> NDArray[Any]:
        """The same as they are stored, uint16; see ``unit``."""
        return read_window(self.folder / PIXELS, window)

    def usable(self, window: tuple[slice, slice]) -> BoolArray:
        """(height, width) in a window of the site's grid."""
        return read_window(self.folder / USABLE, window)[0] > 0


PREPARED = record(PreparedLook)


def unit(values: NDArray[Any]) -> FloatArray:
    """Stored numbers of any shape as values in [0, 1]."""
    return values.astype(np.float32) / np.float32(PIXEL_SCALE)


def save_look(look: PreparedLook) -> None:
    """Mark a look as complete; its rasters must be in place.

    Raises:
        OutputError: the file cannot be written.
    """
    document = asdict(look)
    del document["folder"]
    document["start"] = look.start.isoformat()
    document["end"] = look.end.isoformat()
    document["bytes"] = {name: (look.folder / name).stat().st_size for name in (PIXELS, USABLE)}
    write_json(look.folder / LOOK, document)


def read_look(folder: Path) -> PreparedLook | None:
    """The prepared look in a folder, None if there is none, or it is damaged.

    Of its rasters the sizes are compared only: to read them all would take too long.
    """
    return kept_json(folder / LOOK, lambda document: _look(folder, document))


def _look(folder: Path, document: dict[str, Any]) -> PreparedLook | None:
    sizes = document.pop("bytes", {})
    if not all(kept_whole(folder / name, sizes.get(name)) for name in (PIXELS, USABLE)):
        return None
    document["start"] = datetime.fromisoformat(document["start"])
    document["end"] = datetime.fromisoformat(document["end"])
    for name, value in document.items():
        if isinstance(value, list):
            document[name] = tuple(value)
    return PREPARED({**document, "folder": folder})


def load_look(folder: Path, key: str) -> PreparedLook | None:
    """A look prepared earlier from the same inputs, None if there is none."""
    # Compared before it is understood: another version's look may have other fields.
    known = noted(folder)
    return read_look(folder) if known is not None and known.key == key else None


def noted(folder: Path) -> Noted | None:
    """By what a prepared look is known, None if there is none, or what is told of it is damaged."""
    return kept_json(folder / LOOK, _noted)


def _noted(document: dict[str, Any]) -> Noted:
    return Noted(document["key"], document["told"], tuple(document["scene_ids"]))
