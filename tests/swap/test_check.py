"""The check finds what would fail in training."""

import pytest

from mmfastervit.config.changes import Change
from mmfastervit.config.tree import ABSENT
from mmfastervit.swap import SwapAuditError, plan_swap
from mmfastervit.swap.check import check
from mmfastervit.swap.planning import Swap

PSPNET = "mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py"
RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"


def with_change(swap: Swap, path: tuple, now) -> Swap:
    return Swap(swap.original, (*swap.changes, Change(path, ABSENT, now, "")), (), swap.model_path)


def test_a_map_that_nobody_reads_is_found_by_its_missing_gradient(tiny_arch):
    swap = plan_swap(PSPNET, tiny_arch)
    assert swap.config.model.backbone.out_indices == (2, 3)
    swap = with_change(swap, ("model", "backbone", "out_indices"), (1, 2, 3))
    swap = with_change(swap, ("model", "decode_head", "in_index"), 2)
    swap = with_change(swap, ("model", "auxiliary_head", "in_index"), 1)
    with pytest.raises(SwapAuditError, match="without a gradient"):
        check(swap)


def test_declared_strides_that_are_no_longer_true_are_found(tiny_arch):
    swap = plan_swap(RETINANET, tiny_arch)
    strides = ("model", "bbox_head", "anchor_generator", "strides")
    with pytest.raises(SwapAuditError, match="declares strides"):
        check(with_change(swap, strides, [4, 8, 16, 32, 64]))
