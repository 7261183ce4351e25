"""What each command-line option does to a config. Every function changes the config in place."""

import logging
import os
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmfastervit.checkpoint.reading import read_source
from mmfastervit.checkpoint.whole import learned_classes
from mmfastervit.config.finding import find_config, merged_at, reading_told
from mmfastervit.config.tree import dotted, leaf_datasets, plain, type_name, value_at, walk
from mmfastervit.runtimes import put_in_place
from mmfastervit.signatures import nearest, options_of

from .devices import has_accelerator
from .resuming import check_resumable, newest_whole
from .samples import name_failing_samples
from .tta import default_tta_model, flip_pipeline, size_remark

# Read by mmengine's Runner straight from the config, beyond the arguments of its constructor.
_RUNNER_EXTRAS = {
    "activation_checkpointing",
    "compile",
    "efficient_conv_bn_eval",
    "find_unused_parameters",
    "model_wrapper_cfg",
    "runner_type",
    "sync_bn",
    "tta_model",
    "tta_pipeline",
}
_PARAMWISE_READER = "DefaultOptimWrapperConstructor"
_PARAMWISE = (  # as it reads them, without asking for others
    "bias_decay_mult",
    "bias_lr_mult",
    "bypass_duplicate",
    "custom_keys",
    "dcn_offset_lr_mult",
    "dwconv_decay_mult",
    "flat_decay_mult",
    "norm_decay_mult",
)
_BACKENDS = {  # of mmengine's visualizer: option, type, the package that it writes with
    "tensorboard": ("TensorboardVisBackend", "tensorboard"),
    "wandb": ("WandbVisBackend", "wandb"),
}
_DRAWING_HOOKS = {"mmdet": "DetVisualizationHook", "mmseg": "SegVisualizationHook"}


def load_config(
    name: str,
    cfg_options: dict[str, Any] | None = None,
    work_dir: str | None = None,
    launcher: str = "none",
) -> Config:
    """Read a config, change it by ``cfg_options`` and settle where and how it runs.

    Args:
        name: a file, or ``"mmdet::FOLDER/FILE.py"`` of an installed OpenMMLab package.
        cfg_options: new values by dotted key.
        work_dir: goes before the config's own; without either, ``./work_dirs/<config stem>``.
        launcher: how the processes of a distributed run are started, ``"none"`` for one process.

    Raises:
        FileNotFoundError: there is no such config.
        ValueError: the file is no config, or an option cannot be applied.
    """
    cfg = read_changed(name, cfg_options)
    cfg.launcher = launcher
    named = str(Path("work_dirs") / Path(cfg.filename).stem)
    cfg.work_dir = work_dir or cfg.get("work_dir") or named
    return cfg


def read_changed(name: str, cfg_options: dict[str, Any] | None = None) -> Config:
    """Read a config of any kind and change it by ``cfg_options``.

    Raises:
        FileNotFoundError: there is no such config.
        ValueError: the file is no config, or an option cannot be applied.
    """
    path = find_config(name)
    with reading_told(name):
        cfg = Config.fromfile(path)
    _merge_options(cfg, cfg_options or {})
    return cfg


def _merge_options(cfg: Config, options: dict[str, Any]) -> None:
    """Merge ``options``; a first part that neither the config nor the Runner knows is a mistake."""
    known = {*cfg, *options_of(Runner), *_RUNNER_EXTRAS}
    for key in options:
        section = key.partition(".")[0]
        if section not in known:
            raise ValueError(
                f"--cfg-options {key}: the config has no {section!r}{nearest(section, known)}"
            )
        if section not in {*options_of(Runner), *_RUNNER_EXTRAS}:
            _refuse_spent(cfg, section)
    there = cfg.to_dict()
    try:
        cfg.merge_from_dict({key: _whole(there, key, value) for key, value in options.items()})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"--cfg-options {_misfit(error)}") from error


def _whole(there: dict, key: str, value: Any) -> Any:
    """The value of an option; a dict in the place of None is marked to be taken whole."""
    place = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    if isinstance(value, dict) and value_at(there, place) is None:
        return {"_delete_": True, **value}
    return value


def _refuse_spent(cfg: Config, variable: str) -> None:
    """Refuse to change a variable that other places of the config have taken their value from.

    The config's file was read before; what it computed from the variable stays as it is.
    """
    value = plain(cfg[variable])
    if value is None or isinstance(value, bool):
        return
    places = [
        dotted(path)
        for path, found in walk(cfg.to_dict())
        if len(path) > 1 and path[0] != variable and type(found) is type(value) and found == value
    ]
    if places:
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        raise ValueError(
            f"--cfg-options {variable}: the config's file has used this variable already, and its "
            f"value now stands in {', '.join(places[:3])}{more}; change it in the file, or those"
        )


def _misfit(error: Exception) -> str:
    """Say which option does not fit the config, and what stands there."""
    key, value, there, _ = merged_at(error)
    parent = key.rpartition(".")[0]
    if isinstance(error, AttributeError):  # mmengine takes keys for strings, and items for dicts
        return f"{key}: a key below it is no name, or an item of a list is no dict; give it whole"
    if isinstance(there, (list, tuple)):
        return f"{key}: {parent} is a list, of items 0 to {len(there) - 1}"
    if there is None and isinstance(value, dict):
        whole = ", ".join(f"{name}=..." for name in value)
        return f"{key} is None in the config; give all of it: '{key}=dict({whole})'"
    if isinstance(value, dict):
        return f"{key} is {there!r} in the config, which has nothing below it"
    return f"{key}: {error.args[0]}"


def check_model(cfg: Config) -> None:
    """Raise ValueError unless the config defines a model."""
    if not isinstance(cfg.get("model"), dict):
        raise ValueError("this config has no model: it is a part for others to build on")


def build_runner(cfg: Config) -> Runner:
    """Build the Runner that ``runner_type`` names, by default mmengine's own.

    Its data loaders name the file of a sample that can't be loaded.
    """
    runner = RUNNERS.build(cfg) if "runner_type" in cfg else Runner.from_cfg(cfg)
    name_failing_samples(runner)
    return runner


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision with a dynamic loss scale.

    Raises:
        ValueError: the config's optimizer wrapper has no counterpart in mixed precision.
    """
    kind = _wrapper_kind(cfg)
    if kind == "AmpOptimWrapper":
        print_log("--amp: the config trains in mixed precision already", logger="current")
        return
    if kind != "OptimWrapper":
        raise ValueError(
            f"--amp works with optim_wrapper.type=OptimWrapper, this config has {kind}"
        )
    cfg.optim_wrapper.type = "AmpOptimWrapper"
    cfg.optim_wrapper.setdefault("loss_scale", "dynamic")


def settle_precision(cfg: Config) -> None:
    """Fit the optimizer wrapper to its type and to this machine.

    Arguments that only ``AmpOptimWrapper`` takes are dropped from a plain ``OptimWrapper``, so
    that mixed precision is switched off by the type alone.

    Raises:
        ValueError: mixed precision is asked for and there is no accelerator.
    """
    kind = _wrapper_kind(cfg)
    if kind == "OptimWrapper":
        for name in ("loss_scale", "dtype", "use_fsdp"):
            cfg.optim_wrapper.pop(name, None)
    if kind == "AmpOptimWrapper" and not has_accelerator():
        raise ValueError(
            "mixed precision (optim_wrapper.type=AmpOptimWrapper) needs a GPU and torch finds none;"
            " leave out --amp, or train in full precision by"
            " --cfg-options optim_wrapper.type=OptimWrapper"
        )


def _wrapper_kind(cfg: Config) -> str:
    if not cfg.get("optim_wrapper"):
        raise ValueError("this config cannot be trained: it has no optim_wrapper")
    return type_name(cfg.optim_wrapper.get("type", "OptimWrapper"))


def check_paramwise(cfg: Config) -> None:
    """Raise ValueError where the settings by parameter have one that mmengine would pass over.

    Constructors of others read settings of their own.
    """
    wrapper = cfg.get("optim_wrapper") or {}
    if type_name(wrapper.get("constructor", _PARAMWISE_READER)) != _PARAMWISE_READER:
        return
    for name in wrapper.get("paramwise_cfg") or {}:
        if name not in _PARAMWISE:
            key = f"optim_wrapper.paramwise_cfg.{name}"
            raise ValueError(f"{key}: there is no such setting{nearest(name, _PARAMWISE)}")


def enable_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate by the ratio of the real to the config's total batch size.

    Raises:
        ValueError: the config does not say for which batch size its learning rate is meant.
    """
    if not (cfg.get("auto_scale_lr") or {}).get("base_batch_size"):
        raise ValueError(
            "--auto-scale-lr: the config does not say for how many images a step its learning rate"
            " is meant; add --cfg-options auto_scale_lr.base_batch_size=N"
        )
    cfg.auto_scale_lr.enable = True


def set_resume(cfg: Config, resume: str | None) -> None:
    """Go on from a checkpoint, optimizer and schedule included.

    Args:
        cfg: the config, its ``work_dir`` settled.
        resume: a checkpoint; ``"auto"`` for the newest whole one in the work dir, whatever
            ``last_checkpoint`` says there; None to do as the config says, whose ``resume=True``
            without ``load_from`` means the same. Where there is none the run starts anew, from
            ``load_from`` if set.

    Raises:
        ValueError: ``resume`` is a file that no run can go on from.
    """
    if resume is None and cfg.get("resume") and not cfg.get("load_from"):
        resume = "auto"
    if resume == "auto":
        out_dir = ((cfg.get("default_hooks") or {}).get("checkpoint") or {}).get("out_dir")
        folders = [Path(cfg.work_dir)]
        folders += [Path(out_dir) / folders[0].name] if out_dir else []
        found = newest_whole(folders, partial(print_log, logger="current"))
        cfg.resume = found is not None
        if found:
            cfg.load_from = str(found)
        else:
            message = f"--resume: no whole checkpoint in {cfg.work_dir}, starting anew"
            print_log(message, "current", logging.WARNING)
    elif resume is not None:
        if Path(resume).exists():
            check_resumable(Path(resume))
        cfg.resume = True
        cfg.load_from = resume


def set_randomness(cfg: Config, seed: int | None, deterministic: bool) -> None:
    """Fix the random seed, or how torch computes, and keep the config's other settings of both."""
    settings = dict(seed=None) | (cfg.get("randomness") or {})
    if seed is not None:
        settings["seed"] = seed
    if deterministic:
        settings["deterministic"] = True
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what NVIDIA's cuBLAS asks
    cfg.randomness = settings


def enable_visualization(cfg: Config, show_dir: str) -> None:
    """Write a picture of each tested image, ground truth beside prediction, to ``show_dir``.

    Raises:
        ValueError: neither mmdet nor mmseg draws for this config.
    """
    scope = cfg.get("default_scope")
    if scope not in _DRAWING_HOOKS:
        raise ValueError(f"--show-dir knows how to draw for mmdet and mmseg, not for {scope!r}")
    folder = str(Path(show_dir).absolute())
    hooks = cfg.setdefault("default_hooks", ConfigDict())
    hook = hooks.setdefault("visualization", ConfigDict(type=_DRAWING_HOOKS[scope]))
    hook.draw = True
    if scope == "mmdet":
        hook.test_out_dir = folder
        return
    hook.interval = 1
    visualizer = cfg.setdefault("visualizer", ConfigDict(type="SegLocalVisualizer"))
    backends = _as_list(visualizer.get("vis_backends") or [])
    local = [backend for backend in backends if type_name(backend["type"]) == "LocalVisBackend"]
    if not local:
        local = [ConfigDict(type="LocalVisBackend")]
        backends += local
    local[0]["img_save_dir"] = folder  # for its images alone, not for its logs
    visualizer.vis_backends = backends


def log_to(cfg: Config, option: str) -> None:
    """Write what a run logs to another place too, by mmengine's own backend for it.

    Its own logs stay, which ``mmfastervit plot`` reads.

    Args:
        cfg: the config.
        option: ``"tensorboard"`` or ``"wandb"``.

    Raises:
        ValueError: the package that the backend writes with is not installed.
    """
    kind, package = _BACKENDS[option]
    spec = find_spec(package)
    if spec is None or spec.origin is None:  # a folder of that name, as wandb makes, is no package
        raise ValueError(f"--{option} needs the package {package}: pip install {package}")
    visualizer = cfg.get("visualizer") or ConfigDict(type="mmengine.Visualizer")
    backends = _as_list(visualizer.get("vis_backends") or [ConfigDict(type="LocalVisBackend")])
    if not any(type_name(backend["type"]) == kind for backend in backends):
        backends.append(ConfigDict(type=kind))
    visualizer.vis_backends = backends
    cfg.visualizer = visualizer


def errors_of_backends(cfg: Config) -> tuple[type[Exception], ...]:
    """What a run's other places to log to end it with, as where there is no account there."""
    backends = _as_list((cfg.get("visualizer") or {}).get("vis_backends") or [])
    kind, package = _BACKENDS["wandb"]
    if not any(type_name(backend["type"]) == kind for backend in backends):
        return ()
    spec = find_spec(package)
    return (import_module(package).Error,) if spec and spec.origin else ()


def dump_predictions(cfg: Config, path: str) -> None:
    """Write the predictions to a pickle file when the test is over, besides the metrics.

    Args:
        cfg: the config.
        path: a .pkl or .pickle file. Detections hold masks in COCO's run-length code; other
            tasks' files hold all that the model returned, and are large.
    """
    kind = "DumpDetResults" if cfg.get("default_scope") == "mmdet" else "DumpResults"
    dump = ConfigDict(type=kind, out_file_path=path)
    evaluator = cfg.test_evaluator
    if isinstance(evaluator, dict) and "metrics" in evaluator:
        evaluator["metrics"] = [*_as_list(evaluator["metrics"]), dump]
    else:
        cfg.test_evaluator = [*_as_list(evaluator), dump]


def _as_list(value: Any) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def enable_deploy(cfg: Config) -> None:
    """Test with the backbone deployed: its norms and scales folded, its tables frozen."""
    hooks = cfg.get("custom_hooks") or []
    if not any(type_name(hook["type"]) == "DeployHook" for hook in hooks):
        cfg.custom_hooks = [*hooks, ConfigDict(type="mmfastervit.DeployHook")]


def enable_file(cfg: Config, file: Path, runtime: str, precision: str) -> None:
    """Test a file of ``mmfastervit export --part model`` in the place of the model.

    Raises:
        FileNotFoundError: there is no such file, or no such checkpoint beside it.
        ValueError: it does not say what it is, or is of another model or of other classes than the
            config, or than the checkpoint that ``load_from`` names.
    """
    stated = put_in_place(cfg, file, runtime, precision)
    if cfg.get("load_from"):
        learned = learned_classes(read_source(cfg.load_from))
        stated.check_classes(learned, file, cfg.load_from)
    cfg.load_from = None
    hooks = cfg.get("custom_hooks") or []  # an exported model is deployed already
    cfg.custom_hooks = [hook for hook in hooks if type_name(hook["type"]) != "DeployHook"]
    cfg.pop("compile", None)
    if remark := stated.scales_coarsely(cfg):
        print_log(f"{file}: {remark}", "current", logging.WARNING)


def enable_tta(cfg: Config) -> None:
    """Test on several views of each image and merge the predictions.

    The config's ``tta_model`` and ``tta_pipeline`` are used where it has them; otherwise the views
    are the image and its mirror image. A warning says so where none of the config's views has the
    size of its test pipeline.

    Raises:
        ValueError: the config has none, and the default does not fit its model or its pipeline.
    """
    scope = cfg.get("default_scope", "mmengine")
    tta_model = cfg.get("tta_model") or default_tta_model(cfg.model, scope)
    remarks = []
    for _, dataset in leaf_datasets(cfg.test_dataloader.dataset, "test_dataloader.dataset"):
        tests = dataset["pipeline"]
        dataset["pipeline"] = cfg.get("tta_pipeline") or flip_pipeline(tests)
        remarks.append(size_remark(tests, dataset["pipeline"]))
    for remark in filter(None, dict.fromkeys(remarks)):
        print_log(remark, "current", logging.WARNING)
    cfg.model = ConfigDict(**tta_model, module=cfg.model)
