"""Which devices a run finds, and several processes on none but CPUs."""

from datetime import timedelta

import torch.distributed
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device

from mmfastervit.config.tree import dotted, walk
from mmfastervit.models.layers.conv import SYNCHRONISED_NORMS


def has_accelerator() -> bool:
    """Whether there is a device on which mmengine trains in mixed precision."""
    return get_device() in ("cuda", "npu", "mlu", "musa")


def join_cpu_processes(cfg: Config) -> None:
    """Connect the processes that torchrun started on a machine without accelerator.

    mmengine's own start chooses a GPU for each process and so fails there. This joins the
    processes by gloo and lets the model be wrapped without a GPU's number. With an accelerator,
    or in a single process, mmengine's way is right and nothing is done.

    Raises:
        ValueError: the config's backend, or a norm of its model, needs GPUs.
    """
    if cfg.launcher != "pytorch" or has_accelerator():
        return
    options = dict((cfg.get("env_cfg") or {}).get("dist_cfg") or {})
    backend = options.pop("backend", "nccl")
    if backend == "nccl":
        raise ValueError(
            "torch finds no GPU, and the processes are to talk by nccl, which needs them; on CPUs"
            " use --cfg-options env_cfg.dist_cfg.backend=gloo"
        )
    _refuse_synchronised_norms(cfg)
    if "timeout" in options:
        options["timeout"] = timedelta(seconds=options["timeout"])
    torch.distributed.init_process_group(backend=backend, **options)
    wrapper = ConfigDict(
        type="MMDistributedDataParallel",
        broadcast_buffers=False,
        find_unused_parameters=cfg.get("find_unused_parameters", False),
        device_ids=None,
    )
    wrapper.update(cfg.get("model_wrapper_cfg") or {})
    cfg.model_wrapper_cfg = wrapper


def _refuse_synchronised_norms(cfg: Config) -> None:
    """Raise ValueError if a norm is to be synchronised; on CPUs torch refuses even one process."""
    instead = [
        f"{dotted(path)}=BN"
        for path, value in walk(cfg.model, ("model",))
        if path[-1] == "type" and isinstance(value, str) and value in SYNCHRONISED_NORMS
    ]
    if cfg.get("sync_bn"):  # mmengine makes all batch norms of the model such ones
        instead.append("sync_bn=None")
    if instead:
        raise ValueError(
            "batch norms that are synchronised between processes need GPUs, and torch finds none; "
            f"on CPUs use --cfg-options {' '.join(instead)}"
        )
