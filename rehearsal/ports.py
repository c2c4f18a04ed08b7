import socket


def free_port() -> int:
    """Give a port that nobody listens on; nobody else is told of it for a good while, as the kernel goes round."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
