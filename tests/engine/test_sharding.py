"""Parameters in shards: two processes train as one does, and any number goes on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmfastervit.checkpoint.reading import read_checkpoint
from mmfastervit.checkpoint.sharded import broken_shard, read_rest, read_whole
from mmfastervit.commands import main
from mmfastervit.engine.options import build_runner
from mmfastervit.engine.resuming import newest_whole

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "tests/support"
CONFIG = SUPPORT / "pictures_config.py"
SHARDED = "runner_type=mmfastervit.ShardedRunner"


def train(processes: int, work_dir: Path, *options: str) -> subprocess.CompletedProcess:
    """Train the small model, eight pictures a step, by torchrun."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes]
    command = [sys.executable, "-W", "ignore", *launcher, ROOT / "tools/train.py", CONFIG]
    command += ["--launcher", "pytorch", "--work-dir", work_dir, "--resume", "--cfg-options"]
    command += [f"train_dataloader.batch_size={8 // processes}", *options]
    paths = os.pathsep.join(map(str, (ROOT, SUPPORT)))
    return subprocess.run(
        [*map(str, command)],
        env=dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A run of two processes in shards and one of a single process that holds the whole model."""
    folder = tmp_path_factory.mktemp("shards")
    for processes, name, options in ((2, "two", [SHARDED]), (1, "whole", [])):
        done = train(processes, folder / name, *options)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The folder of a run in shards of one process, this one."""
    folder = tmp_path_factory.mktemp("alone")
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(SUPPORT)
            cfg = Config.fromfile(CONFIG)
            cfg.update(runner_type="mmfastervit.ShardedRunner", work_dir=str(folder))
            build_runner(cfg).train()
    finally:
        torch.distributed.destroy_process_group()
    return folder


def assert_near(actual: dict, expected: dict) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_two_processes_in_shards_end_as_one_with_the_whole_model(runs):
    folder = runs / "two/iter_6.sharded"
    assert (runs / "two/last_checkpoint").read_text() == "iter_6.sharded"
    assert {"__0_0.distcp", "__1_0.distcp"} <= {path.name for path in folder.iterdir()}
    expected = read_checkpoint(runs / "whole/iter_6.pth")["state_dict"]
    assert_near(read_whole(folder)["state_dict"], expected)


def test_shards_are_gathered_to_one_file(alone, tmp_path, capsys):
    target = tmp_path / "gathered.pth"
    with pytest.raises(SystemExit) as ended:
        main("gather", [str(alone / "iter_6.sharded"), str(target)])
    assert ended.value.code == 0
    gathered = read_checkpoint(target)
    assert gathered["meta"]["iter"] == 6
    model = MODELS.build(dict(type="Teller"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(gathered["state_dict"])
    assert not torch.equal(model.head.weight, before["head.weight"])


def test_a_shard_that_was_changed_is_passed_over_and_not_gathered(alone, tmp_path, capsys):
    for name in ("iter_3.sharded", "iter_6.sharded"):
        shutil.copytree(alone / name, tmp_path / name)
    shard = tmp_path / "iter_6.sharded/__0_0.distcp"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert broken_shard(tmp_path / "iter_6.sharded") == "__0_0.distcp"
    assert newest_whole([tmp_path]) == tmp_path / "iter_3.sharded"
    with pytest.raises(SystemExit) as ended:
        main("gather", [str(tmp_path / "iter_6.sharded"), str(tmp_path / "out.pth")])
    assert ended.value.code == 2
    assert "__0_0.distcp" in capsys.readouterr().err
    assert not (tmp_path / "out.pth").exists()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("nothing.sharded", "a.pth", "expected a folder"),
        ("iter_6.sharded", "a.bin", "must end in .pth"),
        ("iter_6.sharded", "nowhere/a.pth", "no folder nowhere"),
        ("iter_6.sharded", "last_checkpoint.pth", "--force replaces it"),
    ],
)
def test_what_cannot_be_gathered_is_told(
    source, target, message, alone, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("last_checkpoint.pth").touch()
    with pytest.raises(SystemExit) as ended:
        main("gather", [str(alone / source), target])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_any_number_of_processes_goes_on_from_shards(processes, runs, tmp_path):
    shutil.copytree(runs / "two/iter_3.sharded", tmp_path / "iter_3.sharded")
    done = train(processes, tmp_path, SHARDED)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "iter_3.sharded, the newest whole checkpoint: 3 iterations" in done.stdout + done.stderr
    expected, resumed = (folder / "iter_6.sharded" for folder in (runs / "two", tmp_path))
    assert_near(read_whole(resumed)["state_dict"], read_whole(expected)["state_dict"])
    schedules = [read_rest(folder)["param_schedulers"] for folder in (expected, resumed)]
    assert schedules[0] == schedules[1]


@pytest.mark.slow
def test_a_run_in_shards_starts_from_whole_weights_and_in_bfloat16(runs, tmp_path):
    whole = runs / "whole/iter_6.pth"
    wrapper = "optim_wrapper.type=mmfastervit.BFloat16OptimWrapper"
    done = train(
        2, tmp_path, SHARDED, f"load_from={whole}", "optim_wrapper.optimizer.lr=0", wrapper
    )
    assert done.returncode == 0, done.stderr[-3000:]
    started = read_whole(tmp_path / "iter_6.sharded")["state_dict"]
    weights = read_checkpoint(whole)["state_dict"]
    assert all(torch.equal(started[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "dist_train.sh"),
        ({"optim_wrapper.type": "AmpOptimWrapper"}, "BFloat16OptimWrapper"),
        ({"default_hooks.checkpoint.type": "CheckpointHook"}, "SafeCheckpointHook"),
        ({"custom_hooks": [dict(type="EMAHook")]}, "EMAHook"),
    ],
)
def test_what_needs_the_whole_model_is_refused(options, message, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SUPPORT)
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({"runner_type": "mmfastervit.ShardedRunner", **options})
    cfg.work_dir = str(tmp_path)
    with pytest.raises(ValueError, match=message):
        build_runner(cfg)
