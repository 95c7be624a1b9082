"""A folder of rasters becomes scenes: one STAC item a product, dated, placed, its bands named."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundbreak.catalog.assemble import build_item
from groundbreak.catalog.dates import Acquired, decide
from groundbreak.catalog.intact import cut_short
from groundbreak.catalog.judge import Image, LeftOutError, choose, judge
from groundbreak.catalog.listing import NAME, Entry, read_listing
from groundbreak.catalog.names import OTHER_FORMATS, PACKED, SUFFIXES, Part, place, without_suffix
from groundbreak.catalog.redact import printable
from groundbreak.errors import CatalogError, RasterError
from groundbreak.plural import counted
from groundbreak.raster.bands import no_use
from groundbreak.raster.info import RasterInfo
from groundbreak.raster.read import inspect
from groundbreak.types import Refusal

if TYPE_CHECKING:
    import pystac

log = logging.getLogger(__name__)

OWN = (("run.json", "work"), ("tiles.parquet",))
"""What folders that `detect` and `tile` write hold: looks that were prepared are no imagery."""


@dataclass(frozen=True)
class ScanResult:
    """The scenes of a folder, by time; what had to be assumed; what was left out and why."""

    items: tuple[pystac.Item, ...]
    notes: tuple[str, ...]
    refused: tuple[Refusal, ...]
    folder: Path


def scan_folder(folder: Path, dates: Path | None = None, *, strict: bool = False) -> ScanResult:
    """Find the scenes in a folder and the folders below it.

    Args:
        folder: of rasters; hidden files and folders are passed over, links to folders not
            followed.
        dates: ``dates.csv``; by default the one in the folder, if there is one. With it, files
            that it does not list are left out, with a count; those that it lists and that are
            not there are left out by name.
        strict: take any file that is left out for a reason for an error.

    Returns:
        One item a scene, with absolute hrefs. Its id is the path relative to the folder without
        suffix, ``/`` replaced by ``_``.

    Raises:
        CatalogError: no such folder, ``dates.csv`` is wrong, no scene is left, or ``strict``
            found something.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CatalogError(str(folder), "is not a folder" if folder.exists() else "does not exist")
    if dates is None and (folder / NAME).is_file():
        dates = folder / NAME
    listing = read_listing(dates, folder) if dates else None
    scan = _Scan(folder.resolve(), listing, dates.name if dates else NAME)
    scan.run()
    return _judged(folder, scan, dates, strict)


def _judged(folder: Path, scan: _Scan, dates: Path | None, strict: bool) -> ScanResult:
    if dates is not None:
        scan.notes.append(f"dates are taken from {dates}")
    if scan.unlisted:
        scan.notes.append(f"{counted(scan.unlisted, 'file')} that it does not list left out")
    assumed = [f"{text} ({counted(number, 'scene')})" for text, number in scan.assumed.items()]
    for note in (*scan.notes, *assumed):
        log.info("%s: %s", folder, note)
    for refusal in scan.refused:
        log.warning("left out: %s %s", refusal.subject, refusal.reason)
    if strict and scan.refused:
        first = scan.refused[0]
        raise CatalogError(str(folder / first.subject), first.reason)
    if not scan.items:
        why = "; ".join(
            [*(f"{r.subject} {r.reason}" for r in scan.refused[:3]), *scan.passed_over()]
        )
        problem = "no scene is left" if why else "holds no rasters that can be read"
        raise CatalogError(str(folder), problem, why)
    items = sorted(scan.items.values(), key=lambda item: (_start(item), item.id))
    return ScanResult(tuple(items), (*scan.notes, *assumed), tuple(scan.refused), folder.resolve())


@dataclass
class _Scan:
    """One scan under way."""

    folder: Path
    listing: Mapping[str, Entry] | None
    listed_in: str
    items: dict[str, pystac.Item] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    assumed: Counter[str] = field(default_factory=Counter)
    refused: list[Refusal] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    no_use: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unread: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unlisted: int = 0
    own: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Group the files by product, then judge product by product."""
        groups: dict[str, list[Image]] = defaultdict(list)
        masks: list[Part] = []
        auxiliary = 0
        for path in self._files():
            part = place(path)
            if part.mask is not None:
                masks.append(part)
            elif part.auxiliary:
                auxiliary += 1
            elif self.listing is not None and path not in self.listing:
                self.unlisted += 1
            elif (image := self._image(part)) is not None:
                groups[image.part.key].append(image)
        by_key = self._masks_by_key(masks, groups)
        for key, images in groups.items():
            self._add(key, images, by_key.get(key, []))
        if self.own:
            self.notes.append(
                f"{counted(len(self.own), 'folder')} passed over that groundbreak wrote, "
                f"the first {printable(self.own[0])}"
            )
        if auxiliary:
            self.notes.append(
                f"{counted(auxiliary, 'file')} of products passed over: no image, no mask"
            )
        self.notes += self.passed_over()
        for why, paths in self.no_use.items():
            # Listed all the same: a catalogue may serve other programs.
            self.notes.append(
                f"{counted(len(paths), 'scene')} of no use to detect, the first {paths[0]}: {why}"
            )
        if self.again:
            self.notes.append(
                f"{counted(len(self.again), 'file')} left out for another file of the product "
                f"that shows the same better, the first {self.again[0]}"
            )

    def passed_over(self) -> list[str]:
        """What may be imagery and was not looked into, in words."""
        return [
            f"{counted(len(paths), 'file')} {why}, the first {printable(paths[0])}"
            for why, paths in self.unread.items()
        ]

    def _files(self) -> Iterator[str]:
        """Paths of rasters relative to the folder, in order; what the listing lists in any case."""
        found = []
        for root, folders, names in os.walk(self.folder):
            below = Path(root).relative_to(self.folder)
            if root != str(self.folder) and any(
                all((Path(root) / name).exists() for name in names_of) for names_of in OWN
            ):
                self.own.append(below.as_posix())
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [(below / n).as_posix() for n in names if not n.startswith(".")]
        for path in sorted(found):
            suffix = Path(path).suffix.lower()
            if suffix in SUFFIXES:
                yield path
            elif suffix == ".vrt":
                self._refuse(
                    path, "is a VRT, which may point anywhere: give the rasters themselves"
                )
            elif self.listing is not None and path in self.listing:
                self._refuse(
                    path, "is not of a format that is read (GeoTIFF, JPEG 2000, PNG, JPEG, WebP)"
                )
            elif suffix in PACKED and self.listing is None:
                self.unread["not unpacked, so not looked into (unpack what holds images)"].append(
                    path
                )
            elif suffix in OTHER_FORMATS and self.listing is None:
                self.unread[
                    "in a format that is not read (make GeoTIFFs with gdal_translate)"
                ].append(path)
        self._refuse_unfound(set(found))

    def _refuse_unfound(self, found: set[str]) -> None:
        """Name what the listing lists and the folder does not show."""
        for path, entry in (self.listing or {}).items():
            if path in found:
                continue
            # What is passed over in general would otherwise be passed over in silence here.
            there = (self.folder / path).is_file()
            why = "is hidden, or below a link to a folder" if there else "does not exist"
            self._refuse(path, f"{why} (line {entry.line} of {self.listed_in})")

    def _image(self, part: Part) -> Image | None:
        entry = self.listing.get(part.path) if self.listing is not None else None
        try:
            info = self._inspect(part.path)
            sidecar = self._sidecar(part.path)
            acquired = self._acquired(part.path, info, entry, sidecar)
            if part.band is not None and len(info.bands) > 1:
                # A picture whose name merely ends like that of a band.
                part = Part(part.path, without_suffix(part.path))
            return judge(part, info, acquired, entry, sidecar)
        except LeftOutError as error:
            self._refuse(part.path, str(error))
        return None

    def _acquired(
        self, path: str, info: RasterInfo, entry: Entry | None, sidecar: Mapping[str, Any] | None
    ) -> Acquired:
        if entry is not None and entry.problem:
            raise LeftOutError(f"{entry.problem} (line {entry.line} of {self.listed_in})")
        if entry is not None and entry.span is not None:
            return Acquired(entry.span, "dates.csv")
        try:
            return decide(path, info.tags, sidecar)
        except ValueError as error:
            raise LeftOutError(str(error)) from error

    def _inspect(self, path: str) -> RasterInfo:
        file = self.folder / path
        try:
            if file.stat().st_size == 0:
                raise LeftOutError("is empty")
            info = inspect(file)
            if cut_short(file):
                raise LeftOutError("is damaged: its end is missing; fetch it again")
        except RasterError as error:
            mend = f": {error.mend}" if error.mend else ""
            raise LeftOutError(error.problem + mend) from error
        except OSError as error:
            raise LeftOutError(f"cannot be read ({error.strerror})") from error
        return info

    def _sidecar(self, path: str) -> Mapping[str, Any] | None:
        """Properties of the STAC item beside a file, None if there is none."""
        beside = (self.folder / path).with_suffix(".json")
        try:
            document = json.loads(beside.read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(document, dict) or "stac_version" not in document:
            return None
        properties = document.get("properties")
        return properties if isinstance(properties, dict) else None

    def _masks_by_key(
        self, masks: list[Part], groups: Mapping[str, list[Image]]
    ) -> dict[str, list[tuple[Part, RasterInfo]]]:
        """The mask files of each product; those of none are noted."""
        by_stem = {without_suffix(i.part.path): k for k, images in groups.items() for i in images}
        found: dict[str, list[tuple[Part, RasterInfo]]] = defaultdict(list)
        lonely = []
        for part in masks:
            key = part.key if part.key in groups else by_stem.get(part.key)
            if key is None:
                lonely.append(part.path)
                continue
            try:
                found[key].append((part, self._inspect(part.path)))
            except LeftOutError as error:
                self._refuse(part.path, f"{error} (a mask)")
        if lonely and self.listing is None:
            self.notes.append(
                f"{counted(len(lonely), 'mask')} without a scene, the first {lonely[0]}"
            )
        self.unlisted += len(lonely) if self.listing is not None else 0
        return {key: _finest(each) for key, each in found.items()}

    def _add(self, key: str, images: list[Image], masks: list[tuple[Part, RasterInfo]]) -> None:
        chosen, again = choose(images)
        apart = [image for image in again if image.part.band is None and _days(image, chosen[0])]
        if apart:
            # Whole pictures of other days with the same beginning of their names.
            again = [image for image in again if image not in apart]
            self._add(key, apart, [])
        path = chosen[0].part.path
        self.again += [image.part.path for image in again]
        try:
            item = build_item(key, chosen, masks, self.folder)
        except LeftOutError as error:
            self._refuse(path, str(error))
            return
        if item.id in self.items:
            self._refuse(path, f"has the id {item.id!r} that {self.paths[item.id]} has")
            return
        self.items[item.id], self.paths[item.id] = item, path
        self.assumed.update(item.properties.get("groundbreak:assumptions", ()))
        if (why := no_use([image.bands for image in chosen])) is not None:
            self.no_use[why].append(path)

    def _refuse(self, path: str, reason: str) -> None:
        self.refused.append(Refusal(printable(path), printable(reason)))


def _finest(masks: list[tuple[Part, RasterInfo]]) -> list[tuple[Part, RasterInfo]]:
    """Of masks of one kind at several sizes the one with the most pixels."""
    best: dict[Any, tuple[Part, RasterInfo]] = {}
    for part, info in masks:
        other = best.get(part.mask)
        if other is None or info.shape > other[1].shape:
            best[part.mask] = (part, info)
    return list(best.values())


def _days(one: Image, other: Image) -> int:
    return abs((one.acquired.span[0] - other.acquired.span[0]).days)


def _start(item: pystac.Item) -> str:
    start = item.common_metadata.start_datetime or item.datetime
    return start.isoformat() if start else ""
