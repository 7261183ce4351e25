"""From what a user names, a path, a URL or published weights, to a file on this machine."""

import os
import re
import shutil
import uuid
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

from .published import SCHEME, find_published

_TIMEOUT = 60  # seconds without an answer
_INSTEAD = (
    "Download it elsewhere and give its path: --cfg-options "
    "model.backbone.init_cfg.checkpoint=FILE; or train from scratch: --cfg-options "
    "model.backbone.init_cfg=None"
)


def resolve_source(source: str | Path) -> Path:
    """Turn a path, a URL, or ``mmfastervit://NAME`` of published weights, into a local file.

    URLs are downloaded once, to PyTorch's hub folder. Every process of a distributed run must call
    this: the first downloads, the others wait, and its failure is the failure of all.

    Raises:
        ValueError: ``NAME`` is not a published one; the message lists them.
        FileNotFoundError: No such file, or it could not be downloaded; says what to do instead.
    """
    source = str(source)
    if source.startswith(SCHEME):
        published = find_published(source.removeprefix(SCHEME))
        print_log(f"{source}: its authors allow {published.licence}", logger="current")
        source = published.url
    if re.match(r"https?://", source):
        return _cached(source)
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint file {source!r}")
    return path


def _cached(url: str) -> Path:
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    failure = [_ensure(url, path) if is_main_process() else None]
    broadcast_object_list(failure)
    # On another machine, with a disk of its own, the first process's file is not there.
    failed = failure[0] or _ensure(url, path)
    if failed:
        raise FileNotFoundError(f"could not download {url} ({failed}). {_INSTEAD}")
    return path


def _ensure(url: str, path: Path) -> str | None:
    """Download ``url`` unless ``path`` is there; return what went wrong, if anything."""
    if path.is_file():
        return None
    try:
        print_log(f"downloading {url} to {path}", logger="current")
        _download(url, path)
    except Exception as error:  # whatever it is, the processes that wait must hear of it
        return f"{type(error).__name__}: {error}"
    return None


def _download(url: str, path: Path) -> None:
    """Download to a file beside ``path`` and move it there once it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    request = Request(url, headers={"User-Agent": "mmfastervit"})
    try:
        with urlopen(request, timeout=_TIMEOUT) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file, 2**20)
            size, expected = file.tell(), answer.headers["Content-Length"]
        if expected is not None and size != int(expected):
            raise OSError(f"the connection broke after {size} of {expected} bytes")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
