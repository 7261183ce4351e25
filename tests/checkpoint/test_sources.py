"""Paths, URLs and published names become local files."""

import hashlib
import io
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import pytest
import torch

from mmfastervit.checkpoint import PUBLISHED, load_backbone, sources


class Answer(io.BytesIO):
    """What a server sends, and how much it promised."""

    def __init__(self, content: bytes, promised: int | None = None) -> None:
        super().__init__(content)
        self.headers = {"Content-Length": str(promised or len(content))}


class Server:
    """Stands in for ``open_url``."""

    def __init__(self, answer: bytes | Exception, promised: int | None = None) -> None:
        self.answer, self.promised, self.asked = answer, promised, []

    def __call__(self, request, timeout) -> Answer:
        self.asked.append(request.full_url)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(self.answer, self.promised)


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """Where downloads go."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints"


def test_missing_file_is_an_error(tiny):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint file 'nowhere\.pth'"):
        load_backbone(tiny, "nowhere.pth")


def test_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file.pth").touch()
    assert sources.resolve_source("~/file.pth") == tmp_path / "file.pth"


def test_published_weights_are_downloaded_once(hub, monkeypatch):
    server = Server(b"weights")
    monkeypatch.setattr(sources, "open_url", server)
    for _ in range(2):
        path = sources.resolve_source("mmfastervit://fastervit_0_224_1k")
    assert path.read_bytes() == b"weights"
    assert server.asked == [PUBLISHED["fastervit_0_224_1k"].url]
    assert list(hub.iterdir()) == [hub / "fastervit_0_224_1k.pth.tar"]


def test_query_of_a_url_is_not_in_the_files_name(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(b"weights"))
    assert sources.resolve_source("https://host/a/w.pth?download=1").name == "w.pth"
    assert hub.is_dir()


@pytest.mark.parametrize(
    "server",
    [
        Server(URLError("no route")),
        Server(TimeoutError("slow")),
        Server(HTTPException("odd")),
        Server(b"half", promised=8),
    ],
)
def test_failed_download_advises_and_leaves_nothing(hub, monkeypatch, server):
    monkeypatch.setattr(sources, "open_url", server)
    with pytest.raises(FileNotFoundError, match=r"could not download https://host/w\.pth") as error:
        sources.resolve_source("https://host/w.pth")
    assert "--cfg-options model.backbone.init_cfg.checkpoint=FILE" in str(error.value)
    assert "model.backbone.init_cfg=None" in str(error.value)
    assert not [path for path in hub.rglob("*") if path.is_file()]


def test_first_process_tells_the_others_of_its_failure(hub, monkeypatch):
    told = []
    monkeypatch.setattr(sources, "open_url", Server(URLError("no route")))
    monkeypatch.setattr(sources, "broadcast_object_list", lambda data: told.extend(data))
    with pytest.raises(FileNotFoundError, match="no route"):
        sources.resolve_source("https://host/w.pth")
    assert "no route" in told[0]


def test_other_processes_fail_with_the_first_without_trying(hub, monkeypatch):
    def hear(data: list) -> None:
        data[0] = "no route"

    server = Server(b"weights")
    monkeypatch.setattr(sources, "open_url", server)
    monkeypatch.setattr(sources, "is_main_process", lambda: False)
    monkeypatch.setattr(sources, "broadcast_object_list", hear)
    with pytest.raises(FileNotFoundError, match="no route"):
        sources.resolve_source("https://host/w.pth")
    assert server.asked == []


def test_process_on_another_machine_downloads_for_itself(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(b"weights"))
    monkeypatch.setattr(sources, "is_main_process", lambda: False)
    assert sources.resolve_source("https://host/w.pth").read_bytes() == b"weights"


def test_files_of_one_name_and_two_folders_are_two(hub, monkeypatch):
    paths = []
    for folder in ("a", "b"):
        monkeypatch.setattr(sources, "open_url", Server(folder.encode()))
        paths.append(sources.resolve_source(f"https://host/{folder}/epoch_12.pth"))
    assert [path.read_bytes() for path in paths] == [b"a", b"b"]
    assert [path.name for path in paths] == ["epoch_12.pth"] * 2


HASH = hashlib.sha256(b"weights").hexdigest()


def test_hash_of_a_url_is_checked_and_not_asked_for(hub, monkeypatch):
    server = Server(b"weights")
    monkeypatch.setattr(sources, "open_url", server)
    for _ in range(2):
        path = sources.resolve_source(f"https://host/w.pth#sha256={HASH}")
    assert path.read_bytes() == b"weights"
    assert server.asked == ["https://host/w.pth"]


def test_download_of_another_hash_is_not_kept(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(b"others"))
    with pytest.raises(FileNotFoundError, match=f"SHA-256 is .* instead of {HASH}"):
        sources.resolve_source(f"https://host/w.pth#sha256={HASH}")
    assert not [path for path in hub.rglob("*") if path.is_file()]


def test_file_of_another_hash_in_the_cache_is_downloaded_anew(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(b"others"))
    path = sources.resolve_source("https://host/w.pth")
    monkeypatch.setattr(sources, "open_url", Server(b"weights"))
    assert sources.resolve_source(f"https://host/w.pth#sha256={HASH}") == path
    assert path.read_bytes() == b"weights"


@pytest.mark.parametrize("digits", ["", "12", "g" * 64])
def test_hash_that_is_none_is_an_error(hub, digits):
    with pytest.raises(ValueError, match="must be followed by 64 hexadecimal digits"):
        sources.resolve_source(f"https://host/w.pth#sha256={digits}")


@pytest.mark.parametrize(
    ("start", "end", "follows"),
    [("https", "http", False), ("https", "https", True), ("http", "https", True)],
)
def test_redirects_stay_secure(start, end, follows):
    request = Request(f"{start}://host/w.pth")
    answer = (io.BytesIO(), 302, "Found", {}, f"{end}://other/w.pth")
    if follows:
        assert sources.StaysSecure().redirect_request(request, *answer).full_url == answer[-1]
    else:
        with pytest.raises(OSError, match="redirected from https to http://other"):
            sources.StaysSecure().redirect_request(request, *answer)


def test_weights_without_a_known_hash_are_said_to_be_unchecked(hub, monkeypatch):
    lines = []
    monkeypatch.setattr(sources, "open_url", Server(b"weights"))
    monkeypatch.setattr(sources, "print_log", lambda line, **_: lines.append(line))
    sources.resolve_source("mmfastervit://fastervit_0_224_1k")
    assert "its hash is not known, so it is not checked" in lines[0]
