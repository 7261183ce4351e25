"""Training in bfloat16 without the loss scale that float16 needs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from mmfastervit.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """mmengine's optimizer wrapper, with the model's step under autocast to bfloat16.

    In a config: ``optim_wrapper = dict(type='mmfastervit.BFloat16OptimWrapper', ...)``. Parameters,
    gradients and the optimizer stay in float32; on CPUs, on GPUs, and with parameters in shards.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Let the model compute in bfloat16.

        Without autocast's cache, which keeps the weights in bfloat16 to the end of the forward
        pass: all of them, where those in full precision are in shards.
        """
        precision = torch.autocast(get_device(), torch.bfloat16, cache_enabled=False)
        with super().optim_context(model), precision:
            yield
