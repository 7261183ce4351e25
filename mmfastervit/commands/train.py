"""Train a detector or a segmentor.

Examples:
    mmfastervit train configs/det/NAME.py --work-dir work_dirs/try --seed 0
    mmfastervit train mmfastervit::seg/NAME.py --cfg-options train_dataloader.batch_size=4
    mmfastervit train CONFIG --resume
"""

from argparse import ArgumentParser, Namespace

from mmengine.config import Config

from mmfastervit.engine import options
from mmfastervit.engine.checkpoint_fit import look_before_training
from mmfastervit.engine.claiming import FolderInUse
from mmfastervit.engine.config_mistakes import ConfigMistake, mistakes_told
from mmfastervit.engine.devices import join_cpu_processes
from mmfastervit.engine.preflight import check_inputs
from mmfastervit.engine.samples import SampleFailed
from mmfastervit.engine.saving import CheckpointNotWritten, Diverged, ResumedApart

from .arguments import (
    CommandFailed,
    WrongRequest,
    add_allow_partial,
    add_run_arguments,
    export_local_rank,
    told_as,
)
from .data_look import show_data


def add_arguments(parser: ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--amp", action="store_true", help="train in mixed precision")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="PATH",
        help="go on from a checkpoint; without PATH from the newest whole one in the work dir",
    )
    add_allow_partial(parser, "start from a load_from that has less than half of the weights")
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate to the real total batch size",
    )
    parser.add_argument("--seed", type=int, help="random seed (default: a random one)")
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="let torch compute the same way every time, which may be slower",
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="write the curves for TensorBoard too"
    )
    parser.add_argument(
        "--wandb", action="store_true", help="send the curves to Weights & Biases too"
    )


def prepare(arguments: Namespace) -> tuple[Config, bool]:
    """Read the config, apply the options and check that the run can start."""
    export_local_rank(arguments)
    cfg = options.load_config(
        arguments.config, arguments.cfg_options, arguments.work_dir, arguments.launcher
    )
    options.check_model(cfg)
    if arguments.amp:
        options.enable_amp(cfg)
    if arguments.auto_scale_lr:
        options.enable_auto_scale_lr(cfg)
    options.set_randomness(cfg, arguments.seed, arguments.deterministic)
    options.set_resume(cfg, arguments.resume)
    for option in ("tensorboard", "wandb"):
        if getattr(arguments, option):
            options.log_to(cfg, option)
    options.settle_precision(cfg)
    options.check_paramwise(cfg)
    check_inputs(cfg, "train")
    show_data(arguments, cfg, "train", arguments.seed or 0)
    join_cpu_processes(cfg)
    return cfg, arguments.allow_partial


def run(prepared: tuple[Config, bool]) -> int:
    """Train.

    Raises:
        WrongRequest: The run cannot be built, its checkpoint is not that of the model, its
            work dir is another run's or not the same for all machines, or --wandb has no account.
        CommandFailed: A checkpoint could not be written, a loss is not finite, a sample could not
            be loaded, or the curves not be sent.
    """
    cfg, allow_partial = prepared
    elsewhere = options.errors_of_backends(cfg)
    with told_as(WrongRequest, ConfigMistake, *elsewhere), mistakes_told(cfg):
        runner = options.build_runner(cfg)
    with told_as(WrongRequest, ValueError, FileNotFoundError):
        look_before_training(runner, allow_partial)
    with (
        told_as(CommandFailed, CheckpointNotWritten, Diverged, SampleFailed, *elsewhere),
        told_as(WrongRequest, ConfigMistake, FolderInUse, ResumedApart),
        mistakes_told(cfg, runner),
    ):
        runner.train()
    return 0
