import socket

_kept: list[socket.socket] = []


def free_port() -> int:
    """Give a port on 127.0.0.1 that nobody else is given while this process lives: a server may stop and start on it.

    It stays bound, and nobody listens: who connects is refused. A server that names the port and allows its reuse, as
    they all do, may listen there; who asks the kernel for just any port gets another one.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # granian's way
    kept.bind(("127.0.0.1", 0))
    _kept.append(kept)
    return kept.getsockname()[1]
