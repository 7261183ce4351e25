"""Masks are spread over their boxes as mmdet does, by numpy alone."""

import numpy as np
import pytest
import torch
from mmdet.models.roi_heads.mask_heads.fcn_mask_head import _do_paste_mask

from mmfastervit.runtimes import paste_masks


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_masks_lie_where_mmdet_puts_them(threshold):
    random = np.random.default_rng(0)
    masks = random.random((5, 28, 28), np.float32)
    boxes = np.array(
        [[3.2, 4.1, 40, 50], [-5, -5, 12, 9], [60, 10, 64, 47.5], [0, 0, 64, 48], [7, 7, 12.5, 11]],
        np.float32,
    )
    wanted, _ = _do_paste_mask(
        torch.from_numpy(masks)[:, None], torch.from_numpy(boxes), 48, 64, skip_empty=False
    )
    found = paste_masks(masks, boxes, (48, 64), threshold)
    assert found.shape == (5, 48, 64)
    assert found.any((1, 2)).all()
    assert (found != (wanted.numpy() >= threshold)).mean() < 1e-3
