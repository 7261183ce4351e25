"""A mistake in a config ends a run in one line: its key, and the word that was meant."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, init_default_scope
from support.little_runs import TASKS, draw, little_run, quicken, written

from mmfastervit.commands import main

IN = "train_dataloader.dataset"
MISTAKES = {
    "type of the optimizer": (
        "optim_wrapper.optimizer.type=AdmW",
        "optim_wrapper.optimizer.type='AdmW': no optimizer has that name, did you mean 'AdamW'?",
    ),
    "argument of the optimizer": (
        "optim_wrapper.optimizer.weight_decy=0.1",
        "optim_wrapper.optimizer.weight_decy: AdamW takes no 'weight_decy', did you mean "
        "'weight_decay'?",
    ),
    "lacking argument of the optimizer": (
        "optim_wrapper.optimizer=dict(type='SGD',lr='a')",
        "optim_wrapper.optimizer: SGD cannot be built: TypeError",
    ),
    "type of the wrapper": (
        "optim_wrapper.type=OptimWraper",
        "optim_wrapper.type='OptimWraper': no optim_wrapper has that name, did you mean "
        "'OptimWrapper'?",
    ),
    "type of a transform": (
        f"{IN}.pipeline.0.type=LoadImageFromFil",
        f"{IN}.pipeline.0.type='LoadImageFromFil': no transform has that name, did you mean "
        "'LoadImageFromFile'?",
    ),
    "argument of a transform": (
        f"{IN}.pipeline.0.color_typ=grayscale",
        f"{IN}.pipeline.0.color_typ: LoadImageFromFile takes no 'color_typ', did you mean "
        "'color_type'?",
    ),
    "type of a hook": (
        "default_hooks.checkpoint.type=mmfastervit.SafeCheckpointHok",
        "default_hooks.checkpoint.type='mmfastervit.SafeCheckpointHok': no hook has that name",
    ),
    "argument of a hook": (
        "default_hooks.checkpoint.max_keep_ckpt=2",
        "default_hooks.checkpoint.max_keep_ckpt: SafeCheckpointHook takes no 'max_keep_ckpt', did "
        "you mean 'max_keep_ckpts'?",
    ),
    "type of a custom hook": (
        "custom_hooks=[dict(type='EMAHok')]",
        "custom_hooks.0.type='EMAHok': no hook has that name, did you mean 'EMAHook'?",
    ),
    "type of the backbone": (
        "model.backbone.type=mmfastervit.FasterVit",
        "model.backbone.type='mmfastervit.FasterVit': no model has that name",
    ),
    "argument of the backbone": (
        "model.backbone.out_indexes=(1,2)",
        "model.backbone.out_indexes: FasterViT takes no 'out_indexes', did you mean 'out_indices'?",
    ),
    "value of the backbone": (
        "model.backbone.arch=fastervit_9",
        "model.backbone: FasterViT cannot be built: unknown arch 'fastervit_9'",
    ),
    "type of the model": ("model.type=Nobody", "model.type='Nobody': no model has that name"),
    "type of the data set": (
        f"{IN}.type=Cocodataset",
        f"{IN}.type='Cocodataset': no dataset has that name",
    ),
    "argument of the data set": (f"{IN}.ann_fil=x", f"{IN}.ann_fil: "),
    "argument of the data loader": (
        "train_dataloader.num_worker=2",
        "train_dataloader.num_worker: there is no 'num_worker' here, did you mean 'num_workers'?",
    ),
    "multiplier of the optimizer": (
        "optim_wrapper.paramwise_cfg.norm_decy_mult=0",
        "optim_wrapper.paramwise_cfg.norm_decy_mult: there is no such setting, did you mean "
        "'norm_decay_mult'?",
    ),
    "type of the sampler": (
        "train_dataloader.sampler.type=DefaultSamplr",
        "train_dataloader.sampler.type='DefaultSamplr': no data sampler has that name, did you "
        "mean 'DefaultSampler'?",
    ),
    "type of the schedule": (
        "param_scheduler.0.type=LinerLR",
        "param_scheduler.0.type='LinerLR': no parameter scheduler has that name, did you mean "
        "'LinearLR'?",
    ),
    "argument of the schedule": (
        "param_scheduler.0.start_facto=0.1",
        "param_scheduler.0.start_facto: LinearLR takes no 'start_facto', did you mean "
        "'start_factor'?",
    ),
    "type of the metric": (
        "val_evaluator.type=Nobody",
        "val_evaluator.type='Nobody': no metric has that name",
    ),
    "type of a loss": ("{head}.loss_cls=dict(type='FocalLos')", "type='FocalLos': no model"),
}


@pytest.fixture(scope="module")
def configs(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("data")
    draw(folder)
    return {task: str(written(little_run(task, folder), folder / f"{task}.py")) for task in TASKS}


@pytest.fixture
def told(configs, tmp_path, monkeypatch, capsys):
    """What a training says, and how it ends."""
    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)

    def run(task: str, *options: str, command: tuple = ("train",)) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(argv=[command[0], configs[task], *command[1:], "--cfg-options", *options])
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return ended.value.code, error.splitlines()[-1] if error else ""

    return run


QUICK = [  # the others differ in the key alone
    *(f"{what} of the optimizer" for what in ("type", "argument")),
    "argument of the data loader",
    "multiplier of the optimizer",
    *(f"{what} of a transform" for what in ("type", "argument")),
    *(f"{what} of a hook" for what in ("type", "argument")),
    *(f"{what} of the backbone" for what in ("type", "argument", "value")),
]


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in MISTAKES],
)
def test_a_mistake_is_named_with_its_key(name, told):
    option, words = MISTAKES[name]
    task = TASKS[len(name) % 2] if name != "type of a loss" else "det"
    status, line = told(task, option.format(head="model.bbox_head"))
    assert words in line
    assert status == 2


CHANNELS = {
    ("det", "model.neck.in_channels=[16,32,96]"): (
        "model.neck.in_channels=[16, 32, 96]: it reads maps of 96 channels and is given 64 in its "
        "layer lateral_convs.2.conv"
    ),
    ("det", "model.neck.in_channels=[16,32]"): (
        "model.neck.in_channels=[16, 32]: AssertionError: "
        "`assert len(inputs) == len(self.in_channels)`"
    ),
    ("det", "model.backbone.out_indices=(2,3)"): (
        "model.neck.in_channels=[16, 32, 64]: AssertionError: "
        "`assert len(inputs) == len(self.in_channels)` (fpn.py, line "
    ),
    ("det", "model.bbox_head.in_channels=32"): (
        "model.bbox_head.in_channels=32: it reads maps of 32 channels and is given 16 in its layer "
        "cls_convs.0.conv"
    ),
    ("seg", "model.decode_head.in_channels=32"): (
        "model.decode_head.in_channels=32: it reads maps of 32 channels and is given 64 in its "
        "layer convs.0.conv"
    ),
    ("seg", "model.decode_head.in_index=7"): ("model.decode_head.in_channels=64: IndexError: "),
}


@pytest.mark.parametrize(
    ("task", "option"),
    [
        pytest.param(*case, marks=pytest.mark.slow if index % 2 else ())
        for index, case in enumerate(CHANNELS)
    ],
)
def test_channels_that_do_not_meet_are_told_in_the_first_step(task, option, told):
    status, line = told(task, option)
    assert CHANNELS[task, option] in line
    assert status == 2


def test_an_error_in_a_later_step_keeps_its_traceback(configs, tmp_path, monkeypatch):
    class Fails(Hook):
        def after_train_iter(self, *arguments, **named) -> None:
            raise ValueError("a defect")

    monkeypatch.chdir(tmp_path)
    quicken(monkeypatch)
    monkeypatch.setitem(HOOKS.module_dict, "Fails", Fails)
    with pytest.raises(ValueError, match="a defect"):
        main(argv=["train", configs["seg"], "--cfg-options", "custom_hooks=[dict(type='Fails')]"])


def test_a_mistake_in_testing_is_told_too(told, configs, tmp_path):
    content = little_model(configs["seg"])
    torch.save(content, tmp_path / "w.pth")
    command = ("test", str(tmp_path / "w.pth"))
    status, line = told("seg", "test_evaluator.type=IoUMetic", command=command)
    assert (
        "test_evaluator.type='IoUMetic': no metric has that name, did you mean 'IoUMetric'?" in line
    )
    assert status == 2


def little_model(config: str) -> dict:
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model).state_dict()
