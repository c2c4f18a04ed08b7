"""A light HTTP client, so that those who buy take little of the cores they share with the shop."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

SECONDS = 120  # for an answer: a benchmark ends, whatever hangs


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case; of several with one name the last
    body: bytes


class Connection(asyncio.Protocol):
    """Ask one thing at a time over one kept connection, as each of a browser's does."""

    def __init__(self):
        self._data = bytearray()
        self._answer: asyncio.Future | None = None

    @classmethod
    async def open(cls, port: int) -> "Connection":
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport):
        self._transport = transport

    def close(self) -> None:
        self._transport.close()

    async def ask(self, request: bytes) -> Answer:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(SECONDS):
            return await self._answer

    def data_received(self, data):
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start, status = end + 4, int(first.split(" ", 2)[1])
        if headers.get("transfer-encoding") == "chunked":
            if not self._data.endswith(b"0\r\n\r\n"):
                return
            length, body = len(self._data) - start, _joined(self._data[start:])
        else:
            length = 0 if status == 304 else int(headers["content-length"])
            body = bytes(self._data[start : start + length])
        if len(self._data) >= start + length:
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            del self._data[: start + length]
            self._answer.set_result(Answer(status, headers, body))

    def connection_lost(self, error):
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server has hung up"))


def _joined(chunks: bytearray) -> bytes:
    body = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        body, chunks = body + chunks[: int(size, 16)], chunks[int(size, 16) + 2 :]
    return body


def get(path: str, *headers: str) -> bytes:
    return _request("GET", path, headers)


def post(path: str, body: str, media_type: str, *headers: str) -> bytes:
    return _request("POST", path, (*headers, f"Content-Type: {media_type}"), body.encode())


def _request(method: str, path: str, headers, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


# --- Load -----------------------------------------------------------------------------------------
# An `ask` asks over a connection and returns the status it was answered with.
Ask = Callable[[Connection], Awaitable[int]]


async def closed_loop(port: int, ask: Ask, clients: int, requests: int) -> list[tuple[int, float]]:
    """Let each of `clients` ask as soon as it is answered; return status and wait in milliseconds of each request."""
    answers, left = [], iter(range(requests))

    async def client():
        connection = await Connection.open(port)
        for _ in left:
            began = time.perf_counter()
            status = await ask(connection)
            answers.append((status, (time.perf_counter() - began) * 1000))
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


async def open_loop(port: int, ask: Ask, rate: float, seconds: float) -> list[tuple[int, float]]:
    """Ask `rate` times a second, however long answers take; a wait begins when its request was due, sent or not."""
    answers, idle = [], []
    start = time.perf_counter()

    async def client(due: float):
        connection = idle.pop() if idle else await Connection.open(port)
        status = await ask(connection)
        answers.append((status, (time.perf_counter() - due) * 1000))
        idle.append(connection)

    async with asyncio.TaskGroup() as tasks:
        for number in range(round(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(0, due - time.perf_counter()))
            tasks.create_task(client(due))
    for connection in idle:
        connection.close()
    return answers
