"""The backbone computes what the reference implementation computes, weight for weight."""

import pytest
import torch
from support.oracle import build_oracle, pretraining_size, randomise, stage_maps

from mmfastervit import FasterViT
from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint import load_weights

PUBLISHED_MILLIONS = {
    "fastervit_0": 31.40,
    "fastervit_1": 53.37,
    "fastervit_2": 75.92,
    "fastervit_3": 159.55,
    "fastervit_4": 365.56,
    "fastervit_5": 957.5,
    "fastervit_6": 1360.3,
    "fastervit_4_21k_224": 271.94,
    "fastervit_4_21k_384": 271.94,
    "fastervit_4_21k_512": 271.94,
    "fastervit_4_21k_768": 271.94,
}
SLOW = (
    "fastervit_1",
    "fastervit_2",
    "fastervit_3",
    "fastervit_4",
    "fastervit_4_21k_224",
    "fastervit_5",
    "fastervit_6",
    "fastervit_4_21k_384",
    "fastervit_4_21k_512",
    "fastervit_4_21k_768",
)


def marked(archs):
    return [pytest.param(a, marks=pytest.mark.slow if a in SLOW else ()) for a in archs]


@pytest.mark.parametrize("arch", marked(ARCHS))
@torch.no_grad()
def test_stage_maps_equal_the_reference(arch):
    reference = randomise(build_oracle(arch))
    model = FasterViT(arch, out_norm=None, drop_path_rate=0.0)
    report = load_weights(model, reference.state_dict(), "oracle")
    assert arch in report.archs
    size = pretraining_size(arch)
    for training, batch in ((False, 1), (False, 3), (True, 3)):
        reference.train(training)
        model.train(training)
        images = torch.randn(batch, 3, size, size)
        for expected, actual in zip(stage_maps(reference, images), model(images), strict=True):
            assert expected.shape == actual.shape
            assert (actual - expected).abs().max() <= 2e-5 * expected.abs().max()


@pytest.mark.parametrize("arch", ARCHS)
def test_parameter_count_is_the_published_one(arch):
    with torch.device("meta"):
        model = FasterViT(arch, out_norm=None)
    classifier = model.arch.channels[-1] * (1000 + 2) + 1000  # linear layer, batch normalisation
    count = sum(p.numel() for p in model.parameters()) + classifier
    assert count / 1e6 == pytest.approx(PUBLISHED_MILLIONS[arch], abs=0.06)


def test_parity_notices_swapped_coordinates():
    """The parity test would see rows and columns exchanged in the position MLPs."""
    reference = randomise(build_oracle("fastervit_0")).eval()
    model = FasterViT("fastervit_0", out_norm=None).eval()
    load_weights(model, reference.state_dict(), "oracle")
    for name, parameter in model.named_parameters():
        if name.endswith((".position.fc1.weight", ".relative_bias.fc1.weight")):
            parameter.data = parameter.data.flip(1)
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected, actual = stage_maps(reference, images)[2], model(images)[2]
    assert (actual - expected).abs().max() > 1e-2 * expected.abs().max()
