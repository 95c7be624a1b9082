"""Which scenes a STAC API has of the sites."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pystac
from pystac_client import Client as ApiClient
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from groundbreak.catalog.api import (
    INVALID,
    ApiIO,
    cloud_filter,
    collection_ids,
    open_api,
    search_method,
)
from groundbreak.catalog.client import Client, FetchError, Limits
from groundbreak.catalog.criteria import (
    in_time,
    simple,
    touches,
    without_older_processing,
)
from groundbreak.catalog.presets import Preset, find_preset, own_hosts
from groundbreak.catalog.redact import for_file
from groundbreak.catalog.store import write_catalog
from groundbreak.errors import CatalogError, HrefError
from groundbreak.lonlat import cut, fingerprint
from groundbreak.plural import counted
from groundbreak.types import HrefPolicy, Site

log = logging.getLogger(__name__)

PAGE = 100
PATIENCE = 3
"""After so many sites in a row for which the API fails it is not asked for the others."""
OF_ONE_SITE = (400, 413, 414, 422)
"""Statuses that say that this very request is refused: its outline may be too much for the API."""
Key = tuple[str, str]


@dataclass(frozen=True)
class SearchQuery:
    """What is searched for.

    Attributes:
        api: name of a preset, or address of a STAC API.
        sites: a scene is found if it touches one of them.
        start: first instant, None = from the beginning.
        end: last instant, None = up to now.
        collection: None = the preset's, or all of another API's.
        max_cloud: cloud cover in percent; a scene that does not state its own is kept.
        max_items: at most so many scenes of one site.
        timeout_s: how long one request may take, with its repetitions.
    """

    api: str
    sites: Sequence[Site]
    start: datetime | None = None
    end: datetime | None = None
    collection: str | None = None
    max_cloud: float | None = None
    max_items: int = 10_000
    timeout_s: float = 60.0


@dataclass(frozen=True)
class SearchResult:
    """What was found: STAC items without signatures, by time; ``api`` is the API's address.

    ``incomplete`` are the ids of the sites of which there may be more, and why; ``searched``
    fingerprints of the outlines of all sites.
    """

    items: tuple[pystac.Item, ...]
    api: str
    notes: tuple[str, ...] = ()
    incomplete: Mapping[str, str] = field(default_factory=dict)
    searched: Mapping[str, str] = field(default_factory=dict)


def search(query: SearchQuery) -> SearchResult:
    """Search a STAC API for scenes of the sites.

    Finding nothing is an answer: no items, and a note. What the API was asked to filter is looked
    at again here, since some APIs ignore what they do not know. A site for which the API fails is
    an error only if it fails for all; else the site is among the ``incomplete`` ones.

    Raises:
        CatalogError: the API does not answer, is none, or has no such collection.
        HrefError: it sends to another host.
    """
    preset = find_preset(query.api)
    # The address was typed by the user: it may be a private one.
    hosts = own_hosts(preset.api)
    policy = HrefPolicy(hosts=hosts, private_hosts=hosts)
    client = Client(policy, Limits(silence_s=query.timeout_s, total_s=query.timeout_s))
    try:
        return _Search(query, preset, client).run()
    except FetchError as error:
        raise CatalogError(query.api, error.reason, _mend(error, query)) from error
    except HrefError as error:
        mend = "search at the address that it leads to"
        raise HrefError(error.subject, error.problem, mend) from error
    finally:
        client.close()


def write_results(result: SearchResult, path: Path) -> None:
    """Write what was found as a catalogue, also if it is empty.

    It says which API it is from, which sites were searched, and of which there may be more.

    Raises:
        OutputError: the file cannot be written.
    """
    write_catalog(
        result.items,
        path,
        api=result.api,
        incomplete=result.incomplete,
        searched=result.searched,
    )


@dataclass
class _Search:
    """One search under way."""

    query: SearchQuery
    preset: Preset
    client: Client
    left_out: dict[str, set[Key]] = field(default_factory=dict)
    looped: bool = False
    notes: list[str] = field(default_factory=list)
    incomplete: dict[str, str] = field(default_factory=dict)

    def run(self) -> SearchResult:
        io = ApiIO(self.client)
        api = open_api(self.preset.api, io)
        found = self._found(api)
        if io.looped or self.looped:
            self.notes.append("the API repeats its pages: the search was ended there")
        items, older = without_older_processing(list(found.values()))
        for item in older:
            del found[_key(item)]
            self._leave_out(item, "an older processing of a scene that is there")
        if not items:
            self.notes.append(f"no scene was found of {counted(len(self.query.sites), 'site')}")
        counts = {why: len(keys - found.keys()) for why, keys in self.left_out.items()}
        left_out = [f"{counted(n, 'scene')} left out: {why}" for why, n in counts.items() if n]
        return SearchResult(
            tuple(sorted(items, key=_when)),
            for_file(self.preset.api),
            (*self.notes, *left_out, *_listed(self.incomplete)),
            self.incomplete,
            {site.id: fingerprint(site.geometry) for site in self.query.sites},
        )

    def _found(self, api: ApiClient) -> dict[Key, pystac.Item]:
        """The scenes of all sites; a site that fails is recorded.

        Raises:
            FetchError, HrefError: all fail; it is the first failure.
        """
        found: dict[Key, pystac.Item] = {}
        failures: list[FetchError | HrefError] = []
        answered, in_a_row = False, 0
        for site in self.query.sites:
            if in_a_row == PATIENCE:
                self.incomplete[site.id] = "the API was not asked any more after failures in a row"
                continue
            before = len(found)
            try:
                self._add(api, site, found)
            except (FetchError, HrefError) as error:
                failures.append(error)
                of_site = isinstance(error, FetchError) and error.status in OF_ONE_SITE
                in_a_row += 0 if of_site else 1
                self.incomplete[site.id] = _failure(error)
            else:
                answered, in_a_row = True, 0
            log.info("%s: %d scenes not found before", site.id, len(found) - before)
        if failures and not answered:
            raise failures[0]
        return found

    def _add(self, api: ApiClient, site: Site, found: dict[Key, pystac.Item]) -> None:
        """Add the scenes of one site to what was found."""
        most = self.query.max_items
        own: set[Key] = set()
        for item in self._of_site(api, site):
            if len(own) == most and _key(item) not in own:
                self.incomplete[site.id] = f"the search was ended at {most} scenes"
                break
            own.add(_key(item))
            found.setdefault(_key(item), item)

    def _of_site(self, api: ApiClient, site: Site) -> Iterator[pystac.Item]:
        """The scenes of one site, each once, until the API has no further ones."""
        collection = self.query.collection or self.preset.collection
        parameters: dict[str, Any] = {
            "method": search_method(api),
            "limit": PAGE,
            "intersects": mapping(simple(cut(site.geometry))),
            "datetime": _span(self.query.start, self.query.end),
            "collections": [collection] if collection else None,
        }
        if self.query.max_cloud is not None:
            parameters |= cloud_filter(api, self.query.max_cloud)
        seen: set[Key] = set()
        try:
            for page in api.search(**parameters).pages_as_dicts():
                keys = {_key(feature) for feature in page["features"]}
                if keys <= seen:
                    self.looped = True
                    return
                for feature in page["features"]:
                    item = self._item(feature)
                    if item is not None and self._matches(item, site.geometry):
                        yield item
                seen |= keys
        except FetchError as error:
            if error.status in (400, 404, 422):
                self._check_collection(api, collection)
            raise
        if not seen:
            self._check_collection(api, collection)

    def _item(self, feature: Any) -> pystac.Item | None:
        try:
            item = pystac.Item.from_dict(_without_signatures(feature), preserve_dict=False)
            if item.get_self_href():
                item.make_asset_hrefs_absolute()
        except INVALID:
            self._leave_out(feature, "not a valid STAC item")
            return None
        others = {
            urlsplit(asset.href).scheme.lower() or "relative addresses"
            for asset in item.assets.values()
        } - {"http", "https"}
        for key, asset in list(item.assets.items()):
            if urlsplit(asset.href).scheme.lower() not in ("http", "https"):
                del item.assets[key]
        if not item.assets:
            only = ", ".join(sorted(others)) or "none at all"
            self._leave_out(item, f"no asset at an http(s) address ({only})")
            return None
        return item

    def _matches(self, item: pystac.Item, area: BaseGeometry) -> bool:
        query = self.query
        cloud = item.properties.get("eo:cloud_cover")
        most = query.max_cloud
        if most is not None and isinstance(cloud, (int, float)) and cloud > most:
            self._leave_out(item, f"more than {most:g} % cloud")
        elif not in_time(item, query.start, query.end):
            self._leave_out(item, "outside the dates")
        elif not touches(item, area):
            self._leave_out(item, "outside the sites")
        else:
            return True
        return False

    def _leave_out(self, item: Any, why: str) -> None:
        self.left_out.setdefault(why, set()).add(_key(item))

    def _check_collection(self, api: ApiClient, collection: str | None) -> None:
        known = collection_ids(api) if collection else []
        if known and collection not in known:
            shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if known[20:] else "")
            raise CatalogError(
                self.query.api, f"has no collection '{collection}'", f"it has {shown}"
            )


def _without_signatures(value: Any) -> Any:
    """A JSON value whose addresses carry no signatures."""
    if isinstance(value, str):
        return for_file(value) if value.startswith(("http://", "https://")) else value
    if isinstance(value, Mapping):
        return {key: _without_signatures(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_signatures(each) for each in value]
    return value


def _key(item: Any) -> Key:
    """Collection and id, of an item or of what was sent as one."""
    if isinstance(item, pystac.Item):
        return str(item.collection_id), item.id
    told = item if isinstance(item, Mapping) else {}
    return str(told.get("collection")), str(told.get("id"))


def _when(item: pystac.Item) -> tuple[str, str]:
    time = item.datetime or item.common_metadata.start_datetime
    return (time.isoformat() if time else "", item.id)


def _span(start: datetime | None, end: datetime | None) -> str | None:
    if start is None and end is None:
        return None
    return "/".join(
        ".." if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        for time in (start, end)
    )


def _failure(error: FetchError | HrefError) -> str:
    if isinstance(error, FetchError):
        return f"the API {error.reason}"
    return f"{error.subject} {error.problem}"


def _listed(incomplete: Mapping[str, str]) -> list[str]:
    """A line for each reason for which sites were not searched to the end."""
    sites: dict[str, list[str]] = {}
    for site, why in incomplete.items():
        sites.setdefault(why, []).append(site)
    return [
        f"{counted(len(names), 'site')} not searched to the end, {why}: {', '.join(names[:10])}"
        + (f" and {len(names) - 10} more" if names[10:] else "")
        for why, names in sites.items()
    ]


def _mend(error: FetchError, query: SearchQuery) -> str:
    if error.status in (401, 403):
        return "the API needs an account: write it to ~/.netrc, or use another API"
    if error.status == 404:
        return "check the address: it must be the landing page of a STAC API"
    if error.status is None and "in time" in error.reason:
        return f"it was given {query.timeout_s:g} s: try again later, or ask for fewer dates"
    if error.status is None or error.status >= 429:
        return "check the address and the network, then try again"
    return ""
