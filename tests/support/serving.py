"""A server on this machine's loopback that answers as told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What a server sends.

    Args:
        address: Of the server, without a slash at its end.
        files: Content by path.
        redirects: Whole addresses by path.
        promised: How many bytes a path's answer is said to have, where not as many as it has;
            None says nothing of them.
        silent: Paths that are never answered; set it to let go of those who wait.
        asked: The paths that were asked for.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    promised: dict[str, int | None] = field(default_factory=dict)
    silent: dict[str, threading.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"{self.address}{path}"


@contextmanager
def serving() -> Iterator[Site]:
    """Serve for the time of a block."""
    site = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            if self.path in site.silent:
                site.silent[self.path].wait(30)
                return
            content = site.files.get(self.path, b"")
            to = site.redirects.get(self.path)
            self.send_response(302 if to else 200 if self.path in site.files else 404)
            if to:
                self.send_header("Location", to)
            length = site.promised.get(self.path, len(content))
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        for event in site.silent.values():
            event.set()
        server.shutdown()
        server.server_close()
