"""The proxy passes what it shall pass byte for byte, and fails as its plan says."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.durability.proxy import (
    Fault,
    Plan,
    Proxy,
    Request,
    Waits,
    running_proxy,
    scripted,
    seeded,
)

BODY = bytes(range(256)) * 1000


class Handler(BaseHTTPRequestHandler):
    """Objects by path, as they were put. A path that ends in /chunked is told in chunks, one in
    /until-end until the connection ends."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str], bytes]]
    objects: dict[str, bytes]

    def do_GET(self) -> None:
        found = self.objects.get(self.path, b"nothing")
        self._note(b"")
        self.send_response(200)
        if self.path.endswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(found), 100_000):
                piece = found[start : start + 100_000]
                self.wfile.write(b"%x;name=value\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\nTrailer: told\r\n\r\n")
        elif self.path.endswith("/until-end"):
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(found)
        else:
            self._tell(found)

    def do_HEAD(self) -> None:
        self._note(b"")
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.objects.get(self.path, b"nothing"))))
        self.end_headers()

    def do_PUT(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self._note(body)
        self.objects[self.path] = body
        self.send_response(200)
        self._tell(b"")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""

    def _tell(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _note(self, body: bytes) -> None:
        self.seen.append((self.command, self.path, dict(self.headers.items()), body))


class Server(ThreadingHTTPServer):
    """With what its handlers have seen."""

    def __init__(self) -> None:
        self.handler: type[Handler] = type("Own", (Handler,), {"seen": [], "objects": {}})
        super().__init__(("127.0.0.1", 0), self.handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that the proxy ends is no news."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    waits = Waits(delay_s_min=0.0, delay_s_max=0.001, stall_s=0.2)
    with running_proxy(f"http://127.0.0.1:{server.server_port}", waits=waits) as found:
        yield found


@pytest.fixture
def client(proxy: Proxy) -> Iterator[http.client.HTTPConnection]:
    at = urlsplit(proxy.url)
    assert at.hostname is not None
    with contextlib.closing(http.client.HTTPConnection(at.hostname, at.port, timeout=10)) as found:
        yield found


def ask(client: http.client.HTTPConnection, path: str = "/a", method: str = "GET") -> bytes:
    client.request(method, path)
    return client.getresponse().read()


def test_requests_of_one_connection_pass_one_after_the_other(
    server: Server, proxy: Proxy, client: http.client.HTTPConnection
) -> None:
    client.request("PUT", "/a?x=%20y", BODY, {"X-Signed": "as it was"})
    client.getresponse().read()
    kept = client.sock
    assert ask(client, "/a?x=%20y") == BODY
    assert ask(client, "/a?x=%20y", "HEAD") == b""
    assert ask(client, "/other") == b"nothing"
    assert client.sock is kept
    command, path, headers, body = server.handler.seen[0]
    assert (command, path, body) == ("PUT", "/a?x=%20y", BODY)
    assert headers["X-Signed"] == "as it was"
    assert headers["Host"] == urlsplit(proxy.url).netloc  # what the client has signed
    assert proxy.counts == {"requests": 4}


def test_bodies_in_chunks_pass(server: Server, client: http.client.HTTPConnection) -> None:
    pieces = [BODY[:70_000], BODY[70_000:]]
    client.request("PUT", "/a/chunked", iter(pieces), encode_chunked=True)
    client.getresponse().read()
    assert ask(client, "/a/chunked") == BODY
    assert server.handler.seen[0][3] == BODY


def test_a_body_that_ends_with_the_connection_passes(
    server: Server, client: http.client.HTTPConnection
) -> None:
    server.handler.objects["/a/until-end"] = BODY
    assert ask(client, "/a/until-end") == BODY


def test_a_client_that_waits_to_be_asked_for_the_body_is_asked(
    server: Server, proxy: Proxy
) -> None:
    at = urlsplit(proxy.url)
    head = f"PUT /a HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Length: 4\r\n"
    with socket.create_connection((at.hostname, at.port), timeout=10) as client:
        client.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert server.handler.objects["/a"] == b"body"


@pytest.mark.parametrize(
    ("fault", "reached"),
    [(Fault.DROP, False), (Fault.LOSE_REPLY, True)],
)
def test_a_connection_ends_before_or_after_the_server_did_it(
    server: Server,
    proxy: Proxy,
    client: http.client.HTTPConnection,
    fault: Fault,
    reached: bool,
) -> None:
    proxy.plan = scripted([fault])
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        ask(client)
    assert len(server.handler.seen) == reached
    client.close()
    assert ask(client) == b"nothing"
    assert proxy.counts == {"requests": 2, fault.name.lower(): 1}


def test_a_reply_is_cut_within_its_body(
    server: Server, proxy: Proxy, client: http.client.HTTPConnection
) -> None:
    server.handler.objects["/a"] = BODY
    proxy.plan = scripted([Fault.CUT_REPLY])
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(client)
    assert BODY.startswith(caught.value.partial)
    assert 0 < len(caught.value.partial) < len(BODY)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.SLOW_DOWN, (503, b"SlowDown")),
        (Fault.CONFLICT, (409, b"ConditionalRequestConflict")),
        (Fault.EXPIRED, (403, b"ExpiredToken")),
    ],
)
def test_refusals_are_answered_without_the_server(
    server: Server,
    proxy: Proxy,
    client: http.client.HTTPConnection,
    fault: Fault,
    told: tuple[int, bytes],
) -> None:
    proxy.plan = scripted([fault])
    client.request("PUT", "/a", b"body", {"If-None-Match": "*"})
    answer = client.getresponse()
    assert answer.status == told[0]
    assert b"<Code>%b</Code>" % told[1] in answer.read()
    assert server.handler.seen == []
    assert ask(client) == b"nothing"  # on the same connection


@pytest.mark.parametrize("fault", [Fault.DELAY_REQUEST, Fault.DELAY_REPLY])
def test_what_is_late_still_comes(
    proxy: Proxy, client: http.client.HTTPConnection, fault: Fault
) -> None:
    proxy.plan = scripted([fault])
    assert ask(client) == b"nothing"
    assert proxy.counts[fault.name.lower()] == 1


@pytest.mark.parametrize("fault", [Fault.STALL_REQUEST, Fault.STALL_REPLY])
def test_a_stalled_request_reaches_the_server_although_its_client_has_given_up(
    server: Server, proxy: Proxy, client: http.client.HTTPConnection, fault: Fault
) -> None:
    proxy.plan = scripted([fault])
    client.timeout = 0.02
    with pytest.raises(TimeoutError):
        ask(client)
    client.close()
    client.timeout = 10
    while "/a" not in {path for _, path, _, _ in server.handler.seen}:
        assert ask(client, "/other") == b"nothing"


def request(method: str, **headers: str) -> Request:
    return Request(method=method, target="/a", headers=headers, data=b"")


def drawn(plan: Plan, count: int) -> list[Fault | None]:
    conditional = Request(method="PUT", target="/a", headers={"if-none-match": "*"}, data=b"")
    return [plan(conditional) for _ in range(count)]


def test_a_seed_gives_the_same_faults_again() -> None:
    chances = {Fault.DROP: 0.2, Fault.CONFLICT: 0.3}
    found = drawn(seeded(random.Random(7), chances), 1000)
    assert found == drawn(seeded(random.Random(7), chances), 1000)
    assert found != drawn(seeded(random.Random(8), chances), 1000)
    assert 150 < found.count(Fault.DROP) < 250
    assert 250 < found.count(Fault.CONFLICT) < 350


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_only_conditional_puts_meet_conflicts(method: str) -> None:
    plan = seeded(random.Random(7), {Fault.CONFLICT: 1.0})
    assert plan(request(method)) is None


def test_a_server_that_is_not_there_ends_the_connection(proxy: Proxy, server: Server) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with running_proxy(f"http://127.0.0.1:{nobody.getsockname()[1]}") as lonely:
            at = urlsplit(lonely.url)
            assert at.hostname is not None
            client = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
            with pytest.raises(http.client.RemoteDisconnected):
                ask(client)
            client.close()
