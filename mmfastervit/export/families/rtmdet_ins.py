"""RTMDet-Ins: a dense head that says of each detection the weights of a little network too.

The network of three layers takes the picture's features, and how far each pixel is from the
detection's prior, to the detection's mask (RTMDet, arXiv 2212.07784).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..adapters import definers, is_a, register_adapter
from ..detections import Results, taken
from .dense import DenseDetector, by_prior

_OWN = (
    "predict_by_feat", "_predict_by_feat_single", "_bbox_mask_post_process",
    "_mask_predict_by_feat_single",
)  # fmt: skip
_NEAR = 8  # strides, in which the network is told how far a pixel is


class InstanceDetector(DenseDetector):
    """Images to detections with masks at the size of the images.

    Attributes:
        mask_threshold: From which probability on a pixel belongs to an object.
    """

    def __init__(self, detector: Any):
        super().__init__(detector)
        self.mask_threshold = float(detector.bbox_head.test_cfg.mask_thr_binary)

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to detections with masks."""
        head = self.detector.bbox_head
        logits, distances, weights, features = head(self.detector.extract_feat(images))
        results, which = self.detected(logits, distances, size=size)
        every = torch.cat([by_prior(one, head.num_gen_params) for one in weights], 1)
        generator = head.prior_generator
        sizes = [one.shape[-2:] for one in logits]
        priors = torch.cat(generator.grid_priors(sizes, device=images.device, with_stride=True))
        masks = self._masks(features, taken(every, which), priors[which])
        stride = int(generator.strides[0][0])
        masks = F.interpolate(masks, scale_factor=stride, mode="bilinear").sigmoid()
        height, width = size
        there = (results["labels"] >= 0)[..., None, None]
        results["masks"] = (masks[..., :height, :width] > self.mask_threshold) & there
        return results

    def _masks(self, features: Tensor, weights: Tensor, priors: Tensor) -> Tensor:
        """Logits (B, N, h, w) of masks on the finest map.

        Args:
            features: (B, C, h, w).
            weights: (B, N, P), of each detection's network.
            priors: (B, N, 4), of each detection: x, y, and the stride across and down.
        """
        head = self.detector.bbox_head
        batch, count = weights.shape[:2]
        height, width = features.shape[2:]
        pixels = head.prior_generator.single_level_grid_priors(
            (height, width), 0, device=features.device
        )
        apart = (priors[..., None, :2] - pixels) / (priors[..., None, 2:] * _NEAR)  # (B, N, hw, 2)
        shared = features.flatten(2)[:, None].expand(-1, count, -1, -1)
        values = torch.cat([apart.transpose(2, 3), shared], 2)  # (B, N, 2 + C, hw)
        parts = weights.split([*head.weight_nums, *head.bias_nums], 2)
        layers = len(head.weight_nums)
        for layer, (kernel, bias) in enumerate(zip(parts[:layers], parts[layers:], strict=True)):
            outputs = bias.shape[2]
            kernel = kernel.reshape(batch, count, outputs, -1)
            values = kernel @ values + bias[..., None]
            if layer < layers - 1:
                values = values.relu()
        return values.reshape(batch, count, height, width)


def is_rtmdet_ins(model: nn.Module) -> bool:
    """Whether a model is one of these."""
    head = getattr(model, "bbox_head", None)
    return (
        is_a(model, "SingleStageDetector")
        and definers(model, ["predict"])["predict"] == "SingleStageDetector"
        and definers(head, ["predict"])["predict"] == "BaseDenseHead"
        and set(definers(head, _OWN).values()) == {"RTMDetInsHead"}
    )


register_adapter("RTMDet-Ins", is_rtmdet_ins, InstanceDetector, pads=True)
