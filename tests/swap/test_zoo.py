"""Refusals name a config that is installed and of the same kind."""

import pytest

from mmfastervit.config.finding import find_config
from mmfastervit.swap.zoo import (
    BACKBONES_REFUSED,
    MODELS_REFUSED,
    NEAREST_OF_MODEL,
    NEAREST_OF_PACKAGE,
    READERS,
    nearest_config,
)

REFUSALS = [
    *MODELS_REFUSED.values(),
    *BACKBONES_REFUSED.values(),
    *(reader.refused for reader in READERS.values() if reader.refused),
]
NAMED = {refusal.nearest for refusal in REFUSALS if refusal.nearest}


@pytest.mark.parametrize(
    "name", sorted({*NAMED, *NEAREST_OF_MODEL.values(), *NEAREST_OF_PACKAGE.values()})
)
def test_every_nearest_config_is_installed(name):
    assert find_config(name).is_file()


@pytest.mark.parametrize(
    ("model", "scope", "folder"),
    [
        ("MaskRCNN", "mmdet", "mmdet::mask_rcnn/"),
        ("FasterRCNN", "mmdet", "mmdet::faster_rcnn/"),
        ("YOLOX", "mmdet", "mmdet::yolox/"),
        ("EncoderDecoder", "mmseg", "mmseg::swin/"),
        ("ImageClassifier", "mmpretrain", "mmpretrain::resnet/"),
    ],
)
def test_the_nearest_config_is_of_the_same_kind(model, scope, folder):
    assert nearest_config(dict(type=model), scope).startswith(folder)
    assert nearest_config(dict(type="Other"), None) is None
