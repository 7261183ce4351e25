"""What a checkpoint gives of any model, and how its numbers of classes are read off shapes."""

import pytest
import torch
from torch import nn

from mmfastervit.checkpoint.fitting import CheckpointDoesNotFit, check_values, fit, looks


class Head(nn.Module):
    """A head with a background, another without, and one of boxes for each class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.num_classes = classes
        self.fc_cls = nn.Linear(4, classes + 1)
        self.conv_seg = nn.Conv2d(4, classes, 1)
        self.fc_reg = nn.Linear(4, 4 * classes)


class Model(nn.Module):
    def __init__(self, classes: int = 3, layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.BatchNorm2d(4) for _ in range(layers)))
        self.bbox_head = Head(classes)


def fitted(model: nn.Module, **changes):
    return fit(model, dict(state_dict={**model.state_dict(), **changes}), "file")


def test_a_models_own_weights_fit_and_are_loaded():
    model, other = Model(), Model()
    found = fit(model, dict(state_dict=other.state_dict()), "file")
    assert found.is_whole
    assert found.loaded == found.total == len(dict(model.named_parameters())) + 4
    assert torch.equal(model.bbox_head.fc_cls.weight, other.bbox_head.fc_cls.weight)


def test_the_number_of_classes_is_read_off_every_kind_of_layer():
    found = fit(Model(3), dict(state_dict=Model(80).state_dict()), "file")
    assert {misfit.name.split(".")[1] for misfit in found.misfits} == {
        "fc_cls",
        "conv_seg",
        "fc_reg",
    }
    assert found.classes == "it has 80 classes instead of 3 (bbox_head: num_classes)"
    error = found.refusal(". Do this")
    assert str(error).startswith("file does not fit this Model: it has 80 classes instead of 3")
    assert str(error).endswith("It looks like a detector (layers, bbox_head). Do this")


def test_a_change_of_width_is_not_taken_for_one_of_classes():
    found = fitted(Model(), **{"bbox_head.fc_cls.weight": torch.ones(4, 8)})
    assert found.classes == ""
    assert "bbox_head.fc_cls.weight (4, 8) instead of (4, 4)" in str(found)


def test_more_layers_tell_another_model_and_another_part_does_not():
    found = fit(Model(layers=2), dict(state_dict=Model(layers=3).state_dict()), "file")
    assert {name.split(".")[1] for name in found.beyond} == {"2"}
    assert not found.is_start
    assert fitted(Model(), **{"mask_head.weight": torch.ones(1)}).is_whole


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_large_numbers_are_finite(dtype):
    largest = min(torch.finfo(dtype).max, torch.finfo(torch.float32).max)
    check_values({"a.weight": torch.full((8,), largest, dtype=dtype)}, "file")


def test_infinities_that_cancel_are_found():
    value = torch.tensor([float("inf"), float("-inf")])
    with pytest.raises(CheckpointDoesNotFit, match=r"1 are not finite .*\(a\.weight\)"):
        check_values({"a.weight": value, "n.num_batches_tracked": torch.tensor(3)}, "file")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["backbone.layer1.w", "decode_head.w"], "a segmentor (backbone, decode_head)"),
        (["backbone.layer1.w", "roi_head.w"], "a detector (backbone, roi_head)"),
        (["backbone.layer1.w", "head.fc.w"], "a classifier (backbone, head)"),
        (["layer1.0.w", "fc.w"], "a backbone or classifier alone (layer1, fc)"),
        (["model.layer1.w"], "another model (model)"),
        (["neck.w", "backbone.w"], "a part of a model (neck, backbone)"),
    ],
)
def test_what_a_file_looks_like(names, kind):
    assert looks(dict.fromkeys(names, torch.ones(1))) == kind
