"""A web server on this machine that misbehaves in all the ways of the real ones."""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers by the table of its server."""

    protocol_version = "HTTP/1.1"
    server: "LocalWeb"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer properly, unless ``headers`` say otherwise; an empty one is left out."""
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(body))} | named).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer(self) -> None:
        web = self.server
        path = self.path.partition("?")[0]
        with web.guests():
            web.requests[f"{self.command} {path}"] += 1
            reply = web.replies.get(path)
            try:
                if reply is None:
                    self.send(404, b"<html>gone</html>")
                else:
                    reply(self)
            except OSError:  # the client has had enough
                self.close_connection = True


class LocalWeb(ThreadingHTTPServer):
    """A server whose replies are set by path. Use as a context."""

    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, Reply] = {}
        self.requests: Counter[str] = Counter()
        self.most_guests = 0
        self._guests = 0
        self._count = threading.Lock()
        self.ended = threading.Event()

    def __enter__(self) -> "LocalWeb":
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of these tests hang up; nobody needs to read of it."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def serve(self, path: str, reply: Reply) -> str:
        """Answer ``path`` by ``reply``; return its address."""
        self.replies[path] = reply
        return self.url(path)

    @contextmanager
    def guests(self) -> Iterator[None]:
        with self._count:
            self._guests += 1
            self.most_guests = max(self.most_guests, self._guests)
        try:
            yield
        finally:
            with self._count:
                self._guests -= 1


def content(body: bytes, **headers: str) -> Reply:
    """Answer with a body."""
    return lambda handler: handler.send(200, body, **headers)


def status(code: int, **headers: str) -> Reply:
    """Answer with a status and nothing else."""
    return lambda handler: handler.send(code, b"", **headers)


def redirect(target: str) -> Reply:
    """Send the guest elsewhere."""
    return status(302, Location=target)


def in_turn(*replies: Reply) -> Reply:
    """Answer by the first reply, then the second ...; the last stays."""
    rest = list(replies)
    return lambda handler: (rest.pop(0) if len(rest) > 1 else rest[0])(handler)


def endless(handler: Handler) -> None:
    """Send a body that never ends."""
    handler.send(200, b"", Content_Length="", Transfer_Encoding="chunked")
    block = b"10000\r\n" + b"\xff" * 0x10000 + b"\r\n"
    while not handler.server.ended.is_set():
        handler.wfile.write(block)


def dripping(handler: Handler) -> None:
    """Send a body so slowly that each byte is in time and the whole never is."""
    handler.send(200, b"", Content_Length="100000")
    while not handler.server.ended.is_set():
        handler.wfile.write(b"x")
        time.sleep(0.02)


def dripping_headers(handler: Handler) -> None:
    """Never come to an end of the headers."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.ended.is_set():
        handler.wfile.write(b"X-More: 1\r\n")
        time.sleep(0.02)


def hanging_up(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def cut(body: bytes) -> Reply:
    """Promise a whole body and send half of it."""

    def reply(handler: Handler) -> None:
        handler.send(200, body[: len(body) // 2], Content_Length=str(len(body)))
        handler.close_connection = True

    return reply


def gzip_bomb(num_bytes: int) -> Reply:
    """Send a small body that unpacks to ``num_bytes`` zeros."""
    return content(gzip.compress(bytes(num_bytes)), Content_Encoding="gzip")
