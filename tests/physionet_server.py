"""A web server on this machine that serves a folder as PhysioNet does, and fails in the ways that servers and networks do."""

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

SLICE_BYTES = 4096  # so much is written at once
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"  # a proxy that a user has set does not lead to this machine


class PhysioNet:
    """Serves a folder while its `with` block runs; requests: (file name, first byte asked for), in order of arrival."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.requests: list[tuple[str, int]] = []
        self.connections = 0
        self.sent_bytes = 0
        self.fault: Callable[[str, int], Callable | None] = lambda name, visit: None  # visits are counted from 1
        self.after_slice: Callable[[int], None] = lambda sent_bytes: None  # called with all bytes sent so far
        self._visits, self._lock = Counter(), threading.Lock()

    def __enter__(self) -> "PhysioNet":
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.site = self
        self.host = f"127.0.0.1:{self._http.server_port}"
        self.url = f"http://{self.host}/files/ptb-xl/1.0.3/"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def visit(self, name: str, first: int) -> int:
        with self._lock:
            self.requests.append((name, first))
            self._visits[name] += 1
            return self._visits[name]

    def count(self, sent_bytes: int) -> None:
        with self._lock:
            self.sent_bytes += sent_bytes
        self.after_slice(self.sent_bytes)

    def times_asked(self, name: str) -> int:
        return sum(asked == name for asked, _ in self.requests)


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a connection that hangs does not hold up the end of the tests

    def process_request(self, request, client_address):
        self.site.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request, client_address):
        """Clients that are killed break off; that is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = unquote(urlsplit(self.path).path).removeprefix("/files/ptb-xl/1.0.3/")
        path = self.server.site.folder / name
        asked = self.headers.get("Range", "bytes=0-")
        first = int(asked.removeprefix("bytes=").removesuffix("-"))
        fault = self.server.site.fault(name, self.server.site.visit(name, first))
        if fault:
            fault(self, path, first)
        elif not path.is_file():
            self.answer(404)
        else:
            self.serve(path.read_bytes(), first)

    def serve(self, content: bytes, first: int = 0, stated: int | None = None, sent: int | None = None):
        """Answer with content from its first-th byte on; but state and send other lengths if told so."""
        if first and first >= len(content):
            return self.answer(416)
        body = content[first:]
        headers = {"Content-Length": len(body) if stated is None else stated}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self.answer(206 if first else 200, body[:sent], headers)

    def answer(self, status: int, body: bytes = b"", headers: dict | None = None):
        self.send_response(status)
        for header, value in ({"Content-Length": len(body)} | (headers or {})).items():
            self.send_header(header, str(value))
        self.end_headers()
        for start in range(0, len(body), SLICE_BYTES):
            self.wfile.write(body[start : start + SLICE_BYTES])
            self.server.site.count(len(body[start : start + SLICE_BYTES]))


# --- faults: each is called instead of an answer -------------------------------------


def break_off(at: float):
    """The connection is cut after this share of what was asked for."""

    def fault(handler, path, first):
        content = path.read_bytes()
        handler.serve(content, first, sent=int(at * (len(content) - first)))
        handler.close_connection = True

    return fault


def busy(status: int, retry_after: str | None = None):
    return lambda handler, path, first: handler.answer(status, headers={"Retry-After": retry_after} if retry_after else {})


def ignore_range(handler, path, first):
    handler.serve(path.read_bytes())


def ignore_range_and_break_off(at: float):
    return lambda handler, path, first: break_off(at)(handler, path, 0)


def answer_another_range(handler, path, first):
    """As a server would that counts from 1."""
    content = path.read_bytes()
    stated = {"Content-Range": f"bytes {first + 1}-{len(content) - 1}/{len(content)}"}
    handler.answer(206, content[first + 1 :], stated)


def wrong_byte(handler, path, first):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    handler.serve(bytes(content), first)


def cut_short(handler, path, first):
    """Half a file, stated as if it were the whole."""
    content = path.read_bytes()
    handler.serve(content[: len(content) // 2], first)


def unstated_and_cut_short(handler, path, first):
    """Half a file that ends with the connection: nothing tells the client that there is more."""
    content = path.read_bytes()
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def state_too_much(handler, path, first):
    content = path.read_bytes()
    handler.serve(content, first, stated=len(content) - first + 100)
    handler.close_connection = True


def hang(seconds: float):
    return lambda handler, path, first: time.sleep(seconds)


def redirect(address: str):
    return lambda handler, path, first: handler.answer(302, headers={"Location": address})


def say(text: str):
    """A page instead of the file, as networks do that want you to log in first."""
    return lambda handler, path, first: handler.answer(200, text.encode())


def write_checksums(folder: Path) -> None:
    """SHA256SUMS.txt of all files in a folder, as PhysioNet writes it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS.txt")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / "SHA256SUMS.txt").write_text("".join(lines))
