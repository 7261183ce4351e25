"""Forward passes on a GPU that is not there: torch's fake tensors have a device and no data.

An operation on tensors of two devices is an error there as it is on a GPU, so a table or constant
that is left on the CPU shows. Backward passes need a driver: autograd asks it for a context.
"""

import pytest
import torch
from support.fake_cuda import OnTheCPU, on_fake_cuda
from torch import Tensor, nn

from mmfastervit import FasterViT, HATPlugin
from mmfastervit.archs import ARCHS

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
QUICK = [  # seconds each: one precision whenever tests run
    pytest.param(dtype, marks=() if dtype is torch.float16 else pytest.mark.slow)
    for dtype in DTYPES
]
LARGE = ["fastervit_0", "fastervit_2", "fastervit_4", *(name for name in ARCHS if "21k" in name)]
ODD = (199, 333)  # height and width that no window divides


def check_pass(model: nn.Module, images: Tensor, dtype: torch.dtype, shapes: list) -> None:
    """Go forward; every tensor stays on the GPU, every map is of the precision of the images."""
    watch = OnTheCPU()
    with watch:
        out = model(images)
    maps = [out] if isinstance(out, Tensor) else list(out)
    assert watch.seen == []
    assert [(m.device.type, m.dtype) for m in maps] == [("cuda", dtype)] * len(maps)
    assert [tuple(m.shape) for m in maps] == shapes


def map_shapes(model: FasterViT, batch: int, size: tuple[int, int]) -> list[tuple]:
    """Shapes of the maps of images of this size; every stride rounds up."""
    return [
        (batch, channels, -(-size[0] // stride), -(-size[1] // stride))
        for channels, stride in zip(model.out_channels, model.out_strides, strict=True)
    ]


def check_backbone(arch, dtype: torch.dtype, training: bool, size: tuple[int, int]) -> None:
    with on_fake_cuda(dtype):
        model = FasterViT(arch).train(training)
        images = torch.randn(2, 3, *size)
        with torch.set_grad_enabled(training):
            check_pass(model, images, dtype, map_shapes(model, 2, size))


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("dtype", QUICK, ids=str)
def test_a_backbone_stays_on_its_device(tiny_arch, dtype, training):
    check_backbone(tiny_arch, dtype, training, ODD)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(7, 5), (32, 224), (64, 64)], ids=str)
def test_images_of_any_size_stay_on_the_device(tiny_arch, size):
    check_backbone(tiny_arch, torch.float32, False, size)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("dtype", QUICK, ids=str)
def test_the_plugin_stays_on_its_device_and_in_its_precision(dtype, training):
    with on_fake_cuda(dtype):
        plugin = HATPlugin(16, depth=2, num_heads=2).train(training)
        images = torch.randn(2, 16, 25, 31)
        with torch.set_grad_enabled(training):
            check_pass(plugin, images, dtype, [(2, 16, 25, 31)])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_under_autocast_all_stays_on_the_device(tiny_arch, dtype):
    with on_fake_cuda():
        model = FasterViT(tiny_arch).train()
        with torch.autocast("cuda", dtype), OnTheCPU() as watch:
            maps = model(torch.randn(2, 3, *ODD))
        assert watch.seen == []
        assert {m.device.type for m in maps} == {"cuda"}


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("arch", LARGE)
def test_published_architectures_stay_on_their_device(arch, dtype, training):
    check_backbone(arch, dtype, training, (200, 333))
