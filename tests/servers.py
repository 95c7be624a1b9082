"""Real http servers on the loopback for the tests of searching and reading."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Request:
    """What was asked: ``body`` is the parsed JSON of a POST."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """What is answered. ``cut`` bytes of the body are announced but not sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    @classmethod
    def of_json(cls, document: Any, status: int = 200) -> Reply:
        return cls(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def redirect(target: str) -> Reply:
    return Reply(302, headers={"Location": target})


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is part of the tests."""


class Server:
    """Answers by functions of the request; the longest path that fits counts.

    ``asked`` lists what was requested.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.routes: dict[str, Callable[[Request], Reply]] = {}
        self.asked: list[Request] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                request = Request(
                    self.command,
                    parts.path,
                    parts.query,
                    {k.lower(): v for k, v in self.headers.items()},
                    json.loads(body) if body else None,
                )
                outer.asked.append(request)
                reply = outer.reply(request)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                try:
                    self.wfile.write(reply.body[: len(reply.body) - reply.cut])
                except OSError:
                    self.close_connection = True
                if reply.cut:
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self._http = _QuietServer((host, 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self.port = self._http.server_port
        self.url = f"http://{host}:{self.port}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def reply(self, request: Request) -> Reply:
        for path in sorted(self.routes, key=len, reverse=True):
            if request.path.startswith(path):
                return self.routes[path](request)
        return Reply(404)

    def files(self, folder: Path, prefix: str = "/", parts: bool = True) -> None:
        """Serve a folder; without ``parts`` as a server that knows no ranges."""

        def serve(request: Request) -> Reply:
            path = folder / request.path.removeprefix(prefix)
            if not path.is_file():
                return Reply(404)
            return part_of(path.read_bytes(), request) if parts else Reply(200, path.read_bytes())

        self.routes[prefix] = serve


def part_of(data: bytes, request: Request) -> Reply:
    """The part that a range request asks for."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
    if asked is None:
        return Reply(200, data)
    start, stop = int(asked.group(1)), min(int(asked.group(2)) + 1, len(data))
    if start >= len(data):
        return Reply(416)
    told = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
    return Reply(206, data[start:stop], told)
