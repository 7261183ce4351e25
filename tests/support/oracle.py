"""The PyPI package ``fastervit`` as a black box: build it, randomise it, record its stage maps."""

import warnings

import torch
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastervit import create_model


def oracle_name(arch: str) -> str:
    """The reference implementation's name of one of our architectures."""
    name = arch.replace("fastervit", "faster_vit")
    return name if "21k" in name else f"{name}_224"


def pretraining_size(arch: str) -> int:
    """Side of the images an architecture was published for, in pixels."""
    return int(arch.rsplit("_", 1)[1]) if "21k" in arch else 224


def build_oracle(arch: str, device: str = "cpu") -> nn.Module:
    """Build the reference model without stochastic depth."""
    with torch.device(device):
        return create_model(oracle_name(arch), drop_path_rate=0.0)


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every scale, bias and statistic anew, so that nothing hides behind an identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "gamma" in name:
            parameter.data.uniform_(0.2, 1.0, generator=generator)
        elif "cpb_mlp" in name:
            scale = 1.0 if ".0." in name else 0.05
            parameter.data.normal_(0, scale, generator=generator)
        elif parameter.ndim == 1:
            parameter.data.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.2, generator=generator)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2, generator=generator)
    return model


@torch.no_grad()
def stage_maps(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The four stage maps of the reference model, before downsampling and classification."""
    maps: list[Tensor] = []
    readers = [level.downsample for level in model.levels if level.downsample is not None]
    hooks = [
        reader.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0].clone()))
        for reader in (*readers, model.norm)
    ]
    model(images)
    for hook in hooks:
        hook.remove()
    return maps
