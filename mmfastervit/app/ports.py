"""Whether a page can be served at a port of this machine."""

import socket

HOST = "127.0.0.1"
FIRST = 7860  # where the search for a free port begins


def check_port(port: int) -> None:
    """Look whether a port is free.

    Raises:
        ValueError: There is no such port.
        OSError: It is taken, or needs rights that this process has not.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"--port must be from 1 to 65535, not {port}")
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise OSError(not_free(port, error.strerror or str(error))) from error


def not_free(port: int | None, why: str) -> str:
    """What to say of a port that can't be had; of None, that no port can."""
    if port is None:
        return f"no port from {FIRST} on is free: name one that is by --port"
    return (
        f"port {port} of this machine can't be had ({why}): give another --port, or none for the "
        f"first free one from {FIRST} on"
    )
