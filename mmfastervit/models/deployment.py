"""Turning a trained model into one that only infers, with less to compute.

Batch normalisation goes into the convolution before it, layer scales into the linear layer before
them, and position tables are kept for each size without looking whether their weights have changed.
"""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mmfastervit.models.layers.attention import AttentionLayer
from mmfastervit.models.layers.conv import ConvBlock, Stem
from mmfastervit.models.layers.hat import AttentionStage, HATBlock
from mmfastervit.models.layers.inplace import GELU


def deploy(model: nn.Module) -> nn.Module:
    """Prepare every layer of this package inside a model for inference, in place.

    Works on what contains them as well: a detector, or a backbone with HAT inserted. What was
    deployed already stays as it is. There is no way back but to build the model again and load its
    checkpoint.

    Args:
        model: In eval mode.

    Returns:
        The model; its outputs are those of before to rounding, that of the lower precision under
        autocast, where folded scales no longer raise the tokens to float32.

    Raises:
        RuntimeError: A part of it is in training mode.
        ValueError: It has no layer of this package.
    """
    layers = [m for m in model.modules() if isinstance(m, (Stem, ConvBlock, AttentionLayer))]
    blocks = [m for m in model.modules() if isinstance(m, HATBlock)]
    if not layers and not blocks:
        raise ValueError(f"there is no layer of mmfastervit in this {type(model).__name__}")
    if model.training or any(m.training for m in (*layers, *blocks)):
        raise RuntimeError(
            f"this {type(model).__name__} is in training mode, where batch normalisation depends on"
            " the batch: call eval() before it is deployed"
        )
    kept = {id(layer) for layer in propagating_layers(model)}
    for layer in (m for m in layers if not m.deployed):
        if isinstance(layer, AttentionLayer):
            fold_scales(layer, keep_first=id(layer) in kept)
        else:
            fold_norms(layer)
    for module in (m for m in (*layers, *blocks) if not m.deployed):
        module.deployed = True
        for activation in (m for m in module.modules() if isinstance(m, GELU)):
            activation.in_place = True
        module.requires_grad_(False)
        module.register_load_state_dict_pre_hook(refuse_loading)
    return model


def refuse_loading(module: nn.Module, *_) -> None:
    """Pre-hook of ``load_state_dict``: a deployed layer has no place for what was trained.

    Raises:
        RuntimeError: Always.
    """
    raise RuntimeError(
        f"this {type(module).__name__} is deployed: its normalisation and scales are folded into"
        " other weights, so a checkpoint cannot be loaded. Build the model again, load the"
        " checkpoint into that, and deploy it"
    )


def propagating_layers(model: nn.Module) -> list[AttentionLayer]:
    """Carrier layers whose first scale serves twice: the propagation of carriers to pixels too."""
    stages = (m for m in model.modules() if isinstance(m, AttentionStage))
    return [stage.blocks[-1].carrier for stage in stages if stage.propagate]


def fold_norms(block: Stem | ConvBlock) -> None:
    """Fold both batch normalisations of a block into its convolutions.

    One that keeps no running statistics depends on the batch and stays.
    """
    for i in (1, 2):
        conv, norm = getattr(block, f"conv{i}"), getattr(block, f"norm{i}")
        if isinstance(norm, _BatchNorm) and norm.running_mean is not None:
            setattr(block, f"conv{i}", fuse_conv_bn_eval(conv, norm))
            setattr(block, f"norm{i}", nn.Identity())


@torch.no_grad()
def fold_scales(layer: AttentionLayer, keep_first: bool) -> None:
    """Fold the layer scales into the linear layers before them; ``keep_first`` leaves that one."""
    pairs = {"scale1": layer.attn.proj, "scale2": layer.mlp.fc2}
    for name in ("scale2",) if keep_first else tuple(pairs):
        scale, linear = getattr(layer, name), pairs[name]
        if not isinstance(scale, nn.Identity):
            linear.weight.mul_(scale.gamma[:, None])
            linear.bias.mul_(scale.gamma)
            setattr(layer, name, nn.Identity())
