"""Paths, URLs and published names become local files."""

import hashlib
import io
import threading
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import pytest
import torch
from support.serving import serving

from mmfastervit.checkpoint import PUBLISHED, load_backbone, sources, zoos
from mmfastervit.checkpoint.sources import ALLOW_HTTP, resolve_source


def saved(weights: dict) -> bytes:
    """A checkpoint file's content."""
    file = io.BytesIO()
    torch.save(weights, file)
    return file.getvalue()


WEIGHTS, OTHERS = saved({"a": torch.ones(1)}), saved({"b": torch.ones(2)})


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


def test_where_a_file_is_missing_those_beside_it_are_named(tmp_path):
    for name in ("epoch_160.pth", "epoch_167.pth"):
        (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match=r"there are epoch_16\d\.pth, epoch_16\d\.pth$"):
        resolve_source(tmp_path / "epoch_24.pth")


def test_a_runs_folder_stands_for_its_best_checkpoint_and_else_for_its_last(tmp_path):
    with pytest.raises(FileNotFoundError, match="it is a folder, in which no file last_checkpoint"):
        resolve_source(tmp_path)
    for name in ("epoch_1.pth", "epoch_2.pth"):
        (tmp_path / name).touch()
    (tmp_path / "last_checkpoint").write_text("/moved/since/epoch_2.pth")
    assert resolve_source(tmp_path) == tmp_path / "epoch_2.pth"
    (tmp_path / "best_coco_bbox_mAP_epoch_1.pth").touch()
    assert resolve_source(str(tmp_path)) == tmp_path / "best_coco_bbox_mAP_epoch_1.pth"
    (tmp_path / "best_coco_segm_mAP_epoch_2.pth").touch()  # which of them, nobody can tell
    assert resolve_source(tmp_path) == tmp_path / "epoch_2.pth"
    (tmp_path / "epoch_2.pth").unlink()
    with pytest.raises(FileNotFoundError, match="no file last_checkpoint of a run names one"):
        resolve_source(tmp_path)


def test_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file.pth").touch()
    assert sources.resolve_source("~/file.pth") == tmp_path / "file.pth"


def test_published_weights_are_downloaded_once(hub, monkeypatch):
    server = Server(WEIGHTS)
    monkeypatch.setattr(sources, "open_url", server)
    for _ in range(2):
        path = sources.resolve_source("mmfastervit://fastervit_0_224_1k")
    assert path.read_bytes() == WEIGHTS
    assert server.asked == [PUBLISHED["fastervit_0_224_1k"].url]
    assert list(hub.iterdir()) == [hub / "fastervit_0_224_1k.pth.tar"]


def test_query_of_a_url_is_not_in_the_files_name(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(WEIGHTS))
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

    server = Server(WEIGHTS)
    monkeypatch.setattr(sources, "open_url", server)
    monkeypatch.setattr(sources, "is_main_process", lambda: False)
    monkeypatch.setattr(sources, "broadcast_object_list", hear)
    with pytest.raises(FileNotFoundError, match="no route"):
        sources.resolve_source("https://host/w.pth")
    assert server.asked == []


def test_process_on_another_machine_downloads_for_itself(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(WEIGHTS))
    monkeypatch.setattr(sources, "is_main_process", lambda: False)
    assert sources.resolve_source("https://host/w.pth").read_bytes() == WEIGHTS


def test_files_of_one_name_and_two_folders_are_two(hub, monkeypatch):
    paths = []
    urls = [
        f"https://host/{rest}" for rest in ("a/epoch_12.pth", "b/epoch_12.pth", "f?id=1", "f?id=2")
    ]
    for content, url in zip((WEIGHTS, OTHERS) * 2, urls, strict=True):
        monkeypatch.setattr(sources, "open_url", Server(content))
        paths.append(sources.resolve_source(url))
    assert [path.read_bytes() for path in paths] == [WEIGHTS, OTHERS] * 2
    assert [path.name for path in paths] == ["epoch_12.pth"] * 2 + ["f"] * 2


HASH = hashlib.sha256(WEIGHTS).hexdigest()


def test_hash_of_a_url_is_checked_and_not_asked_for(hub, monkeypatch):
    server = Server(WEIGHTS)
    monkeypatch.setattr(sources, "open_url", server)
    for _ in range(2):
        path = sources.resolve_source(f"https://host/w.pth#sha256={HASH}")
    assert path.read_bytes() == WEIGHTS
    assert server.asked == ["https://host/w.pth"]


def test_download_of_another_hash_is_not_kept(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(OTHERS))
    with pytest.raises(FileNotFoundError, match=f"SHA-256 is .* instead of {HASH}"):
        sources.resolve_source(f"https://host/w.pth#sha256={HASH}")
    assert not [path for path in hub.rglob("*") if path.is_file()]


def test_file_of_another_hash_in_the_cache_is_downloaded_anew(hub, monkeypatch):
    monkeypatch.setattr(sources, "open_url", Server(OTHERS))
    path = sources.resolve_source("https://host/w.pth")
    monkeypatch.setattr(sources, "open_url", Server(WEIGHTS))
    assert sources.resolve_source(f"https://host/w.pth#sha256={HASH}") == path
    assert path.read_bytes() == WEIGHTS


@pytest.mark.parametrize("digits", ["", "12", "g" * 64])
def test_hash_that_is_none_is_an_error(hub, digits):
    with pytest.raises(ValueError, match="must be followed by 64 hexadecimal digits"):
        sources.resolve_source(f"https://host/w.pth#sha256={digits}")


@pytest.mark.parametrize(
    ("start", "end", "follows"),
    [
        ("https", "http", False),
        ("https", "https", True),
        ("http", "https", True),
        ("http", "http", True),
        ("https", "ftp", False),
        ("http", "ftp", False),
        ("http", "file", False),
    ],
)
def test_redirects_stay_secure(start, end, follows):
    request = Request(f"{start}://host/w.pth")
    answer = (io.BytesIO(), 302, "Found", {}, f"{end}://other/w.pth")
    if follows:
        assert sources.StaysSecure().redirect_request(request, *answer).full_url == answer[-1]
    else:
        with pytest.raises(OSError, match=f"redirected from {start} to {end}://other"):
            sources.StaysSecure().redirect_request(request, *answer)


def test_weights_without_a_known_hash_are_said_to_be_unchecked(hub, monkeypatch):
    lines = []
    monkeypatch.setattr(sources, "open_url", Server(WEIGHTS))
    monkeypatch.setattr(sources, "print_log", lambda line, **_: lines.append(line))
    sources.resolve_source("mmfastervit://fastervit_0_224_1k")
    assert "its hash is not known, so it is not checked" in lines[0]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A server, whose files may be downloaded although it has no https."""
    monkeypatch.setenv(ALLOW_HTTP, "1")
    with serving() as site:
        yield site


def kept(hub: Path) -> list[Path]:
    return [path for path in hub.rglob("*") if path.is_file()]


def test_http_is_downloaded_only_where_it_is_asked_for(hub, site, monkeypatch):
    site.files["/w.pth"] = WEIGHTS
    assert resolve_source(site.url("/w.pth")).read_bytes() == WEIGHTS
    monkeypatch.delenv(ALLOW_HTTP)
    with pytest.raises(
        ValueError, match=r"http://127\.0\.0\.1:\d+/w\.pth is not downloaded"
    ) as error:
        resolve_source(site.url("/w.pth"))
    assert ALLOW_HTTP not in str(error.value)


def test_a_redirect_is_followed_and_the_cache_is_of_the_first_address(hub, site):
    site.files["/w.pth"] = WEIGHTS
    site.redirects["/old.pth"] = site.url("/w.pth")
    for _ in range(2):
        assert resolve_source(site.url("/old.pth")).name == "old.pth"
    assert site.asked == ["/old.pth", "/w.pth"]


@pytest.mark.parametrize(
    ("content", "promised", "message"),
    [
        (WEIGHTS[:-9], len(WEIGHTS), "the connection broke after .* bytes"),
        (WEIGHTS[:-9], None, "does not say how long the file is"),
        (WEIGHTS[:-9], len(WEIGHTS) - 9, "no whole checkpoint file"),
        (b"<html>Log in</html>", 19, "no whole checkpoint file"),
        (b"", 0, "no whole checkpoint file"),
    ],
    ids=["cut", "cut, of no stated length", "cut before it was served", "page", "empty"],
)
def test_what_is_no_whole_file_does_not_stay(hub, site, content, promised, message):
    site.files["/w.pth"], site.promised["/w.pth"] = content, promised
    with pytest.raises(FileNotFoundError, match=message) as error:
        resolve_source(site.url("/w.pth"))
    assert "\n" not in str(error.value)
    assert kept(hub) == []
    site.files["/w.pth"] = WEIGHTS
    site.promised.clear()
    assert resolve_source(site.url("/w.pth")).read_bytes() == WEIGHTS


def test_a_file_of_no_stated_length_is_taken_by_its_hash(hub, site):
    site.files["/w.pth"], site.promised["/w.pth"] = WEIGHTS, None
    assert resolve_source(f"{site.url('/w.pth')}#sha256={HASH}").read_bytes() == WEIGHTS


@pytest.mark.parametrize("begins", [False, True], ids=["at once", "in the middle"])
def test_a_server_that_hangs_is_left_in_a_bounded_time(hub, site, monkeypatch, begins):
    monkeypatch.setattr(sources, "TIMEOUT", 0.2)
    site.silent["/w.pth"] = threading.Event()
    if begins:
        site.files["/w.pth"], site.promised["/w.pth"] = WEIGHTS, len(WEIGHTS) + 1
    with pytest.raises(FileNotFoundError, match=r"w\.pth \(.*[Tt]ime"):
        resolve_source(site.url("/w.pth"))
    assert kept(hub) == []


def test_a_server_that_drips_is_left_in_a_bounded_time(hub, monkeypatch):
    class Drip(Answer):
        def read1(self, size: int) -> bytes:
            time.sleep(0.05)
            return b"x"

    monkeypatch.setattr(sources, "TIMEOUT", 0.2)
    monkeypatch.setattr(sources, "open_url", lambda *_, **__: Drip(b"", promised=10**9))
    with pytest.raises(FileNotFoundError, match=r"less than 65536 bytes in 0\.2 s, after \d+"):
        resolve_source("https://host/w.pth")


def test_a_download_that_is_killed_leaves_nothing_that_is_taken_for_the_file(hub, monkeypatch):
    class Dies(Answer):
        def read1(self, size: int) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr(sources, "open_url", lambda *_, **__: Dies(WEIGHTS))
    with pytest.raises(KeyboardInterrupt):
        resolve_source("https://host/w.pth")
    assert kept(hub) == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/", "download"),
        ("https://host/a/..", "download"),
        ("https://host/a%20b.pth", "a_20b.pth"),
        ("https://host/.hidden", "hidden"),
    ],
)
def test_a_name_of_a_server_leads_nowhere_else(hub, monkeypatch, url, name):
    monkeypatch.setattr(sources, "open_url", Server(WEIGHTS))
    path = resolve_source(url)
    assert path.name == name
    assert path.parent.parent == hub / "mmfastervit"


def test_names_of_zoos_stand_for_their_addresses(hub, monkeypatch):
    server = Server(WEIGHTS)
    monkeypatch.setattr(sources, "open_url", server)
    assert resolve_source(f"torchvision://resnet18#sha256={HASH}").read_bytes() == WEIGHTS
    assert server.asked[0].startswith("https://download.pytorch.org/models/resnet18-")
    monkeypatch.setitem(zoos.ZOOS, "mmcls://", lambda: {"mine": "https://host/m.pth"})
    assert resolve_source("mmcls://mine").name == "m.pth"
    with pytest.raises(ValueError, match="did you mean 'resnet18'"):
        resolve_source("torchvision://resnet_18")
    with pytest.raises(FileNotFoundError, match="SHA-256"):
        resolve_source(f"torchvision://resnet18#sha256={'0' * 64}")


def test_old_names_of_openmmlab_are_known(hub, monkeypatch):
    monkeypatch.setenv("MMENGINE_HOME", str(hub))
    hub.mkdir()
    (hub / "open_mmlab.json").write_text('{"local": "mine/w.pth", "far": "https://host/w.pth"}')
    assert zoos.zoo_address("open-mmlab://local") == str(hub / "mine/w.pth")
    assert zoos.zoo_address("openmmlab://far") == "https://host/w.pth"
    old, new = (
        zoos.zoo_address(f"open-mmlab://{name}")
        for name in ("resnet50_caffe", "detectron/resnet50_caffe")
    )
    assert old == new


def test_a_file_that_other_programs_downloaded_is_used_if_its_name_has_its_hash(hub, monkeypatch):
    server = Server(WEIGHTS)
    monkeypatch.setattr(sources, "open_url", server)
    hub.mkdir()
    name = f"resnet-{HASH[:8]}.pth"
    (hub / name).write_bytes(WEIGHTS)
    assert resolve_source(f"https://host/{name}") == hub / name
    assert server.asked == []
    (hub / name).write_bytes(OTHERS)
    assert resolve_source(f"https://host/{name}") != hub / name
    assert server.asked != []


def test_a_folder_of_shards_is_named_with_what_makes_one_file_of_it(tmp_path):
    (tmp_path / "epoch_1.sharded").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"it is a folder, of a checkpoint in shards.*gather"
    ):
        resolve_source(tmp_path / "epoch_1.sharded")
