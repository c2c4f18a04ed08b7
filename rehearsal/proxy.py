"""A TCP proxy that fails as networks and services do: it refuses, stalls, cuts, or answers in the service's place."""

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

# What a rule may do with a request other than answer it itself.
FORWARD, STALL, CUT, LOSE_ANSWER = "forward", "stall", "cut", "lose the answer"


def answer(status: str, body: dict) -> bytes:
    """Build the answer of an SQS that speaks JSON; an error names itself in a header, too."""
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(content)}\r\n"
        "x-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n\r\n"
    )
    return head.encode() + content


def error(status: str, code: str, message: str = "as the test wants it") -> bytes:
    return answer(status, {"__type": f"com.amazonaws.sqs#{code}", "message": message})


class Proxy:
    """Stand before a server on 127.0.0.1 or on a Unix socket.

    `rule(action, body)` decides on each HTTP request by its SQS action ("SendMessageBatch") and body: it returns one
    of the four words above or the bytes to answer. It runs in the connection's thread, so it may kill a process or
    wait. Without a rule bytes are only passed on, whatever the protocol.
    """

    def __init__(self, upstream: tuple[str, int] | str):
        self.upstream = upstream
        self.rule: Callable[[str, dict], str | bytes] | None = None
        self.seen = Counter()  # SQS actions that were asked for
        self.connections = 0
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.listen()

    # --- What a test does to it -------------------------------------------------------------------

    def listen(self) -> None:
        """Accept connections, again on the same port after refuse()."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections and cut those that are open, as a server that has died does."""
        if self._listener:
            # close() alone would leave accept() waiting, and the port open.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Reset the connections that are open."""
        with self._changed:
            connections, self._open = self._open, set()
        for connection in connections:
            _reset(connection)

    def wait_for(self, action: str, times: int = 1, seconds: float = 30) -> None:
        """Return once `action` has been asked for so many times since the proxy began."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.seen[action] >= times, seconds):
                raise AssertionError(f"{action} came {self.seen[action]} times in {seconds} s, not {times}")

    # --- How it does it ---------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            _reset(client)
            return
        with self._changed:
            self._open |= {client, server}
        threading.Thread(target=_pump, args=(server, client), daemon=True).start()
        self._requests(client, server)
        with self._changed:
            self._open -= {client, server}
        _reset(client)
        _reset(server)

    def _connect(self) -> socket.socket:
        if isinstance(self.upstream, tuple):
            return socket.create_connection(self.upstream)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.upstream)
        return server

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the client says, request by request where there is SQS in it."""
        try:
            while data := client.recv(65536):
                while missing := _missing(data):
                    if not (more := client.recv(missing)):
                        return  # The client has given up in the middle.
                    data += more
                action, body = _sqs(data)
                with self._changed:
                    self.seen[action] += 1
                    self._changed.notify_all()
                decision = self.rule(action, body) if self.rule else FORWARD
                if decision == CUT:
                    return
                if decision == STALL:
                    continue  # Read on, say nothing: until the client has had enough.
                if decision == LOSE_ANSWER:
                    other = self._connect()
                    other.sendall(data)
                    other.recv(65536)  # The service has done it.
                    other.close()
                    return
                if isinstance(decision, bytes):
                    client.sendall(decision)
                else:
                    server.sendall(data)
        except OSError:
            return


def _missing(data: bytes) -> int:
    """Count the bytes that a request of HTTP still lacks; of anything else none."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not re.match(rb"[A-Z]+ \S+ HTTP/1\.1\r\n", data):
        return 0
    if not end:
        return 65536
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return max(0, int(length[1]) - len(body)) if length else 0


def _sqs(data: bytes) -> tuple[str, dict]:
    head, _, body = data.partition(b"\r\n\r\n")
    target = re.search(rb"(?i)\r\nx-amz-target: *AmazonSQS\.(\w+)", head)
    return (target[1].decode(), json.loads(body)) if target else ("", {})


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _reset(sink)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
