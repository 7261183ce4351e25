"""Ports of this machine's loopback."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


def free_port() -> int:
    """A port at which nobody listens."""
    with taken_port() as port:
        return port


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that is taken for the time of a block."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]
