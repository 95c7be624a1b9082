"""Core types: small frozen records that every room shares.

Arrays are ``(bands, height, width)``, float32 in [0, 1] after reading; masks are boolean with
True = usable (or valid, or observed); north is up. Times are timezone-aware UTC. Lengths are
metres, areas m². Sub-pixel shifts are pixels *of the grid* as ``(dx, dy)``, x right, y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


class Box(NamedTuple):
    """A window of a grid in pixels: rows ``y0:y1``, columns ``x0:x1``."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of arrays (…, height, width) and of a ``GeoBox``."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    def grown(self, pixels: int, shape: tuple[int, int]) -> Box:
        """The window with a margin on every side, cut to a grid of ``shape``."""
        return Box(
            max(self.y0 - pixels, 0),
            min(self.y1 + pixels, shape[0]),
            max(self.x0 - pixels, 0),
            min(self.x1 + pixels, shape[1]),
        )


class Kind(StrEnum):
    """What can happen to an object."""

    NEW_BUILDING = "new_building"
    DEMOLITION = "demolition"
    DOCKING_SLIP = "docking_slip"

    @property
    def value_in_mask(self) -> int:
        """Pixel value of the kind in every mask, and its channel in the network's softmax."""
        return KINDS.index(self) + 1


KINDS: tuple[Kind, ...] = (Kind.NEW_BUILDING, Kind.DEMOLITION, Kind.DOCKING_SLIP)
"""The kinds in the order of their mask values 1, 2, 3; channel i of a change map is KINDS[i]."""


class MaskValue(IntEnum):
    """Pixel values of a label or a rasterised result."""

    NONE = 0
    NEW_BUILDING = 1
    DEMOLITION = 2
    DOCKING_SLIP = 3
    UNKNOWN_DIRECTION = 254
    IGNORE = 255


class MaskKind(StrEnum):
    """Families of delivered cloud masks; their codes are explained in ``usable``."""

    SCL = "scl"  # Sentinel-2 scene classification, an enumeration
    CLM = "clm"  # MAJA cloud mask, a bit field, > 0 = unusable
    FMASK = "fmask"  # HLS Fmask, a bit field
    QA_PIXEL = "qa_pixel"  # Landsat Collection 2, a bit field
    BQA = "bqa"  # Landsat Collection 1, a bit field with other bits
    UDM2 = "udm2"  # Planet, eight bands


@dataclass(frozen=True)
class Interval:
    """(last usable look without, first usable look with]; None is an open end."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Refusal:
    """Something of the input that was left out: what (as the user wrote it), and why."""

    subject: str
    reason: str


@dataclass(frozen=True)
class Site:
    """A named area of interest.

    ``geometry`` is a (Multi)Polygon in lon/lat degrees whose longitudes are continuous: a site
    across the antimeridian runs past 180 instead of being cut.
    """

    id: str
    name: str
    geometry: BaseGeometry
    notes: tuple[str, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Band:
    """One band of a raster. ``index`` counts from 1; reflectance = DN * scale + offset."""

    index: int
    name: str
    common_name: str | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None


@dataclass(frozen=True)
class Georef:
    """Where a raster lies, for pictures that do not say so themselves."""

    crs: str
    transform: Affine
    shape: tuple[int, int]


@dataclass(frozen=True)
class Asset:
    """A raster file with image bands. ``georef`` overrides what the file says (or does not)."""

    href: str
    bands: tuple[Band, ...]
    georef: Georef | None = None


@dataclass(frozen=True)
class MaskAsset:
    """A raster that says which pixels are unusable.

    ``band`` counts from 1 where the mask is one band of a file (perhaps of the image itself);
    None where it is the whole file. ``georef`` overrides what the file says.
    """

    href: str
    kind: MaskKind
    band: int | None = None
    georef: Georef | None = None


@dataclass(frozen=True)
class Scene:
    """One acquisition as delivered.

    ``start``/``end`` are the outer bounds of the acquisition time: equal if it is known exactly,
    the first and last instant of the day, month or year if only that is known.
    ``footprint`` is lon/lat with continuous longitudes, None when unknown. ``gsd_m`` is the
    pixel size on the ground. ``properties`` keeps the item's other STAC properties.
    """

    id: str
    start: datetime
    end: datetime
    assets: tuple[Asset, ...]
    masks: tuple[MaskAsset, ...] = ()
    sensor: str | None = None
    gsd_m: float | None = None
    footprint: BaseGeometry | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HrefPolicy:
    """Which addresses a catalogue may make us read.

    ``root`` is the catalogue's own folder (files below it are read), ``folders`` and ``hosts``
    are further ones allowed by name. Anything else is refused by ``raster.opening``. A host is
    written ``name`` (any port), ``name:port`` or ``*.domain``. Of the hosts, only those also
    named in ``private_hosts`` may have loopback or private addresses.
    """

    root: str | None = None
    folders: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()

    def allows_host(self, host: str, port: int | None = None) -> bool:
        """Whether http(s) addresses on ``host`` may be read at all."""
        return any(_same_host(pattern, host, port) for pattern in self.hosts)

    def allows_private(self, host: str, port: int | None = None) -> bool:
        """Whether ``host`` may have a loopback or private address."""
        return any(_same_host(pattern, host, port) for pattern in self.private_hosts)


def _same_host(pattern: str, host: str, port: int | None) -> bool:
    pattern, host = pattern.lower(), host.lower().strip("[]").rstrip(".")
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) >= len(pattern)
    return pattern.strip("[]") == host or (
        port is not None and pattern == host_with_port(host, port)
    )


def host_with_port(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True)
class Catalog:
    """The scenes, and what may be read on their behalf. ``source`` is a path or an API URL.

    ``refused`` are scenes and files that were left out; ``notes`` what had to be assumed;
    ``incomplete`` the ids of the sites that were not searched to the end, and why; ``searched``
    fingerprints of the outlines of all that were searched, None where that is not known.
    """

    scenes: tuple[Scene, ...]
    source: str
    policy: HrefPolicy
    notes: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    incomplete: Mapping[str, str] = field(default_factory=dict)
    searched: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Patch:
    """Pixels of one or several scenes on a grid, before anything was judged.

    ``pixels`` (bands, height, width) float32 in [0, 1], 0 where not valid; ``valid`` and
    ``saturated`` (height, width). ``stretched`` tells that they are brightness on a screen and not
    reflectance.
    """

    geobox: GeoBox
    bands: tuple[str, ...]
    pixels: FloatArray
    valid: BoolArray
    saturated: BoolArray
    stretched: bool = False


@dataclass(frozen=True)
class Look:
    """One site (or a window of its grid) seen at one time.

    ``pixels`` (bands, height, width) float32 in [0, 1]; ``usable`` (height, width) is True inside
    the image where there is no cloud, cloud shadow, saturation or fill.
    """

    id: str
    start: datetime
    end: datetime
    scene_ids: tuple[str, ...]
    geobox: GeoBox
    bands: tuple[str, ...]
    pixels: FloatArray
    usable: BoolArray


@dataclass(frozen=True)
class Pair:
    """An earlier and a later look of one grid."""

    earlier: Look
    later: Look


@dataclass(frozen=True)
class ChangeMap:
    """Probabilities of the three kinds for one pair.

    ``probabilities`` (3, height, width) float32 in the order of ``KINDS``; ``observed``
    (height, width) is True where both looks were usable.
    """

    earlier_id: str
    later_id: str
    geobox: GeoBox
    probabilities: FloatArray
    observed: BoolArray


@dataclass(frozen=True)
class Event:
    """Something that happened to an object. ``geometry`` is in the site's UTM (``crs``).

    The fields are those of the event schema (``events/schema.json``), in its order.
    """

    id: str
    site_id: str
    site_name: str
    kind: Kind
    interval: Interval
    geometry: BaseGeometry
    crs: str
    confidence: float
    date_confidence: float
    area_m2: float
    before_scenes: tuple[str, ...]
    after_scenes: tuple[str, ...]
    usable_fraction: float
    provisional: bool = False
    cleared: Interval | None = None
    registration_residual_px: float | None = None
    replaces: tuple[str, ...] = ()
    replaced_by: tuple[str, ...] = ()
    replaces_overlap: float | None = None
    length_m: float | None = None
    width_m: float | None = None
    orientation_deg: float | None = None
    mouth_azimuth_deg: float | None = None
    vessel_length_m: float | None = None
    flags: tuple[str, ...] = ()
    sentence: str = ""


FLAGS: tuple[str, ...] = (
    "low_resolution",
    "tide",
    "misregistered",
    "partly_cloudy",
    "single_pair",
    "edge_of_site",
    "no_cloud_mask",
    "assumed_date",
    "coarse_date",
    "mixed_sensors",
    "panchromatic",
)
"""Every value ``Event.flags`` may hold."""
