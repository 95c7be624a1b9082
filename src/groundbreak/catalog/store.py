"""Catalogue files: written so that they can be moved with their folder, read without trust.

A catalogue is a STAC ItemCollection. Hrefs of files below the catalogue's own folder are
relative. What else may be read on its behalf is named in the member ``groundbreak:source``: the
folder that was scanned, if it lies elsewhere, or the STAC API that was searched. It also holds
what a scan left out and assumed, so that who reads the catalogue is told as if it scanned itself.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundbreak.atomic import write_json
from groundbreak.catalog.assets import item_to_scene, shows, unknown_masks
from groundbreak.catalog.judge import LeftOutError
from groundbreak.catalog.presets import readable_hosts
from groundbreak.catalog.redact import printable
from groundbreak.catalog.scan import scan_folder
from groundbreak.errors import CatalogError, HrefError, RasterError
from groundbreak.plural import counted
from groundbreak.raster.bands import VISIBLE
from groundbreak.raster.href import is_remote, resolve_href
from groundbreak.raster.read import inspect
from groundbreak.types import Catalog, HrefPolicy, Refusal, Scene

if TYPE_CHECKING:
    import pystac

log = logging.getLogger(__name__)

SOURCE = "groundbreak:source"


def write_catalog(
    items: Iterable[pystac.Item],
    path: Path,
    *,
    api: str | None = None,
    incomplete: Mapping[str, str] | None = None,
    searched: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
    left_out: Iterable[Refusal] = (),
    notes: Iterable[str] = (),
) -> None:
    """Write items as a catalogue.

    Args:
        items: with absolute hrefs, as a scan or a search gives them. The folders of local files
            are thereby allowed to be read.
        path: the file to write.
        api: name or address of the STAC API that they come from.
        incomplete: sites that were not searched to the end, and why.
        searched: fingerprints of the outlines of the sites that were searched, by their ids.
        query: what was searched for, to be found again by who asked.
        left_out: files that a scan left out, and why.
        notes: what a scan had to assume.

    Raises:
        OutputError: the file cannot be written.
    """
    root = path.resolve().parent
    features = [item.to_dict(include_self_link=False, transform_hrefs=False) for item in items]
    outside: list[Path] = []
    for feature in features:
        for asset in feature["assets"].values():
            asset["href"] = _portable(asset["href"], root, outside)
    source: dict[str, Any] = {}
    if api is not None:
        source["api"] = api
    if outside:
        source["folders"] = [_common_folder(outside).as_posix()]
    if incomplete:
        source["incomplete"] = dict(incomplete)
    if searched:
        source["searched"] = dict(searched)
    if query is not None:
        source["query"] = dict(query)
    if refused := [{"file": refusal.subject, "reason": refusal.reason} for refusal in left_out]:
        source["left_out"] = refused
    if said := list(notes):
        source["notes"] = said
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if source:
        document[SOURCE] = source
    write_json(path, document)


def _portable(href: str, root: Path, outside: list[Path]) -> str:
    """A local path relative to the catalogue if it lies below it."""
    if not Path(href).is_absolute():
        return href
    file = Path(href)
    if file.is_relative_to(root):
        return file.relative_to(root).as_posix()
    outside.append(file.parent)
    return href


def _common_folder(folders: Sequence[Path]) -> Path:
    common = folders[0]
    for folder in folders[1:]:
        while not folder.is_relative_to(common):
            common = common.parent
    return common


def read_catalog(source: Path, *, allow: Sequence[str] = (), strict: bool = False) -> Catalog:
    """Read scenes from a catalogue file, a single STAC item, or a folder of rasters.

    A scene that cannot be used is left out with a note. Every address is checked before anything
    is read.

    Args:
        source: ItemCollection or Item (JSON), or a folder, which is scanned.
        allow: further folders (whatever exists as a folder, or has a slash) and hosts
            (``name``, ``name:port``, ``*.domain``) that may be read.
        strict: take a scene that is left out for an error, and a file that the scan left out from
            which the catalogue is.

    Raises:
        CatalogError: it cannot be read, or no scene is left, or ``strict`` found something.
        HrefError: an item points to what may not be read.
    """
    source = Path(source)
    if source.is_dir():
        scanned = scan_folder(source, strict=strict)
        folders, hosts = _allowed(allow)
        policy = HrefPolicy(str(scanned.folder), folders, hosts, hosts)
        found = _catalog(source, scanned.items, policy, scanned.refused, strict)
        return replace(found, notes=(*scanned.notes, *found.notes))
    document = _document(source)
    told = document.get(SOURCE)
    named = told if isinstance(told, dict) else {}
    items, refused = _items(source, document)
    policy = _policy(source, named, allow)
    found = _catalog(source, items, policy, refused, strict)
    before = _left_out(named)
    if strict and before:
        raise CatalogError(str(source), f"{before[0].subject} {before[0].reason}")
    missing, searched = named.get("incomplete"), named.get("searched")
    reasons = missing.items() if isinstance(missing, dict) else ()
    return replace(
        found,
        notes=(*_texts(named.get("notes")), *found.notes),
        refused=(*before, *found.refused),
        incomplete={site: str(why) for site, why in reasons},
        searched=searched if isinstance(searched, dict) else None,
    )


def _left_out(named: Mapping[str, Any]) -> list[Refusal]:
    """The files that the scan left out, as far as the catalogue says so in the form it should."""
    entries = named.get("left_out")
    return [
        Refusal(printable(entry["file"]), printable(entry["reason"]))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and len(_texts([entry.get("file"), entry.get("reason")])) == 2
    ]


def _texts(entries: Any) -> list[str]:
    """The texts among the entries of a list."""
    return (
        [printable(e) for e in entries if isinstance(e, str)] if isinstance(entries, list) else []
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        reason = "does not exist" if not path.exists() else f"cannot be read ({error.strerror})"
        raise CatalogError(str(path), reason) from error
    except (ValueError, RecursionError) as error:
        raise CatalogError(
            str(path), "is not JSON", "give a catalogue as `groundbreak catalog` writes it"
        ) from error
    kind = document.get("type") if isinstance(document, dict) else None
    if kind in ("Catalog", "Collection"):
        raise CatalogError(
            str(path),
            f"is a STAC {kind}, which only links to scenes",
            "give an ItemCollection, or scan the folder of the rasters",
        )
    if kind not in ("FeatureCollection", "Feature"):
        raise CatalogError(str(path), "is no STAC ItemCollection", "scan or search anew")
    return dict(document)


def _items(path: Path, document: Mapping[str, Any]) -> tuple[list[pystac.Item], list[Refusal]]:
    """The items of a document, and what is none."""
    features = document.get("features") if document["type"] == "FeatureCollection" else [document]
    if not isinstance(features, list):
        raise CatalogError(str(path), "has no list of features")
    items: list[pystac.Item] = []
    refused: list[Refusal] = []
    places: dict[str, int] = {}
    for place, feature in enumerate(features, start=1):
        try:
            item = _item(feature, places)
        except LeftOutError as error:
            refused.append(Refusal(f"item {place}", printable(str(error))))
        else:
            places[item.id] = place
            items.append(item)
    return items, refused


def _item(feature: Any, earlier: Mapping[str, int]) -> pystac.Item:
    """A feature of a collection as an item, unless its id is that of an earlier one."""
    import pystac

    if not isinstance(feature, dict) or not isinstance(feature.get("assets"), dict):
        raise LeftOutError("is not a STAC item: it has no assets")
    identity = feature.get("id")
    if not isinstance(identity, str) or not identity:
        raise LeftOutError("has no id")
    if identity in earlier:
        raise LeftOutError(f"has the id {identity!r} that item {earlier[identity]} has")
    try:
        return pystac.Item.from_dict(feature, preserve_dict=False)
    except (
        pystac.STACError,
        pystac.STACTypeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        cause = " ".join(str(error).split())[:160]
        raise LeftOutError(f"is not a valid STAC item ({cause})") from error


def _policy(path: Path, named: Mapping[str, Any], allow: Sequence[str]) -> HrefPolicy:
    root = path.resolve().parent
    folders, hosts = _allowed(allow)
    own = named.get("folders")
    inside = []
    for folder in own if isinstance(own, list) else []:
        place = Path(str(folder))
        place = place if place.is_absolute() else root / place
        if place.resolve().parent == place.resolve():
            raise HrefError(str(path), f"would have all of {folder} read", "scan the folder anew")
        inside.append(str(place))
    api = named.get("api")
    readable, private = readable_hosts(str(api) if api else None, hosts)
    return HrefPolicy(str(root), (*inside, *folders), readable, private)


def _allowed(allow: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Folders and hosts among what the user allows."""
    folders = [a for a in allow if "/" in a or "\\" in a or a in (".", "..") or Path(a).is_dir()]
    hosts = [a for a in allow if a not in folders]
    return tuple(str(Path(a).expanduser().resolve()) for a in folders), tuple(hosts)


def _catalog(
    source: Path,
    items: Sequence[pystac.Item],
    policy: HrefPolicy,
    before: Sequence[Refusal],
    strict: bool,
) -> Catalog:
    """The scenes of the items; ``before`` is what was left out until then."""
    scenes, refused = [], list(before)
    unknown: Counter[str] = Counter()
    total = len(items) + len(before)
    resolve = partial(resolve_href, policy=policy)
    for item in items:
        try:
            scene = item_to_scene(item, resolve)
            _check_time(scene)
            scenes.append(_with_file_bands(scene))
            unknown.update(() if scene.masks else unknown_masks(item))
        except HrefError as error:
            raise HrefError(
                error.subject, f"(scene {item.id}) {error.problem}", error.mend
            ) from error
        except (ValueError, RasterError) as error:
            refused.append(Refusal(printable(item.id), printable(str(error))))
    for refusal in refused:
        log.warning("left out: %s %s", refusal.subject, refusal.reason)
    if not scenes and not refused:
        raise CatalogError(str(source), "holds no scene", "scan or search anew")
    if not scenes:
        why = "; ".join(f"{r.subject} {r.reason}" for r in refused[:3])
        raise CatalogError(str(source), f"no scene is left of {counted(total, 'item')}", why)
    if strict and refused:
        raise CatalogError(str(source), f"{refused[0].subject} {refused[0].reason}")
    notes = tuple(
        f"the mask '{key}' of {counted(number, 'scene')} is not used, since its codes are not "
        "known: clouds are judged from the picture"
        for key, number in unknown.items()
    )
    return Catalog(tuple(scenes), str(source), policy, notes, tuple(refused))


def _check_time(scene: Scene) -> None:
    if scene.start > datetime.now(UTC) + timedelta(days=1):
        raise ValueError(f"lies in the future ({scene.start:%Y-%m-%d})")


def _with_file_bands(scene: Scene) -> Scene:
    """The scene with what local files say of their bands, where the catalogue says nothing.

    A file that shows only what others show already is left out, and so is one that cannot be read
    once red, green and blue are there.

    Raises:
        RasterError: a file that is needed cannot be read.
    """
    kept = [asset for asset in scene.assets if asset.bands or is_remote(asset.href)]
    if len(kept) == len(scene.assets):
        return scene
    taken = shows([band for asset in kept for band in asset.bands])
    gsd_m, footprint = scene.gsd_m, scene.footprint
    for asset in scene.assets:
        if asset in kept:
            continue
        try:
            info = inspect(Path(asset.href))
        except RasterError:
            if taken >= VISIBLE:
                continue
            raise
        if not shows(info.bands) <= taken:
            kept.append(replace(asset, bands=info.bands))
            taken |= shows(info.bands)
            gsd_m, footprint = gsd_m or info.gsd_m, footprint or info.footprint
    return replace(scene, assets=tuple(kept), gsd_m=gsd_m, footprint=footprint)
