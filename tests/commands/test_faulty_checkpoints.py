"""Each faulty checkpoint ends in one line that names it and what is wrong; good ones do not."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from support.faulty_checkpoints import CLASSIFIER, FAULTS, Case, case_of, rows
from support.little_runs import TASKS, draw, little_run, quicken, written

from mmfastervit.checkpoint.fitting import CheckpointDoesNotFit
from mmfastervit.checkpoint.reading import read_checkpoint
from mmfastervit.commands import main
from mmfastervit.engine.checkpoint_fit import look_before_test, look_before_training

COMMANDS = {
    "test": lambda config, path: ["test", config, path],
    "resume": lambda config, path: ["train", config, "--resume", path],
    "load_from": lambda config, path: ["train", config, "--cfg-options", f"load_from={path}"],
    "export": lambda config, path: ["export", config, path, "--out", "x.onnx"],
    "convert": lambda config, path: ["convert", path, "converted.pth"],
    "init_cfg": lambda config, path: [
        *["train", config, "--cfg-options"],
        f"model.backbone.init_cfg=dict(type='Pretrained',checkpoint='{path}')",
    ],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[dict[str, str], dict[str, dict]]:
    """Config and whole checkpoint of each task, the latter written by a run of one step."""
    folder = tmp_path_factory.mktemp("runs")
    draw(folder)
    configs, checkpoints = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        for task in TASKS:
            content = little_run(task, folder)
            configs[task] = str(written(content, folder / f"{task}.py"))
            content = little_run(task, folder, evaluate=False)
            Runner.from_cfg(Config(dict(content, work_dir=str(folder / task)))).train()
            checkpoints[task] = read_checkpoint(folder / task / "iter_1.pth", mapped=False)
    return configs, checkpoints


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)
    return tmp_path


def cases():
    """Every fault in every task; one of its tasks, in turn, whenever tests run."""
    for index, fault in enumerate(FAULTS):
        quick = fault.tasks[index % len(fault.tasks)]
        for task in fault.tasks:
            marks = () if task == quick else pytest.mark.slow
            yield pytest.param(fault, task, id=f"{task}-{fault.name}", marks=marks)


@pytest.mark.parametrize(("fault", "task"), cases())
def test_a_fault_is_told_in_one_line(fault, task, runs, here, capsys):
    configs, checkpoints = runs
    with_optimizer = fault.command == "resume" or "optimizer" in fault.wrong
    path = fault.make(case_of(task, checkpoints, here, with_optimizer))
    with pytest.raises(SystemExit) as ended:
        main(argv=COMMANDS[fault.command](configs[task], str(path)))
    told = capsys.readouterr().err
    assert fault.words(task) in told
    assert str(path) in told
    assert ended.value.code == 2
    assert "Traceback" not in told
    errors = [line for line in told.splitlines() if ": error: " in line]
    assert len(errors) == 1
    if fault.wrong != "is not there":  # which is told with its key and remedy
        assert told.endswith(f"{errors[0]}\n")


def test_the_table_is_as_long_as_is_said():
    assert sum(len(fault.tasks) for fault in FAULTS) >= 80
    assert len({(command, wrong) for command, wrong, _ in rows()}) == len(FAULTS)


@pytest.fixture(scope="module")
def built(runs, tmp_path_factory) -> dict[str, Runner]:
    """A run of each task, built; mmengine takes unnamed ones of the same second for one."""

    def build(task: str, path: Path) -> Runner:
        folder = str(tmp_path_factory.mktemp("built"))
        return Runner.from_cfg(
            Config(dict(Config.fromfile(path), work_dir=folder, experiment_name=f"built-{task}"))
        )

    return {task: build(task, path) for task, path in runs[0].items()}


def _prefixed(case: Case) -> Path:
    weights = {f"module.{name}": value for name, value in case.weights.items()}
    return case.save(dict(state_dict=weights))


def _as_type(dtype: torch.dtype):
    def make(case: Case) -> Path:
        weights = case.weights
        floats = {k: v.to(dtype) for k, v in weights.items() if v.is_floating_point()}
        return case.save({**weights, **floats})

    return make


GOOD = {
    "with nothing else": lambda case: case.save(case.whole),
    "weights alone": lambda case: case.save(case.weights),
    "of a run of several processes": _prefixed,
    "half precision": _as_type(torch.float16),
    "bfloat16": _as_type(torch.bfloat16),
    "double precision": _as_type(torch.float64),
    "without counters of batches": lambda case: case.save(
        {k: v for k, v in case.weights.items() if not k.endswith("num_batches_tracked")}
    ),
    "with a head that the model lacks": lambda case: case.having(
        "mask_head.conv.weight", torch.ones(1)
    ),
    "with a table that the model lacks": lambda case: case.having(
        "backbone.stages.relative_position_index", torch.ones(1, dtype=torch.int64)
    ),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", GOOD)
def test_a_good_file_passes_in_silence(kind, task, runs, built, here, caplog):
    path = GOOD[kind](case_of(task, runs[1], here))
    look_before_test(built[task], str(path))
    assert caplog.text == ""


@pytest.mark.parametrize("task", TASKS)
def test_a_part_is_enough_where_that_is_asked_for(task, runs, built, here, monkeypatch):
    told = []
    monkeypatch.setattr(
        "mmfastervit.engine.checkpoint_fit.print_log", lambda text, **_: told.append(text)
    )
    case = case_of(task, runs[1], here)
    path = case.without(f"{CLASSIFIER[task]}.bias")
    with pytest.raises(ValueError, match="--allow-partial"):
        look_before_test(built[task], str(path))
    look_before_test(built[task], str(path), partial=True)
    assert len(told) == 1
    assert f"are missing ({CLASSIFIER[task]}.bias)" in told[0]
    nothing = case.save({"x.weight": torch.ones(1)})
    with pytest.raises(ValueError, match="looks like another model") as error:
        look_before_test(built[task], str(nothing), partial=True)
    assert "--allow-partial" not in str(error.value)


@pytest.mark.parametrize("task", TASKS)
def test_a_new_run_may_start_from_other_heads_and_says_so(task, runs, built, here, monkeypatch):
    told = []
    monkeypatch.setattr(
        "mmfastervit.engine.checkpoint_fit.print_log", lambda text, **_: told.append(text)
    )
    case = case_of(task, runs[1], here)
    runner = built[task]
    monkeypatch.setattr(runner, "_load_from", str(case.without(CLASSIFIER[task])))
    look_before_training(runner)
    assert len(told) == 1
    assert "2 of " in told[0]
    monkeypatch.setattr(runner, "_load_from", str(case.without("backbone")))
    with pytest.raises(ValueError, match="--allow-partial"):
        look_before_training(runner)
    look_before_training(runner, partial=True)
    assert len(told) == 2


@pytest.mark.parametrize("task", TASKS)
def test_testing_goes_on_with_a_part_to_its_end(task, runs, here, capsys):
    path = case_of(task, runs[1], here).without(f"{CLASSIFIER[task]}.bias")
    with pytest.raises(SystemExit) as ended:
        main(argv=["test", runs[0][task], str(path), "--allow-partial"])
    assert ended.value.code == 0


def run_of(runs, task: str, here: Path, **changes) -> Runner:
    cfg = Config(dict(Config.fromfile(runs[0][task]), work_dir=str(here), **changes))
    return Runner.from_cfg(cfg)


def test_a_run_by_the_stock_train_py_refuses_what_gives_nothing(runs, here):
    """mmengine itself only warns; the recipes' checkpoint hook is asked first."""
    case = case_of("seg", runs[1], here)
    parts = (name.partition(".") for name in case.weights if name.startswith("backbone."))
    path = case.save({rest: case.weights[f"{part}.{rest}"] for part, _, rest in parts})
    changes = dict(load_from=str(path), val_dataloader=None, val_cfg=None, val_evaluator=None)
    with pytest.raises(CheckpointDoesNotFit, match="looks like a backbone or classifier alone"):
        run_of(runs, "seg", here, **changes).train()


@pytest.mark.parametrize(
    ("init_cfg", "message"),
    [
        (dict(prefix="roi_head"), "no name in .* starts with prefix='roi_head.'; it looks like"),
        (dict(), r"does not fit this FPN: .* are missing .*model\.neck\.init_cfg names it"),
    ],
)
def test_a_part_that_would_start_from_nothing_is_named(init_cfg, message, runs, built, here):
    path = case_of("det", runs[1], here).save(runs[1]["det"])
    neck = built["det"].model.neck
    neck.init_cfg = dict(type="Pretrained", checkpoint=str(path), **init_cfg)
    try:
        with pytest.raises(CheckpointDoesNotFit, match=message):
            look_before_training(built["det"])
        neck.init_cfg = dict(type="Pretrained", checkpoint=str(path), prefix="neck.")
        look_before_training(built["det"])
    finally:
        neck.init_cfg = None
