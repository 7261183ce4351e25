"""From what a user names, a path, a URL or published weights, to a file on this machine."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import HTTPRedirectHandler, Request, build_opener

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

from mmfastervit.files import sha256_of, written_whole

from .published import HUB, SCHEME, find_published

_TIMEOUT = 60  # seconds without an answer
_INSTEAD = (
    "Download it elsewhere and give its path: --cfg-options "
    "model.backbone.init_cfg.checkpoint=FILE; or train from scratch: --cfg-options "
    "model.backbone.init_cfg=None"
)


class StaysSecure(HTTPRedirectHandler):
    """Follow redirects, but from https to https alone."""

    def redirect_request(self, req: Request, *answer: Any) -> Request | None:
        """Refuse the new URL, which comes last, where it is less secure than the old one."""
        if req.type == "https" and urlparse(answer[-1]).scheme != "https":
            raise OSError(f"redirected from https to {answer[-1]}")
        return super().redirect_request(req, *answer)


open_url = build_opener(StaysSecure).open


def resolve_source(source: str | Path) -> Path:
    """Turn a path, a URL, or ``mmfastervit://NAME`` of published weights, into a local file.

    URLs are downloaded once, to PyTorch's hub folder. ``#sha256=<64 hexadecimal digits>`` at the
    end of one has the file checked, that which is there already as well.

    Every process of a distributed run must call this, and so whatever calls it: for a URL the first
    downloads, the others wait, and its failure is the failure of all.

    Raises:
        ValueError: ``NAME`` is not a published one (the message lists them), or no such hash.
        FileNotFoundError: No such file, or it could not be downloaded; says what to do instead.
    """
    source = str(source)
    if source.startswith(SCHEME):
        published = find_published(source.removeprefix(SCHEME))
        unchecked = "" if published.sha256 else "; its hash is not known, so it is not checked"
        print_log(f"{source}: its authors allow {published.licence}{unchecked}", logger="current")
        return _cached(published.url, published.sha256)
    if re.match(r"https?://", source):
        url, has_hash, sha256 = source.partition("#sha256=")
        if has_hash and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise ValueError(
                f"{url}: sha256= must be followed by 64 hexadecimal digits, not {sha256}"
            )
        return _cached(url, sha256.lower() or None)
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint file {source!r}")
    return path


def _place(url: str) -> Path:
    """Where a URL's file is kept: a folder for each, as many files of a name are about.

    Those of the published hub stand under their names alone, where other programs look for them.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    if not url.startswith(f"{HUB}/"):
        folder = folder / "mmfastervit" / hashlib.sha256(url.encode()).hexdigest()[:16]
    return folder / Path(urlparse(url).path).name


def _cached(url: str, sha256: str | None) -> Path:
    path = _place(url)
    failure = [_ensure(url, path, sha256) if is_main_process() else None]
    broadcast_object_list(failure)
    # On another machine, with a disk of its own, the first process's file is not there.
    failed = failure[0] or (None if is_main_process() else _ensure(url, path, sha256))
    if failed:
        raise FileNotFoundError(f"could not download {url} ({failed}). {_INSTEAD}")
    return path


def _ensure(url: str, path: Path, sha256: str | None) -> str | None:
    """Download ``url`` unless ``path`` holds it; return what went wrong, if anything."""
    try:
        if path.is_file() and (sha256 is None or sha256_of(path) == sha256):
            return None
        print_log(f"downloading {url} to {path}", logger="current")
        _download(url, path, sha256)
    except Exception as error:  # whatever it is, the processes that wait must hear of it
        return f"{type(error).__name__}: {error}"
    return None


def _download(url: str, path: Path, sha256: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    request = Request(url, headers={"User-Agent": "mmfastervit"})
    with written_whole(path) as part:
        with open_url(request, timeout=_TIMEOUT) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file, 2**20)
            size, expected = file.tell(), answer.headers["Content-Length"]
        if expected is not None and size != int(expected):
            raise OSError(f"the connection broke after {size} of {expected} bytes")
        if sha256 and (found := sha256_of(part)) != sha256:
            raise OSError(f"its SHA-256 is {found} instead of {sha256}")
