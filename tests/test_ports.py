"""A port of a rehearsal is its server's, between a stop and the next start, too."""

import socket

import pytest

from rehearsal.ports import free_port


def test_a_server_may_start_there_again_and_nobody_else_is_given_it():
    port = free_port()
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
