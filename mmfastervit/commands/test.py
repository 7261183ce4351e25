"""Test a detector or a segmentor.

With --model a file of `mmfastervit export --part model` is tested in the place of the checkpoint,
by ONNX Runtime or OpenVINO: the same data, the same metrics, of what is deployed.

Examples:
    mmfastervit test configs/det/NAME.py work_dirs/try/epoch_12.pth --show-dir pictures
    mmfastervit test configs/seg/NAME.py CHECKPOINT --tta --out predictions.pkl
    mmfastervit test my_config.py --model model.onnx --runtime openvino
"""

from argparse import ArgumentParser, Namespace

from mmengine.config import Config

from mmfastervit.engine import options
from mmfastervit.engine.devices import join_cpu_processes
from mmfastervit.engine.preflight import check_inputs

from .arguments import add_allow_partial, add_run_arguments, export_local_rank, pickle_path
from .data_look import show_data
from .runtime_options import add_runtime_options, running_asked
from .testing import run_test


def add_arguments(parser: ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument(
        "checkpoint", nargs="?", help="checkpoint file or URL; needed where there is no --model"
    )
    add_runtime_options(parser)
    add_allow_partial(parser, "test a checkpoint that lacks weights of the model")
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


def prepare(arguments: Namespace) -> tuple[Config, bool, str]:
    """Read the config, apply the options and check that the run can start."""
    running = running_asked(arguments, "deploy", "tta", "allow_partial")
    if running.file and arguments.launcher != "none":
        raise ValueError("--launcher is for checkpoints: a file is run in one process")
    export_local_rank(arguments)
    cfg = options.load_config(
        arguments.config, arguments.cfg_options, arguments.work_dir, arguments.launcher
    )
    options.check_model(cfg)
    cfg.load_from = arguments.checkpoint
    cfg.resume = False
    if arguments.show_dir:
        options.enable_visualization(cfg, arguments.show_dir)
    if arguments.deploy:
        options.enable_deploy(cfg)
    if arguments.tta:
        options.enable_tta(cfg)
    if arguments.out:
        options.dump_predictions(cfg, arguments.out)
    check_inputs(cfg, "test")
    show_data(arguments, cfg, "test")
    if running.file:  # after the look at the data, which compares them with the model's config
        options.enable_file(cfg, running.file, running.runtime, running.precision)
    join_cpu_processes(cfg)
    return cfg, arguments.allow_partial, running.precision


def run(prepared: tuple[Config, bool, str]) -> int:
    """Test.

    Raises:
        WrongRequest, CommandFailed: As :func:`~.testing.run_test` does.
    """
    cfg, allow_partial, precision = prepared
    run_test(cfg, allow_partial, precision=precision)
    return 0
