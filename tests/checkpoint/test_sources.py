"""Paths, URLs and published names become local files."""

import io
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

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
