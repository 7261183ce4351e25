"""Training models that are too large for one GPU: parameters in shards over all processes."""

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed as dist
import torch.distributed.fsdp
from mmengine.device import get_device
from mmengine.dist import barrier, broadcast, broadcast_object_list, is_main_process
from mmengine.model import BaseModule
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, distribute_tensor

from mmfastervit.checkpoint.sharded import (
    REST,
    WEIGHTS,
    is_sharded,
    load_shards,
    read_rest,
    write_manifest,
)
from mmfastervit.config.tree import type_name
from mmfastervit.models.layers.conv import ConvBlock, Downsample
from mmfastervit.models.layers.hat import HATBlock
from mmfastervit.registry import RUNNERS

fully_shard: Any = getattr(torch.distributed.fsdp, "fully_shard", None)  # since torch 2.6
UNITS = (ConvBlock, Downsample, HATBlock)  # gathered one at a time, see _lends
_WHOLE_MODEL_HOOKS = ("EMAHook",)


@RUNNERS.register_module()
class ShardedRunner(Runner):
    """mmengine's runner for a model of which every process holds a part, by torch's FSDP2.

    In a config: ``runner_type = 'mmfastervit.ShardedRunner'``, started by torchrun. Every block of
    FasterViT and of HAT is gathered while it computes, the rest of the model for the whole step;
    gradients and the optimizer's state stay in parts. Before it is split, the model is built and
    initialised whole in every process.

    Checkpoints, by SafeCheckpointHook, are folders that end in ``.sharded``, to which every process
    writes its part and from which any number of processes goes on; ``mmfastervit gather`` makes one
    file of them. Files of weights alone, the best checkpoints and those to start from, are whole.

    Raises:
        ValueError: torch is older than 2.6, no launcher started the run, or the config asks for
            what needs the whole model: mmengine's AMP or checkpoint hook, averaged weights.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        self._saved: Mapping[str, Any] = {}
        super().__init__(*args, **kwargs)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Initialise the model, the same in all processes, and leave each its part."""
        _check(self.cfg)
        model = model.to(get_device())
        if isinstance(model, BaseModule):
            model.init_weights()
        for value in model.state_dict().values():
            broadcast(value)
        shard(model, init_device_mesh(get_device(), (dist.get_world_size(),)))
        return model

    def _init_model_weights(self) -> None:
        """Done before the model was split."""

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save the run in shards, or weights alone to one file; all processes must call it.

        Args:
            out_dir: A folder.
            filename: A name in it; one that ends in ``.sharded`` makes a folder of shards.
            args: As of mmengine's.
            kwargs: As of mmengine's.

        Raises:
            OSError: A process could not write.
            ValueError: The optimizer is to be saved to one file.
        """
        if not is_sharded(filename):
            if kwargs.get("save_optimizer", True):
                raise ValueError(f"{filename}: with the optimizer, the name must end in .sharded")
            whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
            self._saved = get_model_state_dict(self.model, options=whole)
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        with _folder_written_whole(Path(out_dir, filename)) as part:
            weights = get_model_state_dict(self.model)
            states = get_optimizer_state_dict(self.model, self.optim_wrapper.optimizer)
            with _as_os_error():
                dcp.save({WEIGHTS: weights, "optimizer": states}, checkpoint_id=part)
            self._saved = {}
            super().save_checkpoint(str(part), REST, *args, **{**kwargs, "save_optimizer": False})
            if is_main_process():
                write_manifest(part)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call hooks; those that change a checkpoint find in it what is saved."""
        if fn_name == "before_save_checkpoint":
            kwargs["checkpoint"]["state_dict"] = self._saved
        super().call_hook(fn_name, **kwargs)

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> Any:
        """Load weights, from one file or from shards; arguments as of mmengine's."""
        if not is_sharded(filename):
            return super().load_checkpoint(filename, *args, **kwargs)
        weights = get_model_state_dict(self.model)
        load_shards({WEIGHTS: weights}, Path(filename))
        set_model_state_dict(self.model, weights)
        self._has_loaded = True
        return read_rest(Path(filename))

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on from a checkpoint in shards, of any number of processes; as mmengine's.

        Raises:
            ValueError: ``filename`` is one file.
        """
        if not is_sharded(filename):
            raise ValueError(
                f"{filename} is no checkpoint in shards, so that no run with parameters in shards "
                f"can go on from it; to start one from its weights: load_from={filename}"
            )
        super().resume(filename, *args, **kwargs)
        optimizer = self.optim_wrapper.optimizer
        states = get_optimizer_state_dict(self.model, optimizer)
        load_shards({"optimizer": states}, Path(filename))
        set_optimizer_state_dict(self.model, optimizer, states)


def _check(cfg: Any) -> None:
    if fully_shard is None:
        raise ValueError("parameters in shards need torch 2.6 or newer")
    wrapper = type_name((cfg.get("optim_wrapper") or {}).get("type", "OptimWrapper"))
    if wrapper == "AmpOptimWrapper":
        raise ValueError(
            "AmpOptimWrapper scales the loss of a whole model; with parameters in shards use "
            "--cfg-options optim_wrapper.type=mmfastervit.BFloat16OptimWrapper"
        )
    hook = type_name(((cfg.get("default_hooks") or {}).get("checkpoint") or {}).get("type", ""))
    if hook != "SafeCheckpointHook":
        raise ValueError(
            "parameters in shards are saved by SafeCheckpointHook alone: --cfg-options "
            "default_hooks.checkpoint.type=mmfastervit.SafeCheckpointHook"
        )
    named = [type_name(one["type"]) for one in cfg.get("custom_hooks") or ()]
    for name in _WHOLE_MODEL_HOOKS:
        if name in named:
            raise ValueError(f"{name} of custom_hooks copies a whole model: leave it out")
    if not dist.is_initialized():
        raise ValueError(
            "runner_type=mmfastervit.ShardedRunner needs processes to share the model: start it by "
            "tools/dist_train.sh CONFIG GPUS"
        )


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Leave each process of a mesh its part of a model's parameters, in place.

    Args:
        model: The same in all processes, on its device.
        mesh: Of one dimension.
    """
    for module in model.modules():
        if isinstance(module, UNITS) and not _lends(module):
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for module in model.modules():
        module.register_load_state_dict_pre_hook(_split)


def _lends(unit: nn.Module) -> bool:
    """Whether the model computes with a part of the unit outside of it, as propagation does."""
    return any(getattr(module, "lends_scale", False) for module in unit.modules())


def _split(module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Split whole weights that are to be loaded as the module's own are."""
    for name, own in module.named_parameters(recurse=False):
        value = weights.get(prefix + name)
        if isinstance(own, DTensor) and isinstance(value, Tensor) and own.shape == value.shape:
            if not isinstance(value, DTensor):
                value = distribute_tensor(
                    value.to(own.device), own.device_mesh, own.placements, src_data_rank=None
                )
            weights[prefix + name] = value


@contextmanager
def _folder_written_whole(target: Path) -> Iterator[Path]:
    """Give all processes a folder beside ``target`` to write to, which then takes its place."""
    names = [f".{uuid.uuid4().hex}.{target.name}"]
    broadcast_object_list(names)
    part = target.with_name(names[0])
    if is_main_process():
        part.mkdir(parents=True)
    barrier()
    try:
        yield part
        barrier()
        if is_main_process():
            old = target.with_name(f".{uuid.uuid4().hex}.{target.name}")
            if target.exists():
                os.replace(target, old)
            os.replace(part, target)
            shutil.rmtree(old, ignore_errors=True)
        barrier()
    finally:
        if is_main_process():
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise the first error of any process that could not write."""
    try:
        yield
    except CheckpointException as error:
        rank, (first, _) = next(iter(error.failures.items()))
        number = getattr(first, "errno", None)
        raise OSError(number, f"process {rank}: {first}") from error
