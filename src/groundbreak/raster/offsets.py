"""The offset of Sentinel-2's processing baseline 04.00: +1000 in every digital number.

Since that baseline reflectance is (DN - 1000) / 10000. Whether a file has the offset is decided by
the processing baseline and never by the date, since older scenes are reprocessed. Some providers
take the offset out; what their items say about it is known to be wrong at times
(``raster:bands`` offsets of -0.1 where nothing is to be added, ``boa_offset_applied`` where it was
not), so ``check_dark_jump`` compares the dark pixels of two looks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundbreak.scaling import REFLECTANCE_DN
from groundbreak.types import Patch, Scene

BASELINE_OFFSET_DN = -1000.0
"""BOA_ADD_OFFSET (L2A) and RADIO_ADD_OFFSET (L1C) of baseline 04.00 and later."""

FIRST_BASELINE = (4, 0)

_PRODUCT = re.compile(r"S2[A-D]_MSIL[12][AC]_.*?_N(\d{2})(\d{2})_", re.IGNORECASE)
_SENTINEL2 = re.compile(r"sentinel-?\s?2|\bs2[a-d]\b")
_OTHERS = re.compile(r"(?<![a-z])(hls|maja|theia|fre|force)(?![a-z])")
_DARK_PERCENTILE = 1.0


@dataclass(frozen=True)
class OffsetDecision:
    """What to add to the digital numbers of a scene, and why.

    Attributes:
        dn: added to every valid digital number before scaling.
        reason: for the record.
        band_offsets: whether offsets that the item states for its bands count. They do not where
            ``dn`` was decided here, since they say the same thing or are wrong.
        certain: nothing but the pixels' being wrong could speak against it.
    """

    dn: float
    reason: str
    band_offsets: bool = True
    certain: bool = False


@dataclass(frozen=True)
class DarkJump:
    """Comparison of the dark pixels of two looks; ``correction_dn`` belongs on the second."""

    correction_dn: float
    reason: str


def baseline_offset(scene: Scene) -> OffsetDecision:
    """Decide by metadata whether a Sentinel-2 scene carries the offset of baseline 04.00.

    Scenes of other sensors, and Sentinel-2 scenes that do not tell their baseline, keep what
    their bands state.
    """
    if not is_sentinel2(scene):
        reason = "not an ESA Sentinel-2 product: what its bands state counts"
        return OffsetDecision(0.0, reason, certain=True)
    baseline = _baseline(scene)
    text = (
        "baseline not stated" if baseline is None else f"baseline {baseline[0]:02}.{baseline[1]:02}"
    )
    removed = _removed(scene)
    if removed is not None:
        return OffsetDecision(0.0, f"{text}: {removed}", band_offsets=False)
    if baseline is None:
        return OffsetDecision(0.0, f"{text}: what its bands state counts")
    if baseline < FIRST_BASELINE:
        return OffsetDecision(0.0, f"{text}: has no offset", band_offsets=False, certain=True)
    return OffsetDecision(BASELINE_OFFSET_DN, f"{text}: 1000 taken off", band_offsets=False)


def dark_dn(patch: Patch) -> float | None:
    """The dark end of a patch in digital numbers (reflectance × 10000), None if it is empty.

    It is the first percentile of the valid pixels, averaged over the bands.
    """
    if not patch.valid.any():
        return None
    dark = np.percentile(patch.pixels[:, patch.valid], _DARK_PERCENTILE, axis=1)
    return float(dark.mean() * REFLECTANCE_DN)


def check_dark_jump(dark_dn_a: float, dark_dn_b: float, tolerance_dn: float = 300.0) -> DarkJump:
    """Compare the dark ends of two looks of one place, after their offsets were decided.

    A jump of about 1000 means that the offset was wrongly left in, or taken off twice. A smaller
    one is weather and season.

    Returns:
        What to add to the digital numbers of the second look: -1000, 0 or 1000.
    """
    jump = dark_dn_b - dark_dn_a
    size = -BASELINE_OFFSET_DN
    if abs(jump - size) <= tolerance_dn:
        return DarkJump(-size, f"dark pixels are {jump:.0f} DN brighter: offset left in")
    if abs(jump + size) <= tolerance_dn:
        return DarkJump(size, f"dark pixels are {-jump:.0f} DN darker: offset taken off twice")
    return DarkJump(0.0, f"dark pixels differ by {jump:.0f} DN: no offset")


def is_sentinel2(scene: Scene) -> bool:
    """Whether ESA's processing made the digital numbers (HLS, MAJA and FORCE have their own)."""
    if _stated_baseline(scene) or _PRODUCT.search(_names(scene)):
        return True
    told = (scene.sensor, *(scene.properties.get(k) for k in ("constellation", "platform")))
    sensor = " ".join(str(each).lower() for each in told if each)
    return bool(_SENTINEL2.search(sensor)) and not _OTHERS.search(f"{sensor} {scene.id.lower()}")


def _baseline(scene: Scene) -> tuple[int, int] | None:
    match = re.fullmatch(r"\s*N?(\d{1,2})\.?(\d{2})\s*", _stated_baseline(scene))
    match = match or _PRODUCT.search(_names(scene))
    return (int(match.group(1)), int(match.group(2))) if match else None


def _stated_baseline(scene: Scene) -> str:
    keys = (key for key in scene.properties if key.lower().endswith("processing_baseline"))
    return next((str(scene.properties[key]) for key in keys), "")


def _removed(scene: Scene) -> str | None:
    """Why the digital numbers have no offset any more, if the item says so."""
    if scene.properties.get("earthsearch:boa_offset_applied") is True:
        return "offset applied already by the provider"
    if "harmoni" in f"{_names(scene)} {scene.properties.get('collection', '')}".lower():
        return "harmonised by the provider"
    return None


def _names(scene: Scene) -> str:
    """Everything that may contain the name of the product."""
    properties: Mapping[str, Any] = scene.properties
    named = (properties.get(key) for key in ("s2:product_uri", "sentinel:product_id", "title"))
    return " ".join([scene.id, *(str(n) for n in named if n), *(a.href for a in scene.assets)])
