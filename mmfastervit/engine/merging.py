"""Merging what a detector finds in several views of an image, masks included."""

from collections.abc import Sequence

import torch
from mmcv.ops import batched_nms
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_flip
from mmengine.structures import InstanceData

_FLIPPED_AXES = {"horizontal": (-1,), "vertical": (-2,), "diagonal": (-2, -1)}


class InstanceTTAModel(DetTTAModel):
    """Merges boxes of several views as mmdet's ``DetTTAModel`` does, and keeps their masks.

    All views' detections, mirrored back, go through one non-maximum suppression by boxes, class by
    class. What survives keeps the mask, and whatever else, that was found with it in its own view;
    masks are not averaged, as detectors hand them out as yes or no for each pixel.

    In a config it is ``type="mmfastervit.engine.merging.InstanceTTAModel"``: it needs mmdet, which
    the package itself does without.

    Args:
        tta_cfg: ``nms``, a config of mmcv's ``batched_nms``, and ``max_per_img``.
        module: Config of the detector.
    """

    def _merge_single_sample(self, data_samples: Sequence[DetDataSample]) -> DetDataSample:
        """Merge the views of one image.

        Raises:
            ValueError: The detector finds segments of the whole image, or masks without boxes.
        """
        _check_mergeable(data_samples[0])
        views = [_mirrored_back(sample) for sample in data_samples]
        found = InstanceData.cat([view for view in views if len(view)] or views[:1])
        merged = data_samples[0]
        if len(found):
            boxes, kept = batched_nms(found.bboxes, found.scores, found.labels, self.tta_cfg.nms)
            kept = kept[: self.tta_cfg.max_per_img]
            found = found[kept]
            found.bboxes, found.scores = boxes[: len(kept), :4], boxes[: len(kept), 4]
        merged.pred_instances = found
        return merged


def _check_mergeable(sample: DetDataSample) -> None:
    if "pred_panoptic_seg" in sample or "pred_sem_seg" in sample:
        raise ValueError("--tta: panoptic segments of several views can't be merged")


def _mirrored_back(sample: DetDataSample) -> InstanceData:
    """A view's detections at their places in the image as it is."""
    found, about = sample.pred_instances, sample.metainfo
    if not about["flip"]:
        return found
    direction = about["flip_direction"]
    back = found[:]
    back.bboxes = bbox_flip(found.bboxes, about["ori_shape"], direction)
    if "masks" in found:
        back.masks = torch.flip(found.masks, _FLIPPED_AXES[direction])  # (N, H, W)
    return back
