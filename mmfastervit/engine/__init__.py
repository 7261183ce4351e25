"""From a command line to mmengine's Runner: options, checks before the start, safe resuming."""

from mmfastervit.engine.arguments import (
    ConfigOptions,
    add_common_arguments,
    exit_on_user_error,
    parse_arguments,
    pickle_path,
)
from mmfastervit.engine.commands import (
    build_runner,
    dump_predictions,
    enable_amp,
    enable_auto_scale_lr,
    enable_deploy,
    enable_tta,
    enable_visualization,
    find_config,
    load_config,
    set_resume,
    set_seed,
    settle_precision,
)
from mmfastervit.engine.devices import join_cpu_processes
from mmfastervit.engine.preflight import MissingInputsError, check_inputs
from mmfastervit.engine.resume import allow_mmengine_checkpoints

__all__ = [
    "ConfigOptions",
    "MissingInputsError",
    "add_common_arguments",
    "allow_mmengine_checkpoints",
    "build_runner",
    "check_inputs",
    "dump_predictions",
    "enable_amp",
    "enable_auto_scale_lr",
    "enable_deploy",
    "enable_tta",
    "enable_visualization",
    "exit_on_user_error",
    "find_config",
    "join_cpu_processes",
    "load_config",
    "parse_arguments",
    "pickle_path",
    "set_resume",
    "set_seed",
    "settle_precision",
]
