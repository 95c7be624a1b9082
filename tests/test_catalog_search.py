"""Searching a real STAC API on the loopback, and one that misbehaves."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import Polygon, box, shape

from groundbreak.catalog import search as searching
from groundbreak.catalog.access import Access, AccessConfig
from groundbreak.catalog.criteria import touches, without_older_processing
from groundbreak.catalog.presets import find_preset, readable_hosts
from groundbreak.catalog.search import SearchQuery, search, write_results
from groundbreak.catalog.store import read_catalog
from groundbreak.errors import CatalogError, HrefError, RasterError
from groundbreak.raster.grid import site_grid
from groundbreak.raster.read import read_scene
from groundbreak.types import Asset, Band, HrefPolicy, Scene, Site
from servers import Reply, Request, Server, part_of, redirect

START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)
RUSTAC = Path(sys.executable).with_name("rustac")


def site(west: float = 13.0, south: float = 54.0, size: float = 0.02, name: str = "quay") -> Site:
    return Site(name, name, box(west, south, west + size, south + size))


def item(
    name: str,
    day: str = "2024-05-01",
    *,
    west: float = 12.9,
    south: float = 53.9,
    cloud: float | None = 5.0,
    href: str = "https://example.org/a.tif",
    collection: str = "sentinel-2-l2a",
    **properties: Any,
) -> dict[str, Any]:
    footprint = box(west, south, west + 0.5, south + 0.5)
    ring = [list(xy) for xy in footprint.exterior.coords]
    said: dict[str, Any] = {"datetime": f"{day}T10:00:00Z", **properties}
    if cloud is not None:
        said["eo:cloud_cover"] = cloud
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(footprint.bounds),
        "properties": said,
        "assets": {"red": {"href": href, "type": "image/tiff", "roles": ["data"]}},
        "links": [],
    }


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


# A real API ------------------------------------------------------------------------------------


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[list[dict[str, Any]]], str]]:
    """Starts ``rustac serve`` with items in memory; returns its address."""
    running: list[subprocess.Popen[bytes]] = []

    def start(items: list[dict[str, Any]]) -> str:
        source = tmp_path / f"items{len(running)}.json"
        source.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [RUSTAC, "serve", "--addr", address, "--create-collections", source]
        running.append(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        host, port = address.split(":")
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return f"http://{address}"
            time.sleep(0.05)
        raise RuntimeError("rustac did not start")

    if not RUSTAC.is_file():
        pytest.skip("rustac is not installed beside this Python")
    yield start
    for process in running:
        process.terminate()
        process.wait(5)


def ids(result: searching.SearchResult) -> list[str]:
    return [each.id for each in result.items]


def test_a_real_api_gives_every_page_once_by_site_date_and_cloud(serve: Any) -> None:
    inside = [item(f"s{i:03}", f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}") for i in range(230)]
    others = [
        item("elsewhere", west=20.0),
        item("too-early", "2023-12-31"),
        item("too-late", "2025-01-01"),
        item("cloudy", cloud=80.0),
        item("cloud-unknown", cloud=None),
        item("second-site", west=13.9, south=54.2),
    ]
    api = serve(inside + others)
    result = search(
        SearchQuery(
            api, [site(), site(13.01), site(14.0, 54.3, name="b")], START, END, max_cloud=20
        )
    )
    assert set(ids(result)) == {each["id"] for each in inside} | {"cloud-unknown", "second-site"}
    assert len(ids(result)) == len(set(ids(result)))
    times = [each.datetime for each in result.items]
    assert times == sorted(times)
    assert result.api == api
    assert "1 scene left out: more than 20 % cloud" in result.notes


def test_an_api_may_be_asked_by_another_name_than_it_uses(serve: Any) -> None:
    api = serve([item("a")]).replace("127.0.0.1", "localhost")
    assert ids(search(SearchQuery(api, [site()], START, END))) == ["a"]


def test_an_empty_answer_is_an_answer(serve: Any) -> None:
    result = search(SearchQuery(serve([item("a")]), [site(100.0)], START, END))
    assert result.items == ()
    assert result.notes == ("no scene was found of 1 site",)


def test_an_unknown_collection_is_named_with_those_that_exist(serve: Any) -> None:
    api = serve([item("a"), item("b", collection="landsat-c2-l2")])
    with pytest.raises(CatalogError, match="no collection 'sentinel'") as caught:
        search(SearchQuery(api, [site()], START, END, collection="sentinel"))
    assert "landsat-c2-l2, sentinel-2-l2a" in caught.value.mend
    known = search(SearchQuery(api, [site()], START, END, collection="landsat-c2-l2"))
    assert ids(known) == ["b"]


def test_a_limit_of_scenes_is_that_of_each_site(serve: Any, tmp_path: Path) -> None:
    near = [item(f"s{i}") for i in range(20)]
    api = serve([*near, *(item(f"t{i}", west=20.0) for i in range(7))])
    watched = [site(), site(13.01, name="next"), site(20.1, name="east"), site(50.0, name="far")]
    result = search(SearchQuery(api, watched, START, END, max_items=7))
    # Both western sites see the same twenty, of which each may have another seven.
    assert 14 <= len(result.items) <= 21
    assert {f"t{i}" for i in range(7)} <= set(ids(result))
    why = "the search was ended at 7 scenes"
    assert result.incomplete == {"quay": why, "next": why}
    assert f"2 sites not searched to the end, {why}: quay, next" in result.notes
    write_results(result, tmp_path / "c.json")
    catalog = read_catalog(tmp_path / "c.json", allow=["example.org"])
    assert catalog.incomplete == result.incomplete
    assert catalog.searched is not None
    assert {"quay", "next"} <= set(catalog.searched)


def test_from_search_to_pixels(serve: Any, tmp_path: Path) -> None:
    """Signed in the API, plain in the catalogue, read over http as from disk."""
    pixels = np.random.default_rng(7).integers(1100, 9000, (4, 700, 600), dtype=np.uint16)
    (tmp_path / "files").mkdir()
    with rasterio.open(
        tmp_path / "files" / "scene.tif",
        "w",
        driver="COG",
        width=600,
        height=700,
        count=4,
        dtype="uint16",
        crs="EPSG:32633",
        transform=from_origin(368000, 5991000, 10, 10),
        compress="deflate",
    ) as dataset:
        dataset.write(pixels)
    watched = site(13.02, 54.02)
    grid = site_grid(watched, 10.0)
    bands = ("red", "nir")
    with Server() as assets:
        assets.files(tmp_path / "files")
        given = item("a", href=f"{assets.url}/scene.tif?sv=2021&sig=hidden&se=2099")
        given["properties"]["s2:processing_baseline"] = "05.10"
        names = ("blue", "green", "red", "nir")
        given["assets"]["red"]["eo:bands"] = [{"name": n, "common_name": n} for n in names]
        given["stac_extensions"] = ["https://stac-extensions.github.io/eo/v1.1.0/schema.json"]
        result = search(SearchQuery(serve([given]), [watched], START, END))
        write_results(result, tmp_path / "catalog.json")
        assert "hidden" not in (tmp_path / "catalog.json").read_text()
        # The files lie on another port of this machine than the API, so they need a leave.
        with pytest.raises(HrefError, match="--allow 127"):
            read_catalog(tmp_path / "catalog.json")
        catalog = read_catalog(tmp_path / "catalog.json", allow=[f"127.0.0.1:{assets.port}"])
        (scene,) = catalog.scenes
        with Access(catalog.policy) as access:
            remote = read_scene(scene, grid, bands, catalog.policy, opener=access.open)
        allowed = HrefPolicy(root=str(tmp_path))
        local = replace(scene, assets=(replace(scene.assets[0], href="files/scene.tif"),))
        at_home = read_scene(local, grid, bands, allowed)
    assert remote.valid.mean() > 0.9
    assert np.array_equal(remote.pixels, at_home.pixels)
    assert np.array_equal(remote.valid, at_home.valid)
    # The offset of the baseline is known from the API's properties: 1100 becomes 100.
    assert remote.pixels[:, remote.valid].min() < 0.02


def test_a_network_that_fails_is_told_by_the_reader(server: Server, tmp_path: Path) -> None:
    data = tmp_path / "a.tif"
    with rasterio.open(
        data,
        "w",
        driver="GTiff",
        width=2000,
        height=2000,
        count=1,
        dtype="uint16",
        crs="EPSG:32633",
        transform=from_origin(368000, 5994000, 10, 10),
        tiled=True,
    ) as dataset:
        dataset.write(np.ones((1, 2000, 2000), np.uint16))
    left = [3]

    def failing(request: Request) -> Reply:
        left[0] -= 1
        return part_of(data.read_bytes(), request) if left[0] >= 0 else Reply(404)

    server.routes["/a.tif"] = failing
    hosts, private = readable_hosts(server.url)
    policy = HrefPolicy(hosts=hosts, private_hosts=private)
    assets = (Asset(f"{server.url}/a.tif", (Band(1, "red", "red"),)),)
    scene = Scene("a", START, START, assets)
    grid = site_grid(site(13.02, 54.0, 0.1), 10.0)
    with (
        Access(policy, AccessConfig(block=1 << 14)) as access,
        pytest.raises(RasterError, match=r"does not exist \(status 404\)"),
    ):
        read_scene(scene, grid, ("red",), policy, opener=access.open)


def test_an_empty_catalogue_is_written_too(tmp_path: Path) -> None:
    write_results(searching.SearchResult((), "https://example.org/stac"), tmp_path / "c.json")
    written = json.loads((tmp_path / "c.json").read_text())
    assert written["features"] == []
    assert written["type"] == "FeatureCollection"


# An API that misbehaves ------------------------------------------------------------------------


class Api:
    """A STAC API whose search answers are functions of the request."""

    def __init__(self, server: Server, conforms: tuple[str, ...] = (), post: bool = True) -> None:
        self.server = server
        self.url = f"{server.url}/stac"
        search_link = {
            "rel": "search",
            "href": f"{self.url}/search",
            "type": "application/geo+json",
        }
        self.landing = {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "api",
            "description": "a test",
            "conformsTo": [
                "https://api.stacspec.org/v1.0.0/core",
                "https://api.stacspec.org/v1.0.0/item-search",
                *conforms,
            ],
            "links": [
                {"rel": "self", "href": self.url},
                {"rel": "root", "href": self.url},
                search_link | {"method": "GET"},
                *([search_link | {"method": "POST"}] if post else []),
            ],
        }
        server.routes["/stac"] = lambda _: Reply.of_json(self.landing)
        server.routes["/stac/collections"] = lambda _: Reply(404)

    def answers(self, function: Callable[[Request], Reply]) -> None:
        self.server.routes["/stac/search"] = function

    def searched(self) -> list[Request]:
        return [each for each in self.server.asked if each.path == "/stac/search"]


def page(items: list[dict[str, Any]], following: dict[str, Any] | None = None) -> Reply:
    links = [{"rel": "next", **following}] if following else []
    return Reply.of_json({"type": "FeatureCollection", "features": items, "links": links})


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def ask(api: Api, **wanted: Any) -> searching.SearchResult:
    return search(SearchQuery(**({"api": api.url, "sites": [site()], "start": START} | wanted)))


def test_a_slow_answer_is_an_error_that_says_how_long_was_waited(server: Server) -> None:
    api = Api(server)

    def slow(_: Request) -> Reply:
        time.sleep(1.5)
        return page([])

    api.answers(slow)
    started = time.monotonic()
    with pytest.raises(CatalogError, match=r"did not answer in time; it was given 0\.4 s"):
        ask(api, timeout_s=0.4)
    assert time.monotonic() - started < 1.4


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500),
        Reply(429, headers={"Retry-After": "1"}),
        Reply(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Reply(503, headers={"Retry-After": "nan"}),
        Reply(503, headers={"Retry-After": "inf"}),
        Reply(503, headers={"Retry-After": "-1e999"}),
        Reply(503, headers={"Retry-After": f"Wed, 21 Oct 2015 07:28:00 +{10**20}"}),
        Reply(503, headers={"Retry-After": "soon"}),
        Reply(200, b'{"type": "FeatureCollection", "feat'),
        Reply(200, b'{"type": "FeatureCollection", "features": []}', cut=20),
        Reply(200, b"[]"),
    ],
    ids=[
        "error",
        "busy",
        "busy until",
        "no number",
        "endless",
        "long ago",
        "no zone",
        "a word",
        "half a document",
        "broken connection",
        "a list",
    ],
)
def test_trouble_that_passes_is_waited_out(server: Server, trouble: Reply) -> None:
    api = Api(server)
    api.answers(in_turn(trouble, page([item("a")])))
    started = time.monotonic()
    assert ids(ask(api)) == ["a"]
    assert len(api.searched()) == 2
    if trouble.headers.get("Retry-After") == "1":
        assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(500), r"has trouble \(status 500\) \(tried \d times\); check the address"),
        (Reply(429, headers={"Retry-After": "3600"}), "is busy .status 429, asks to wait 3600 s."),
        (Reply(401), r"needs credentials \(status 401\); .*netrc"),
        (Reply(403), r"refuses access \(status 403\)"),
        (Reply(404), r"does not exist \(status 404\)"),
        (Reply(418), "answers with status 418"),
        (Reply(200, b"<html>"), "not JSON"),
        (Reply.of_json({"features": None}), "not a page of a list"),
    ],
)
def test_lasting_trouble_is_one_line(server: Server, reply: Reply, said: str) -> None:
    api = Api(server)
    api.answers(lambda _: reply)
    with pytest.raises(CatalogError, match=said) as caught:
        ask(api, timeout_s=2.0)
    assert str(caught.value).startswith(api.url)
    assert "\n" not in str(caught.value)


def by_site(api: Api, answers: dict[float, Callable[[], Reply]]) -> None:
    """Answer by the western edge of the outline that is asked for, else with one scene there."""

    def reply(request: Request) -> Reply:
        west = shape(request.body["intersects"]).bounds[0]
        return answers.get(west, lambda: page([item(f"s{west:g}", west=west)]))()

    api.answers(reply)


def sites(*wests: float) -> list[Site]:
    return [site(west, name=f"at{west:g}") for west in wests]


def test_a_site_that_fails_takes_nothing_from_the_others(server: Server, tmp_path: Path) -> None:
    api = Api(server)
    half = page([item("half", west=3)], {"href": f"{api.url}/nothing?token=2"})
    by_site(api, {2.0: lambda: Reply(403), 3.0: lambda: half})
    server.routes["/stac/nothing"] = lambda _: Reply(418)
    result = ask(api, sites=sites(1, 2, 3, 4))
    assert set(ids(result)) == {"s1", "half", "s4"}
    assert result.incomplete == {
        "at2": "the API refuses access (status 403)",
        "at3": "the API answers with status 418",
    }
    assert "1 site not searched to the end, the API answers with status 418: at3" in result.notes
    write_results(result, tmp_path / "c.json")
    assert read_catalog(tmp_path / "c.json", allow=["example.org"]).incomplete == result.incomplete


def test_only_if_all_sites_fail_the_search_does(server: Server) -> None:
    api = Api(server)
    api.answers(lambda _: Reply(403))
    with pytest.raises(CatalogError, match=r"refuses access \(status 403\)"):
        ask(api, sites=sites(*range(20)))
    assert len(api.searched()) == searching.PATIENCE


def test_an_api_that_stops_answering_is_not_asked_for_all_other_sites(server: Server) -> None:
    api = Api(server)
    by_site(api, {float(west): lambda: Reply(403) for west in range(3, 20)})
    result = ask(api, sites=sites(*range(1, 20)))
    assert set(ids(result)) == {"s1", "s2"}
    assert set(result.incomplete) == {f"at{west}" for west in range(3, 20)}
    assert len(api.searched()) == 2 + searching.PATIENCE
    assert any(note.startswith("14 sites not searched to the end") for note in result.notes)


def test_requests_that_are_refused_for_their_outline_do_not_end_the_search(server: Server) -> None:
    api = Api(server)
    by_site(api, {float(west): lambda: Reply(413) for west in range(1, 8)})
    result = ask(api, sites=sites(*range(1, 9)))
    assert set(ids(result)) == {"s8"}
    assert len(result.incomplete) == 7


def test_pages_are_followed_by_get_and_by_post(server: Server) -> None:
    api = Api(server)

    def paged(request: Request) -> Reply:
        if request.body.get("token") == "2":
            assert "intersects" in request.body
            return page([item("b")])
        link = {
            "href": f"{api.url}/search",
            "method": "POST",
            "body": {"token": "2"},
            "merge": True,
        }
        return page([item("a")], link)

    api.answers(paged)
    assert ids(ask(api)) == ["a", "b"]
    old = Api(server, post=False)
    old.answers(
        lambda r: (
            page([item("b")])
            if "token=2" in r.query
            else page([item("a")], {"href": f"{old.url}/search?token=2"})
        )
    )
    assert ids(ask(old)) == ["a", "b"]
    assert api.searched()[-1].method == "GET"


def test_endless_pages_come_to_an_end(server: Server) -> None:
    api = Api(server)
    link = {"href": f"{api.url}/search?token=1"}
    api.answers(lambda _: page([item("a")], link))
    result = ask(api)
    assert ids(result) == ["a"]
    assert "the API repeats its pages: the search was ended there" in result.notes
    assert len(api.searched()) <= 3

    numbers = iter(range(10**6))
    api.answers(lambda _: page([item("a")], {"href": f"{api.url}/search?token={next(numbers)}"}))
    asked = len(api.searched())
    assert ids(ask(api)) == ["a"]
    assert len(api.searched()) - asked <= 3


def test_the_cloud_limit_is_sent_only_where_it_is_understood(server: Server) -> None:
    stac = "https://api.stacspec.org/v1.0.0/item-search"
    expected: list[tuple[tuple[str, ...], str | None]] = [
        ((), None),
        ((f"{stac}#query",), "query"),
        ((f"{stac}#filter",), "filter"),
        ((f"{stac}#filter", f"{stac}#query"), "query"),
    ]
    for conforms, member in expected:
        api = Api(server, conforms)
        api.answers(lambda _: page([item("clear", cloud=10), item("cloudy", cloud=30)]))
        assert ids(ask(api, max_cloud=20)) == ["clear"]
        sent = api.searched()[-1].body
        assert [key for key in ("query", "filter") if key in sent] == ([member] if member else [])


def test_what_the_api_ignores_is_looked_at_again(server: Server) -> None:
    api = Api(server)
    api.answers(
        lambda _: page(
            [item("a"), item("old", "2019-01-01"), item("far", west=100.0), {"id": 3}, None]
        )
    )
    result = ask(api, end=END)
    assert ids(result) == ["a"]
    assert set(result.notes) == {
        "1 scene left out: outside the dates",
        "1 scene left out: outside the sites",
        "2 scenes left out: not a valid STAC item",
    }


def test_scenes_without_web_addresses_are_left_out_with_the_reason(server: Server) -> None:
    api = Api(server)
    hostile = item("local", href="/vsicurl/http://10.0.0.1/a.tif")
    api.answers(lambda _: page([item("bucket", href="s3://private/a.jp2"), hostile]))
    result = ask(api)
    assert result.items == ()
    assert "1 scene left out: no asset at an http(s) address (s3)" in result.notes


def test_relative_addresses_are_those_of_the_api(server: Server) -> None:
    api = Api(server)
    relative = item("a", href="../files/a.tif")
    relative["links"] = [{"rel": "self", "href": f"{api.url}/items/a"}]
    api.answers(lambda _: page([relative]))
    (found,) = ask(api).items
    assert found.assets["red"].href == f"{api.url}/files/a.tif"


def test_the_api_may_not_send_elsewhere(server: Server) -> None:
    api = Api(server)
    with Server() as other:
        other.routes["/"] = lambda _: page([item("a")])
        api.answers(lambda _: redirect(f"{other.url}/search"))
        with pytest.raises(HrefError, match="redirects to"):
            ask(api)
        api.answers(lambda _: page([item("a")], {"href": f"{other.url}/search"}))
        with pytest.raises(HrefError, match="not a host of this catalogue"):
            ask(api)
        assert other.asked == []


def test_a_redirect_on_the_same_host_is_followed(server: Server) -> None:
    api = Api(server)
    api.answers(lambda _: page([item("a")]))
    server.routes["/old"] = lambda _: redirect(api.url)
    assert ids(search(SearchQuery(f"{server.url}/old", [site()]))) == ["a"]


@pytest.mark.parametrize(
    ("landing", "said"),
    [
        (Reply.of_json({"hello": "world"}), "not the landing page of a STAC API"),
        (
            Reply.of_json(
                {
                    "type": "Catalog",
                    "id": "c",
                    "description": "",
                    "stac_version": "1.0.0",
                    "links": [],
                }
            ),
            "cannot be searched",
        ),
        (Reply(404), "check the address"),
    ],
)
def test_what_is_no_api_is_said(server: Server, landing: Reply, said: str) -> None:
    server.routes["/stac"] = lambda _: landing
    with pytest.raises(CatalogError, match=said):
        search(SearchQuery(f"{server.url}/stac", [site()]))


def test_an_address_that_leads_nowhere() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(CatalogError, match="refuses the connection"):
            search(SearchQuery(f"http://127.0.0.1:{port}", [site()], timeout_s=1.0))


# Without a network -----------------------------------------------------------------------------


def test_presets_go_by_name_and_by_address() -> None:
    earth = find_preset("earth-search")
    assert earth.collection == "sentinel-2-l2a"
    assert find_preset(earth.api + "/") is earth
    assert find_preset("https://example.org/stac").collection is None
    for wrong in ("earthsearch", "ftp://example.org", "https://", "https://a:99999", "http://[a"):
        with pytest.raises(CatalogError, match="earth-search or planetary-computer"):
            find_preset(wrong)


def test_hosts_of_an_api() -> None:
    hosts, private = readable_hosts("earth-search", ["files.example.org"])
    policy = HrefPolicy(hosts=hosts, private_hosts=private)
    assert policy.allows_host("sentinel-cogs.s3.us-west-2.amazonaws.com", 443)
    assert policy.allows_host("files.example.org", 443)
    assert not policy.allows_host("other.s3.us-west-2.amazonaws.com", 443)
    assert not policy.allows_private("earth-search.aws.element84.com")
    assert policy.allows_private("files.example.org")

    hosts, private = readable_hosts("planetary-computer")
    azure = HrefPolicy(hosts=hosts, private_hosts=private)
    assert azure.allows_host("sentinel2l2a01.blob.core.windows.net", 443)
    assert not azure.allows_host("blob.core.windows.net.evil.org", 443)
    assert not azure.allows_host(".blob.core.windows.net", 443)

    own, private = readable_hosts("http://localhost:7822")
    local = HrefPolicy(hosts=own, private_hosts=private)
    for name in ("localhost", "127.0.0.1", "::1"):
        assert local.allows_host(name, 7822)
        assert local.allows_private(name, 7822)
        assert not local.allows_host(name, 9000)
        assert not local.allows_private(name, 9000)
    plain = HrefPolicy(hosts=readable_hosts("http://localhost/stac")[0])
    assert [port for port in (80, 443, 6379) if plain.allows_host("localhost", port)] == [80]
    assert not local.allows_host("10.1.2.3", 80)
    assert readable_hosts("http://10.1.2.3/stac")[1] == ()
    assert readable_hosts(None) == ((), ())


def test_a_site_across_the_antimeridian(server: Server) -> None:
    api = Api(server)
    api.answers(
        lambda _: page(
            [
                item("east", west=-179.8, south=-17.0),
                item("west", west=179.4, south=-17.0),
                item("across", west=179.8, south=-17.0),
                item("far", west=100.0, south=-17.0),
            ]
        )
    )
    fiji = Site("fiji", "Fiji", box(179.5, -17.0, 180.5, -16.0))
    assert set(ids(ask(api, sites=[fiji]))) == {"east", "west", "across"}
    rings = [part[0] for part in api.searched()[-1].body["intersects"]["coordinates"]]
    assert sorted((min(x), max(x)) for x in ([xy[0] for xy in ring] for ring in rings)) == [
        (-180.0, -179.5),
        (179.5, 180.0),
    ]


@pytest.mark.parametrize(
    ("bbox", "inside"),
    [
        ([179.0, -18.0, -179.0, -16.0], True),
        ([179.0, -18.0, 0.0, -179.0, -16.0, 9.0], True),
        ([170.0, -18.0, 178.0, -16.0], False),
        (None, True),
        (["a", 1, 2, 3], True),
    ],
)
def test_footprints_by_their_box(bbox: Any, inside: bool) -> None:
    boxed = pystac.Item("a", None, bbox, START, {})
    assert touches(boxed, box(179.5, -17.0, 180.5, -16.0)) is inside


def test_a_fine_outline_is_sent_short_but_judged_as_it_is(server: Server) -> None:
    angles = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    radii = np.where(np.arange(2000) % 2, 0.01, 0.4)
    star = Polygon(np.column_stack([13 + radii * np.cos(angles), 54 + radii * np.sin(angles)]))
    api = Api(server)
    api.answers(lambda _: page([item("a")]))
    assert ids(ask(api, sites=[Site("star", "star", star)])) == ["a"]
    (ring,) = api.searched()[-1].body["intersects"]["coordinates"][0]
    assert len(ring) <= 1001


def test_of_several_processings_the_last_one_is_kept() -> None:
    common = {"platform": "sentinel-2a", "grid:code": "MGRS-33UUV"}
    old = item("old", **common, **{"s2:processing_baseline": "02.08"})
    new = item("new", **common, **{"s2:processing_baseline": "05.00"})
    other_tile = item(
        "tile", **(common | {"grid:code": "x"}), **{"s2:processing_baseline": "02.08"}
    )
    other_day = item("day", "2024-05-06", **common, **{"s2:processing_baseline": "02.08"})
    unknown = item("unknown", **common)
    second_strip = item("strip", **common, **{"s2:processing_baseline": "05.00"})
    items = [
        pystac.Item.from_dict(each)
        for each in (old, new, other_tile, other_day, unknown, second_strip)
    ]
    kept, left_out = without_older_processing(items)
    assert [each.id for each in left_out] == ["old"]
    assert len(kept) == 5


def test_nothing_needs_the_network_to_be_imported() -> None:
    code = "import groundbreak.catalog.presets as p, sys; sys.exit('pystac_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False)
    assert done.returncode == 0
