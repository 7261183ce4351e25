"""Test a detector or a segmentor.

Example: python tools/test.py configs/det/NAME.py work_dirs/try/epoch_12.pth --show-dir pictures
"""

from argparse import ArgumentParser, Namespace

from mmengine.config import Config

from mmfastervit.checkpoint.allowed import allow_mmengine_checkpoints
from mmfastervit.engine.devices import join_cpu_processes
from mmfastervit.engine.hooks import find_deployable
from mmfastervit.engine.options import (
    build_runner,
    dump_predictions,
    enable_deploy,
    enable_tta,
    enable_visualization,
    load_config,
)
from mmfastervit.engine.preflight import check_inputs

from .arguments import add_common_arguments, exit_on_user_error, parse_arguments, pickle_path


def build_parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    add_common_arguments(parser)
    parser.add_argument("checkpoint", help="checkpoint file or URL")
    parser.add_argument(
        "--out", type=pickle_path, metavar="FILE.pkl", help="write the predictions to this file"
    )
    parser.add_argument(
        "--show-dir",
        metavar="DIR",
        help="draw ground truth beside prediction, a picture for each image, into this folder"
        " (of a distributed test, the images of the first process)",
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="test-time augmentation: the config's own, or else the image and its mirror image",
    )
    parser.add_argument(
        "--deploy",
        action="store_true",
        help="test with normalisation and scales of the backbone folded into its other weights",
    )
    return parser


def prepare(arguments: Namespace) -> Config:
    """Read the config, apply the options and check that the run can start."""
    cfg = load_config(
        arguments.config, arguments.cfg_options, arguments.work_dir, arguments.launcher
    )
    cfg.load_from = arguments.checkpoint
    cfg.resume = False
    if arguments.show_dir:
        enable_visualization(cfg, arguments.show_dir)
    if arguments.deploy:
        enable_deploy(cfg)
    if arguments.tta:
        enable_tta(cfg)
    if arguments.out:
        dump_predictions(cfg, arguments.out)
    check_inputs(cfg, "test")
    join_cpu_processes(cfg)
    return cfg


def main() -> None:
    parser = build_parser()
    arguments = parse_arguments(parser)
    with exit_on_user_error(parser):
        cfg = prepare(arguments)
    allow_mmengine_checkpoints()
    runner = build_runner(cfg)
    if arguments.deploy:
        with exit_on_user_error(parser):
            find_deployable(runner.model)
    runner.test()


if __name__ == "__main__":
    main()
