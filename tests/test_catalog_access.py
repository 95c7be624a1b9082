"""Reading assets from real http servers on the loopback."""

from __future__ import annotations

import io
import logging
import pickle
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from groundbreak.catalog.access import Access, AccessConfig
from groundbreak.catalog.client import Limits
from groundbreak.catalog.guard import check, is_public, redirected
from groundbreak.catalog.presets import Signing
from groundbreak.catalog.redact import for_file, for_message
from groundbreak.errors import HrefError, RasterError
from groundbreak.types import HrefPolicy
from servers import Reply, Request, Server, part_of, redirect

DATA = random.Random(11).randbytes(1_000_003)
LOOPBACK = HrefPolicy(hosts=("127.0.0.1",), private_hosts=("127.0.0.1",))
HASTY = Limits(connect_s=1.0, silence_s=1.0, total_s=3.0, attempts=3, backoff_s=0.02)


def config(**changes: Any) -> AccessConfig:
    return AccessConfig(**({"block": 1 << 14, "limits": HASTY, "signings": ()} | changes))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        running.routes["/data"] = lambda request: part_of(DATA, request)
        yield running


@pytest.fixture
def access() -> Iterator[Access]:
    with Access(LOOPBACK, config()) as opened:
        yield opened


# Bytes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [True, False], ids=["in parts", "whole"])
def test_any_piece_is_the_piece_of_the_file(server: Server, tmp_path: Path, parts: bool) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    server.files(tmp_path, "/files/", parts)
    draw = random.Random(5)
    with Access(LOOPBACK, config(cache=1 << 16, request=1 << 16)) as access:
        file = access.open(f"{server.url}/files/a.bin")
        assert file.seek(0, io.SEEK_END) == len(DATA)
        for _ in range(60):
            start, length = draw.randrange(len(DATA) + 10), draw.choice([1, 100, 20_000, 300_000])
            file.seek(start)
            assert file.read(length) == DATA[start : start + length]
            assert file.tell() == max(start, min(start + length, len(DATA)))
        file.seek(-10, io.SEEK_END)
        assert file.read() == DATA[-10:]
        file.seek(3)
        file.seek(4, io.SEEK_CUR)
        assert file.read(2) == DATA[7:9]
        assert file.error is None
    if not parts:
        assert len(server.asked) == 1


def test_what_was_read_is_not_asked_for_again(server: Server, access: Access) -> None:
    file = access.open(f"{server.url}/data")
    file.seek(100_000)
    file.read(50_000)
    asked = len(server.asked)
    again = access.open(f"{server.url}/data")
    again.seek(110_000)
    assert again.read(30_000) == DATA[110_000:140_000]
    assert len(server.asked) == asked
    assert again.tell() != file.tell()


def test_reading_on_asks_for_more_at_once(server: Server, access: Access) -> None:
    file = access.open(f"{server.url}/data")
    while file.read(4096):
        pass
    assert len(server.asked) < len(DATA) / (1 << 14) / 4
    assert file.error is None


def test_what_was_read_long_ago_is_forgotten(server: Server) -> None:
    with Access(LOOPBACK, config(cache=1 << 16)) as access:
        file = access.open(f"{server.url}/data")
        assert file.read() == DATA
        asked = len(server.asked)
        file.seek(len(DATA) - 10)
        assert file.read() == DATA[-10:]
        assert len(server.asked) == asked
        file.seek(0)
        assert file.read(10) == DATA[:10]
        assert len(server.asked) == asked + 1


def test_an_empty_file(server: Server, access: Access) -> None:
    server.routes["/empty"] = lambda request: part_of(b"", request)
    assert access.open(f"{server.url}/empty").read() == b""


def test_threads_may_share(server: Server, access: Access) -> None:
    def read(seed: int) -> bool:
        draw = random.Random(seed)
        file = access.open(f"{server.url}/data")
        for _ in range(20):
            start = draw.randrange(len(DATA))
            file.seek(start)
            if file.read(5000) != DATA[start : start + 5000]:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(8)))


def test_it_can_be_sent_to_another_process(server: Server, access: Access) -> None:
    access.open(f"{server.url}/data")
    with pickle.loads(pickle.dumps(access)) as copy:
        assert copy.open(f"{server.url}/data").read(10) == DATA[:10]
        with pytest.raises(HrefError):
            copy.open("http://10.0.0.1/a.tif")


# Trouble ---------------------------------------------------------------------------------------


def failing(times: int, reply: Reply) -> Callable[[Request], Reply]:
    """Gives ``reply`` so many times, then the data."""
    left = [times]

    def answer(request: Request) -> Reply:
        left[0] -= 1
        return reply if left[0] >= 0 else part_of(DATA, request)

    return answer


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(500),
        Reply(503, headers={"Retry-After": "0"}),
        Reply(429, headers={"Retry-After": "0.1"}),
        Reply(206, DATA[:16384], {"Content-Range": f"bytes 0-16383/{len(DATA)}"}, cut=5000),
        Reply(206, DATA[5:16389], {"Content-Range": f"bytes 5-16388/{len(DATA)}"}),
        Reply(206, DATA[:100], {"Content-Range": f"bytes 0-16383/{len(DATA)}"}),
    ],
    ids=["error", "busy", "too many", "cut off", "another part", "too short"],
)
def test_trouble_that_passes(server: Server, access: Access, trouble: Reply) -> None:
    server.routes["/data"] = failing(2, trouble)
    assert access.open(f"{server.url}/data").read(100) == DATA[:100]
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404), r"does not exist \(status 404\); search again"),
        (Reply(401), "needs credentials"),
        (Reply(403), "refuses access"),
        (Reply(500), r"has trouble \(status 500\) \(tried 3 times\); run it again later"),
        (Reply(429, headers={"Retry-After": "60"}), "asks to wait 60 s"),
    ],
)
def test_trouble_that_lasts(server: Server, access: Access, reply: Reply, said: str) -> None:
    server.routes["/data"] = lambda _: reply
    with pytest.raises(RasterError, match=said) as caught:
        access.open(f"{server.url}/data?key=secret")
    assert "secret" not in str(caught.value)


def test_a_slow_server(server: Server) -> None:
    def slow(_: Request) -> Reply:
        time.sleep(0.6)
        return Reply(500)

    server.routes["/data"] = slow
    started = time.monotonic()
    limits = Limits(silence_s=0.2, total_s=0.5, backoff_s=0.01)
    with (
        Access(LOOPBACK, config(limits=limits)) as access,
        pytest.raises(RasterError, match="did not answer in time"),
    ):
        access.open(f"{server.url}/data")
    assert time.monotonic() - started < 1.5


def test_a_read_that_fails_keeps_the_reason_and_asks_no_more(
    server: Server, access: Access
) -> None:
    file = access.open(f"{server.url}/data")
    server.routes["/data"] = lambda _: Reply(404)
    file.seek(500_000)
    assert file.read(10) == b""
    assert isinstance(file.error, RasterError)
    asked = len(server.asked)
    assert file.read(10) == b""
    assert len(server.asked) == asked


def test_a_file_that_changes_is_not_mixed(server: Server, access: Access) -> None:
    file = access.open(f"{server.url}/data")
    server.routes["/data"] = lambda request: part_of(DATA + b"!", request)
    file.seek(500_000)
    assert file.read(10) == b""
    assert "changed while it was read" in str(file.error)


def test_a_file_without_parts_has_a_limit(server: Server) -> None:
    server.routes["/data"] = lambda _: Reply(200, DATA)
    with (
        Access(LOOPBACK, config(whole=1000)) as access,
        pytest.raises(RasterError, match="is larger than"),
    ):
        access.open(f"{server.url}/data")


# Where one may read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "href",
    [
        "http://10.0.0.1/a.tif",
        "https://example.org/a.tif",
        "http://127.0.0.1.example.org/a.tif",
        "http://127.0.0.1@example.org/a.tif",
        "http://example.org\\@127.0.0.1/a.tif",
        "http://2130706433/a.tif",
        "ftp://127.0.0.1/a.tif",
        "file:///etc/passwd",
        "/vsicurl/http://127.0.0.1/a.tif",
        "http://[::1/a.tif",
        "http:///a.tif",
    ],
)
def test_other_places_are_refused(access: Access, href: str) -> None:
    with pytest.raises(HrefError):
        access.open(href)


def test_a_name_that_leads_to_a_private_address_is_refused(server: Server) -> None:
    href = f"http://localhost:{server.port}/data"
    with (
        Access(HrefPolicy(hosts=("localhost",)), config()) as access,
        pytest.raises(HrefError, match=r"private address.*--allow localhost"),
    ):
        access.open(href)
    assert server.asked == []
    allowed = HrefPolicy(hosts=("localhost",), private_hosts=(f"localhost:{server.port}",))
    with Access(allowed, config()) as access:
        assert access.open(href).read(5) == DATA[:5]


def test_a_name_that_changes_its_address_is_caught(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that tells a public address first, and then a private one."""
    real, told = socket.getaddrinfo, iter(["8.8.8.8"])

    def resolve(host: str, *args: Any, **kwargs: Any) -> Any:
        changing = host == "changing.example"
        return real(next(told, "127.0.0.1") if changing else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with (
        Access(HrefPolicy(hosts=("changing.example",)), config()) as access,
        pytest.raises(HrefError, match="private address"),
    ):
        access.open(f"http://changing.example:{server.port}/data")
    assert next(told, None) is None
    assert server.asked == []


def test_redirects_are_followed_only_where_one_may_read(server: Server, access: Access) -> None:
    with Server() as other:
        other.routes["/"] = lambda _: Reply(200, b"secret")
        for target, said in [
            (f"{other.url}/latest/meta-data", "another service on a private address"),
            (f"http://localhost:{other.port}/", "not on a host of this catalogue"),
            ("http://169.254.169.254/latest/meta-data", "not on a host of this catalogue"),
            ("file:///etc/passwd", "not an http"),
            ("//10.0.0.1/a.tif", "not on a host of this catalogue"),
        ]:
            server.routes["/moved"] = lambda _, target=target: redirect(target)
            with pytest.raises(HrefError, match=said):
                access.open(f"{server.url}/moved")
        assert other.asked == []
        named = (*LOOPBACK.private_hosts, f"127.0.0.1:{other.port}")
        server.routes["/moved"] = lambda _: redirect(f"{other.url}/a")
        with Access(HrefPolicy(hosts=named, private_hosts=named), config()) as allowed:
            assert allowed.open(f"{server.url}/moved").read() == b"secret"
    server.routes["/moved"] = lambda _: redirect("/data")
    assert access.open(f"{server.url}/moved").read(5) == DATA[:5]
    server.routes["/moved"] = lambda _: redirect("/moved")
    with pytest.raises(RasterError, match="redirects more than"):
        access.open(f"{server.url}/moved?again")


def test_a_redirect_may_not_give_up_encryption() -> None:
    policy = HrefPolicy(hosts=("192.0.2.1",))
    with pytest.raises(HrefError, match="not encrypted"):
        redirected("https://192.0.2.1/a", "http://192.0.2.1/a", policy)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("64:ff9b::808:808", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_private_address_that_a_catalogue_names_for_itself_is_refused() -> None:
    with pytest.raises(HrefError, match="private address"):
        check("http://169.254.169.254/a.tif", HrefPolicy(hosts=("169.254.169.254",)))


# Signatures ------------------------------------------------------------------------------------


class Storage:
    """A storage provider that serves who shows a token, and hands out tokens."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.valid: set[str] = set()
        self.lasts = timedelta(hours=1)
        self.signing = Signing("127.0.0.1", f"{server.url}/token/{{account}}/{{container}}")
        server.routes["/token/127/images"] = self.token
        server.routes["/images"] = self.file

    def token(self, _: Request) -> Reply:
        name = f"t{len(self.valid)}"
        self.valid.add(name)
        end = datetime.now(UTC) + self.lasts
        told = {"msft:expiry": end.isoformat().replace("+00:00", "Z"), "token": f"sig={name}&sp=r"}
        return Reply.of_json(told)

    def file(self, request: Request) -> Reply:
        signature = parse_qs(request.query).get("sig", ["none"])
        return part_of(DATA, request) if signature[0] in self.valid else Reply(403)

    def tokens_asked(self) -> int:
        return sum(each.path.startswith("/token") for each in self.server.asked)


@pytest.fixture
def storage(server: Server) -> Storage:
    return Storage(server)


def test_addresses_are_signed_when_they_are_read(storage: Storage) -> None:
    href = f"{storage.server.url}/images/a.tif"
    with Access(LOOPBACK, config(signings=(storage.signing,))) as access:
        assert access.open(href).read() == DATA
        access.open(f"{storage.server.url}/images/b.tif").read(10)
        assert storage.tokens_asked() == 1
        # An old signature in a catalogue is replaced.
        assert access.open(f"{href}?sig=expired&sp=r").read(5) == DATA[:5]


def test_a_token_that_was_withdrawn_is_had_anew(storage: Storage) -> None:
    with Access(LOOPBACK, config(signings=(storage.signing,))) as access:
        file = access.open(f"{storage.server.url}/images/a.tif")
        storage.valid = {"withdrawn"}
        file.seek(900_000)
        assert file.read(10) == DATA[900_000:900_010]
        assert storage.tokens_asked() == 2


def test_a_token_is_renewed_before_it_expires(storage: Storage) -> None:
    storage.lasts = timedelta(seconds=121.3)
    with Access(LOOPBACK, config(signings=(storage.signing,))) as access:
        file = access.open(f"{storage.server.url}/images/a.tif")
        time.sleep(1.4)
        file.seek(900_000)
        file.read(10)
        assert file.error is None
        assert storage.tokens_asked() == 2


def test_what_nobody_signs_for_is_read_as_it_is(storage: Storage) -> None:
    url = storage.server.url
    with Access(LOOPBACK, config(signings=(storage.signing,))) as access:
        assert access.open(f"{url}/data").read(5) == DATA[:5]  # its container has no token: 404
        storage.server.routes["/token/127/images"] = lambda _: Reply(404)
        with pytest.raises(RasterError, match="refuses access"):
            access.open(f"{url}/images/a.tif")


def test_threads_wait_for_one_token(storage: Storage) -> None:
    give = storage.token

    def slowly(request: Request) -> Reply:
        time.sleep(0.2)
        return give(request)

    storage.server.routes["/token/127/images"] = slowly
    with Access(LOOPBACK, config(signings=(storage.signing,))) as access:
        threads = [
            threading.Thread(target=access.open, args=(f"{storage.server.url}/images/{i}.tif",))
            for i in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert storage.tokens_asked() == 1


def test_signatures_stay_out_of_logs_and_messages(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{storage.server.url}/images/a.tif"
    with Access(LOOPBACK, config(signings=(storage.signing,))) as access:
        file = access.open(url)
        server = storage.server
        server.routes["/images"] = lambda request: Reply(500)
        file.seek(900_000)
        file.read(10)
    assert "/images/a.tif" in caplog.text  # the requests are logged, but
    assert "sig=" not in caplog.text
    assert "sig=" not in f"{file.error!r}{file.error.__cause__!r}{file.error.__context__!r}"


@pytest.mark.parametrize(
    ("signed", "plain"),
    [
        ("https://a.org/x.tif", "https://a.org/x.tif"),
        ("https://a.org/x.tif?format=cog&v=2", "https://a.org/x.tif?format=cog&v=2"),
        ("https://me:pass@a.org:8443/x.tif", "https://a.org:8443/x.tif"),
        ("https://a.org/x?sv=1&se=2&sr=c&sp=r&sig=abc%3D&v=2", "https://a.org/x?v=2"),
        ("https://a.org/x?X-Amz-Signature=abc&X-Amz-Expires=60", "https://a.org/x"),
        ("https://a.org/x?Expires=1&Signature=s&Key-Pair-Id=k", "https://a.org/x"),
        ("https://a.org/x?api_key=abc&page=1", "https://a.org/x?page=1"),
        ("https://a.org/x?st=2024&sp=ok", "https://a.org/x?st=2024&sp=ok"),
        ("s3://bucket/x.tif", "s3://bucket/x.tif"),
        ("folder/x.tif?", "folder/x.tif?"),
    ],
)
def test_addresses_for_files_carry_no_secrets(signed: str, plain: str) -> None:
    assert for_file(signed) == plain


def test_addresses_for_messages_carry_no_query() -> None:
    assert for_message("https://me:pass@a.org/x.tif?sig=abc#f") == "https://a.org/x.tif"
    assert for_message("http://[bad?sig=abc") == "http://[bad"
