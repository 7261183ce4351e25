"""Computing a model in bfloat16 by torch's autocast, as far as it can be.

mmcv's operators, of which detectors make their boxes and masks, have no bfloat16 on a processor,
nor have numpy and the evaluators. So what autocast computes ends in float32: the maps of a
detector's backbone and neck, and the logits of a segmentor.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map


def compute_in_bfloat16(model: Any) -> None:
    """Let a detector or segmentor compute in bfloat16 from now on; its weights stay as they are.

    Of a detector the backbone and the neck, of a segmentor of mmseg all of it.

    Args:
        model: The model itself, no wrapper.
    """
    name = "encode_decode" if hasattr(model, "encode_decode") else "extract_feat"
    compute = getattr(model, name)

    def computed(inputs: Tensor, *arguments: Any, **named: Any) -> Any:
        with torch.autocast(inputs.device.type, torch.bfloat16):
            return tree_map(_in_full, compute(inputs, *arguments, **named))

    setattr(model, name, computed)


def _in_full(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
