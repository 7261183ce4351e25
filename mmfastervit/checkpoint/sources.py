"""From what a user names, a path, a URL or published weights, to a file on this machine."""

import hashlib
import os
import re
import time
from http.client import HTTPMessage
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse
from urllib.request import HTTPRedirectHandler, Request, build_opener

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

from mmfastervit.files import sha256_of, written_whole

from .formats import POINTER, SHARDED, is_of_torch, is_safetensors
from .published import HUB, SCHEME, find_published
from .zoos import zoo_address

TIMEOUT = 60  # seconds without an answer, and in which at least one portion must come
ALLOW_HTTP = "MMFASTERVIT_ALLOW_HTTP"  # environment variable: 1 has http:// addresses downloaded
_PORTION = 2**16  # bytes
_CONTENT_HASH = re.compile(r"-([0-9a-f]{8,64})\.")  # in the names of torch's and OpenMMLab's files
_SHOWN = 5  # files beside one that is not there
_INSTEAD = (
    "Download it elsewhere and give its path, for a backbone by --cfg-options "
    "model.backbone.init_cfg.checkpoint=FILE; or train from scratch: --cfg-options "
    "model.backbone.init_cfg=None"
)


class StaysSecure(HTTPRedirectHandler):
    """Follow redirects, but to https alone, or from http to http."""

    def redirect_request(self, req: Request, *answer: Any) -> Request | None:
        """Refuse the new URL, which comes last, where it is less secure than the old one."""
        scheme = urlparse(answer[-1]).scheme
        if scheme != "https" and (scheme, req.type) != ("http", "http"):
            raise OSError(f"redirected from {req.type} to {answer[-1]}")
        return super().redirect_request(req, *answer)


open_url = build_opener(StaysSecure).open


def resolve_source(source: str | Path) -> Path:
    """Turn a path, a URL, or the name of published weights, into a local file.

    Such names are ``mmfastervit://NAME`` and those of mmengine: ``torchvision://NAME``,
    ``open-mmlab://NAME``, ``mmcls://NAME``. URLs are downloaded once, to PyTorch's hub folder.
    ``#sha256=<64 hexadecimal digits>`` at the end of any has the file checked, that which is there
    already as well. A folder of a run stands for its best checkpoint where there is just one that
    is called so, and else for its last; which one that is goes to the log.

    Every process of a distributed run must call this, and so whatever calls it: for a URL the first
    downloads, the others wait, and its failure is the failure of all.

    Raises:
        ValueError: ``NAME`` is not a published one (the message lists them), no such hash, or a URL
            of http where :data:`ALLOW_HTTP` is not set.
        FileNotFoundError: No such file, or it could not be downloaded; says what to do instead.
    """
    name, sha256 = _split_hash(str(source))
    if name.startswith(SCHEME):
        published = find_published(name.removeprefix(SCHEME))
        sha256 = sha256 or published.sha256
        unchecked = "" if sha256 else "; its hash is not known, so it is not checked"
        print_log(f"{name}: its authors allow {published.licence}{unchecked}", logger="current")
        return _cached(published.url, sha256)
    address = zoo_address(name)
    if re.match(r"https?://", address):
        return _cached(address, sha256)
    path = Path(address).expanduser()
    if path.is_dir() and (chosen := checkpoint_of_run(path)):
        print_log(f"{path}: the checkpoint {chosen.name} is taken", logger="current")
        return chosen
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint file {str(source)!r}{_why_not(path)}")
    return path


def checkpoint_of_run(folder: Path) -> Path | None:
    """The checkpoint that a run's folder stands for, or None where it has none."""
    best = list(folder.glob("best_*.pth"))
    if len(best) == 1:
        return best[0]
    pointer = folder / POINTER
    if not pointer.is_file():
        return None
    last = folder / Path(pointer.read_text(encoding="utf-8").strip()).name
    return last if last.is_file() else None


def _split_hash(source: str) -> tuple[str, str | None]:
    """Part what a user names from the hash behind it, in small letters."""
    if "://" not in source:
        return source, None
    name, has_hash, sha256 = source.partition("#sha256=")
    if has_hash and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"{name}: sha256= must be followed by 64 hexadecimal digits, not {sha256}")
    return name, sha256.lower() or None


def _why_not(path: Path) -> str:
    if path.is_dir():
        if path.suffix == SHARDED:
            return (
                ": it is a folder, of a checkpoint in shards: make one file of it by "
                "`mmfastervit gather`"
            )
        return f": it is a folder, in which no file {POINTER} of a run names one"
    beside = sorted(path.parent.glob("*.pth"), key=lambda file: -file.stat().st_mtime)
    if not beside:
        return ""
    names = ", ".join(file.name for file in beside[:_SHOWN])
    return f": in {path.parent} there are {names}{', ...' if len(beside) > _SHOWN else ''}"


def _place(url: str) -> Path:
    """Where a URL's file is kept: a folder for each, as many files of a name are about.

    Those of the published hub stand under their names alone, where other programs look for them. So
    do files whose name holds the beginning of their hash, if one is there already and has it.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    name = re.sub(r"[^\w.+-]", "_", Path(urlparse(url).path).name).lstrip(".") or "download"
    shared, digits = folder / name, _CONTENT_HASH.search(name)
    if url.startswith(f"{HUB}/"):
        return shared
    if digits and shared.is_file() and sha256_of(shared).startswith(digits[1]):
        return shared
    return folder / "mmfastervit" / hashlib.sha256(url.encode()).hexdigest()[:16] / name


def _cached(url: str, sha256: str | None) -> Path:
    if url.startswith("http:") and os.environ.get(ALLOW_HTTP) != "1":
        raise ValueError(
            f"{url} is not downloaded: over http anybody on the way can change a file. Give an "
            "address of https, or a file (docs/troubleshooting.md, Downloads)"
        )
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
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _download(url: str, path: Path, sha256: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    request = Request(url, headers={"User-Agent": "mmfastervit"})
    with written_whole(path) as part:
        with open_url(request, timeout=TIMEOUT) as answer, part.open("wb") as file:
            _copy(answer, file)
            _check_length(answer.headers, file.tell(), sha256)
        if sha256 and (found := sha256_of(part)) != sha256:
            raise OSError(f"its SHA-256 is {found} instead of {sha256}")
        if not (is_of_torch(part) or is_safetensors(part)):
            raise OSError("what came is no whole checkpoint file; perhaps a page that says why")


def _copy(answer: BinaryIO, file: BinaryIO) -> None:
    """Copy what a server sends; end where it sends next to nothing, too."""
    due, wanted = time.monotonic() + TIMEOUT, _PORTION
    while chunk := answer.read1(_PORTION):  # type: ignore[attr-defined]  # of an HTTPResponse
        file.write(chunk)
        if file.tell() >= wanted:
            due, wanted = time.monotonic() + TIMEOUT, file.tell() + _PORTION
        elif time.monotonic() > due:
            raise TimeoutError(f"less than {_PORTION} bytes in {TIMEOUT} s, after {file.tell()}")


def _check_length(headers: HTTPMessage, size: int, sha256: str | None) -> None:
    """Raise OSError where a file came cut, or might have and nobody could tell."""
    expected = headers.get("Content-Length")
    if expected is not None and size != int(expected):
        raise OSError(f"the connection broke after {size} of {expected} bytes")
    if expected is None and headers.get("Transfer-Encoding") != "chunked" and sha256 is None:
        raise OSError(
            "the server does not say how long the file is, so that nobody can tell whether all of "
            "it came; append #sha256= and its hash to the address"
        )
