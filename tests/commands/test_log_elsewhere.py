"""``mmfastervit train --tensorboard`` and ``--wandb``: what a run logs stands there too."""

from pathlib import Path

import pytest
from mmengine.config import Config
from support.small_config import small_config

from mmfastervit.commands import main
from mmfastervit.engine import options
from mmfastervit.run_reports.logs import read_run

TINY = Path(__file__).parents[1] / "support" / "tiny_config.py"
KINDS = {"tensorboard": "TensorboardVisBackend", "wandb": "WandbVisBackend"}


def kinds(cfg: Config) -> list[str]:
    return [backend["type"] for backend in cfg.visualizer["vis_backends"]]


@pytest.fixture(autouse=True)
def _as_if_installed(monkeypatch, request):
    """Looking at configs needs no package; the tests of real runs ask for theirs."""
    if "real" not in request.fixturenames:

        class Spec:
            origin = "somewhere"

        monkeypatch.setattr(options, "find_spec", lambda name: Spec())


@pytest.fixture
def real(request):
    """The package of a test's option."""
    return pytest.importorskip(request.node.callspec.params["option"])


@pytest.mark.parametrize("option", KINDS)
def test_a_run_without_a_visualizer_gets_mmengines_with_its_own_logs(option):
    cfg = small_config()
    options.log_to(cfg, option)
    assert cfg.visualizer.type == "mmengine.Visualizer"
    assert kinds(cfg) == ["LocalVisBackend", KINDS[option]]


@pytest.mark.parametrize("option", KINDS)
def test_what_the_config_has_stays(option):
    visualizer = dict(type="DetLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")])
    cfg = small_config(visualizer=visualizer)
    options.log_to(cfg, option)
    assert cfg.visualizer.type == "DetLocalVisualizer"
    assert kinds(cfg) == ["LocalVisBackend", KINDS[option]]


@pytest.mark.parametrize("option", KINDS)
def test_a_backend_of_the_config_is_not_added_again(option):
    own = dict(type=f"mmengine.{KINDS[option]}", save_dir="elsewhere")
    cfg = small_config(visualizer=dict(type="Visualizer", vis_backends=[own]))
    options.log_to(cfg, option)
    assert cfg.visualizer.vis_backends == [own]


def test_both_can_be_asked_for():
    cfg = small_config()
    for option in KINDS:
        options.log_to(cfg, option)
    assert kinds(cfg) == ["LocalVisBackend", *KINDS.values()]


@pytest.mark.parametrize("option", KINDS)
@pytest.mark.parametrize("spec", [None, type("Folder", (), dict(origin=None))])
def test_a_package_that_is_missing_is_said_with_how_to_get_it(option, spec, monkeypatch):
    """A folder of that name, as wandb leaves in the current one, is no package."""
    monkeypatch.setattr(options, "find_spec", lambda name: spec)
    with pytest.raises(ValueError, match=f"--{option} needs .* pip install {option}"):
        options.log_to(small_config(), option)


def train(tmp_path: Path, monkeypatch, *arguments: str) -> int:
    """The exit status of a run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(TINY.parent))
    name = f"experiment_name={tmp_path.name}"  # runs of one second would share their logs
    options_ = ["--cfg-options", name]
    with pytest.raises(SystemExit) as ended:
        main("train", [str(TINY), "--work-dir", "run", "--no-check", *arguments, *options_])
    return ended.value.code


@pytest.mark.parametrize("option", ["tensorboard"])
def test_tensorboard_reads_what_the_run_has_logged(option, real, tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert train(tmp_path, monkeypatch, "--tensorboard") == 0
    (events,) = tmp_path.glob("run/*/vis_data/events.out.tfevents.*")
    accumulator = EventAccumulator(str(events))
    accumulator.Reload()
    logged = {event.step: event.value for event in accumulator.Scalars("loss")}
    own = read_run(tmp_path / "run").training["loss"]
    assert list(logged) == own.steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert list(logged.values()) == pytest.approx(own.values.tolist())


@pytest.mark.slow
@pytest.mark.parametrize("option", ["wandb"])
def test_wandb_writes_without_an_account_when_offline(option, real, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert train(tmp_path, monkeypatch, "--wandb") == 0
    (written,) = tmp_path.glob("run/*/vis_data/wandb/offline-run-*/run-*.wandb")
    assert written.stat().st_size > 1000
    assert read_run(tmp_path / "run").last_step == 6
