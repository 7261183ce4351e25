"""Nothing of a stranger's file is run, by whatever way it comes in, and one line names the file."""

import os
import pickle
import shutil
from pathlib import Path

import mmpretrain.models  # noqa: F401
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from support.checkpoints import Touch
from support.little_runs import draw, little_run, quicken, written
from support.serving import serving

from mmfastervit.checkpoint import zoos
from mmfastervit.checkpoint.sources import ALLOW_HTTP
from mmfastervit.commands import main

RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"
# A redirect is by http, too: so each way in is tried by the longest way always.
WAYS = (
    "redirect",
    pytest.param("url", marks=pytest.mark.slow),
    pytest.param("file", marks=pytest.mark.slow),
)


@pytest.fixture(scope="module")
def site():
    with serving() as site:
        yield site


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working folder of the test's own, where downloads go too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv(ALLOW_HTTP, "1")
    quicken(monkeypatch)
    return tmp_path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw(folder)
    return folder


@pytest.fixture
def config(data, here) -> str:
    return str(written(little_run("det", data), here / "little.py"))


@pytest.fixture(params=WAYS)
def evil(request, here, site) -> str:
    """How a file is named that makes the folder ``ran`` when it is unpickled."""
    path = here / "evil.pth"
    weights = {"backbone.stem.conv1.weight": torch.ones(1)}
    content = dict(state_dict=weights, optimizer={}, meta=dict(iter=1), extra=Touch(here / "ran"))
    torch.save(content, path)
    if request.param == "file":
        return str(path)
    folder = f"/{here.name}"
    site.files[f"{folder}/evil.pth"] = path.read_bytes()
    site.redirects[f"{folder}/moved.pth"] = site.url(f"{folder}/evil.pth")
    return site.url(f"{folder}/{'moved' if request.param == 'redirect' else 'evil'}.pth")


COMMANDS = {
    "test": lambda config, evil: ["test", config, evil],
    "resume": lambda config, evil: ["train", config, "--resume", evil],
    "load_from": lambda config, evil: ["train", config, "--cfg-options", f"load_from={evil}"],
    "export": lambda config, evil: ["export", config, evil, "--out", "x.onnx"],
    "convert": lambda config, evil: ["convert", evil, "x.pth"],
    "swap": lambda config, evil: [
        *["swap", RETINANET, "--arch", "fastervit_0", "--pretrained", evil, "--check"]
    ],
    **{
        f"init_cfg of {part}": lambda config, evil, part=part: [
            *["train", config, "--cfg-options"],
            f"{part}.init_cfg=dict(type='Pretrained',checkpoint='{evil}')",
        ]
        for part in ("model", "model.backbone", "model.neck", "model.bbox_head")
    },
}


@pytest.mark.parametrize("way_in", COMMANDS)
def test_a_command_runs_nothing_and_names_the_file(way_in, config, evil, here, capsys):
    with pytest.raises(SystemExit) as ended:
        main(argv=COMMANDS[way_in](config, evil))
    told = capsys.readouterr().err.splitlines()[-1]
    assert not (here / "ran").exists()
    assert ended.value.code == 2
    assert evil in told
    assert "holds Python objects beside weights (os.mkdir" in told or "posix.mkdir" in told
    assert "trust" not in told
    assert "weights_only" not in told


@pytest.mark.parametrize("kind", ["file", "url"])
def test_a_file_and_a_plain_address_run_nothing(kind, config, site, here, capsys):
    torch.save(dict(state_dict=Touch(here / "ran")), here / "evil.pth")
    site.files[f"/{here.name}/evil.pth"] = (here / "evil.pth").read_bytes()
    source = site.url(f"/{here.name}/evil.pth") if kind == "url" else str(here / "evil.pth")
    with pytest.raises(SystemExit):
        main(argv=["test", config, source])
    assert source in capsys.readouterr().err
    assert not (here / "ran").exists()


def host(**changes) -> dict:
    small = dict(embed_dims=16, depths=(1, 1, 2, 2), num_heads=(1, 2, 2, 4))
    return dict(dict(type="mmdet.SwinTransformer", **small), **changes)


MODULES = {
    "host of HAT": lambda evil: dict(
        type="mmfastervit.HATBackbone",
        backbone=host(init_cfg=dict(type="Pretrained", checkpoint=evil)),
        stages=(2, 3),
    ),
    "pretrained": lambda evil: dict(type="mmdet.ResNet", depth=18, pretrained=evil),
}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_runs_nothing(module, evil, here):
    with pytest.raises(ValueError, match="holds Python objects beside weights"):
        MODELS.build(ConfigDict(MODULES[module](evil))).init_weights()
    assert not (here / "ran").exists()


def test_timms_own_loader_runs_nothing(here):
    torch.save(Touch(here / "ran"), here / "evil.pth")
    cfg = dict(type="mmpretrain.TIMMBackbone", model_name="resnet10t")
    with pytest.raises(RuntimeError, match="blocked"):
        MODELS.build(ConfigDict(cfg, checkpoint_path=str(here / "evil.pth")))
    assert not (here / "ran").exists()


def test_a_run_that_finds_its_checkpoint_by_last_checkpoint_runs_nothing(data, evil, here):
    """As the stock train.py does with a config of the zoos."""
    cfg = Config(dict(little_run("det", data), work_dir=str(here), resume=True))
    cfg.default_hooks.checkpoint.type = "CheckpointHook"
    (here / "last_checkpoint").write_text(evil)
    with pytest.raises(ValueError, match="holds Python objects beside weights"):
        Runner.from_cfg(cfg).train()
    assert not (here / "ran").exists()


@pytest.mark.parametrize("scheme", sorted(zoos.ZOOS))
def test_names_of_zoos_run_nothing(scheme, evil, here, monkeypatch):
    monkeypatch.setitem(zoos.ZOOS, scheme, lambda: {"a": evil})
    with pytest.raises(ValueError, match="holds Python objects beside weights"):
        load_checkpoint(torch.nn.Linear(1, 1), f"{scheme}a")
    assert not (here / "ran").exists()


def test_no_loader_of_mmengines_is_left():
    assert {loader.__module__ for loader in CheckpointLoader._schemes.values()} == {
        "mmfastervit.checkpoint.reading"
    }


def test_no_switch_of_torchs_makes_it_unsafe(evil, here, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(ValueError, match="holds Python objects beside weights"):
        load_checkpoint(torch.nn.Linear(1, 1), evil)
    assert not (here / "ran").exists()


def test_program_text_in_a_checkpoint_is_not_run_when_it_is_resumed(data, here):
    """mmengine runs what stands under ``config`` as Python, and safe loading lets text through."""
    cfg = Config(dict(little_run("seg", data, evaluate=False), work_dir=str(here)))
    Runner.from_cfg(cfg).train()
    path = here / "iter_1.pth"
    content = torch.load(path)
    content["meta"]["config"] = f"import os\nos.mkdir({str(here / 'ran')!r})\n"
    torch.save(content, path)
    cfg = Config(dict(cfg, resume=True, load_from=str(path), experiment_name="again"))
    Runner.from_cfg(cfg).train()
    assert not (here / "ran").exists()


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    """A checkpoint in shards as torch writes it."""
    from torch.distributed import checkpoint as dcp

    from mmfastervit.checkpoint.sharded import REST, WEIGHTS

    folder = tmp_path_factory.mktemp("run") / "epoch_1.sharded"
    states = {WEIGHTS: {"a": torch.ones(2)}, "optimizer": {"lr": 0.1, "betas": (0.9, 0.99)}}
    dcp.save(states, checkpoint_id=folder, no_dist=True)
    torch.save(dict(meta=dict(iter=1)), folder / REST)
    return folder


def gathered(folder: Path, capsys) -> tuple[int, str]:
    from mmfastervit.checkpoint.sharded import write_manifest

    (folder / "manifest.json").unlink(missing_ok=True)
    write_manifest(folder)
    with pytest.raises(SystemExit) as ended:
        main(argv=["gather", str(folder), "x.pth"])
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize("name", [".metadata", "rest.pth"])
def test_shards_run_nothing(name, shards, here, capsys):
    folder = here / "epoch_1.sharded"
    shutil.copytree(shards, folder)
    assert gathered(folder, capsys)[0] == 0
    Path("x.pth").unlink()
    if name == "rest.pth":
        torch.save(Touch(here / "ran"), folder / name)
    else:
        (folder / name).write_bytes(pickle.dumps(Touch(here / "ran")))
    status, told = gathered(folder, capsys)
    assert status == 2
    assert str(folder / name) in told
    assert len(told.splitlines()) == 1
    assert not (here / "ran").exists()


def test_the_optimizers_numbers_in_shards_run_nothing(shards, here):
    from torch.distributed import checkpoint as dcp

    from mmfastervit.checkpoint.sharded import load_shards

    states = {"optimizer": {"lr": 0.0, "betas": ()}}
    load_shards(states, shards, alone=True)
    assert states == {"optimizer": {"lr": 0.1, "betas": (0.9, 0.99)}}
    folder = here / "evil.sharded"
    dcp.save({"optimizer": {"lr": Touch(here / "ran")}}, checkpoint_id=folder, no_dist=True)
    with pytest.raises(ValueError, match=r"evil\.sharded holds Python objects among its numbers"):
        load_shards({"optimizer": {"lr": 0.0}}, folder, alone=True)
    assert not (here / "ran").exists()


@pytest.mark.parametrize("name", ["torch.load", "builtins.eval", "os.system"])
def test_an_index_that_names_anything_else_is_refused(name, shards, here):
    from mmfastervit.checkpoint.sharded import refuse_code

    refuse_code(shards)
    module, _, function = name.rpartition(".")
    (here / ".metadata").write_bytes(f"c{module}\n{function}\n.".encode())
    with pytest.raises(ValueError, match=rf"\.metadata is no index .*{function}"):
        refuse_code(here)


def test_the_payload_of_these_tests_would_run(here):
    torch.save(Touch(here / "ran"), here / "evil.pth")
    torch.load(here / "evil.pth", weights_only=False)
    assert os.path.isdir(here / "ran")
