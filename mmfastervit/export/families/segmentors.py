"""Encoder-decoder segmentors of mmseg, from UperNet to SegFormer: class maps, or logits."""

from typing import Any

import torch
from torch import Tensor, nn

from ..adapters import Refused, definers, is_a, register_adapter
from ..detections import Results

_METHODS = ("predict", "inference", "whole_inference", "postprocess_result")
_QUERIES = ("Mask2FormerHead", "MaskFormerHead", "SideAdapterCLIPHead")
_BYTE = 256


class Segmentor(nn.Module):
    """Images to the class of every pixel.

    Attributes:
        gives_logits: Whether it gives what a class is chosen by instead: logits, or of a single
            class its probability.
        mask_threshold: From which probability on a pixel is of the class where there is a single
            one, else None.
        align_corners: Whether logits are to be scaled with the centres of the corners kept.
    """

    gives_logits = False

    def __init__(self, segmentor: Any):
        super().__init__()
        self.segmentor = segmentor
        mode = segmentor.test_cfg.get("mode", "whole")
        if mode != "whole":
            raise Refused(
                f"model.test_cfg.mode is {mode!r}, by which a picture goes through the model in "
                "pieces; whole pictures can be exported: --cfg-options model.test_cfg.mode=whole"
            )
        self.align_corners = bool(segmentor.align_corners)
        single = segmentor.out_channels == 1
        self.mask_threshold = float(segmentor.decode_head.threshold) if single else None

    def forward(self, images: Tensor, size: tuple[int, int]) -> Results:
        """Images (B, C, H, W), of which ``size`` is not padding, to maps (B, *size)."""
        height, width = size
        padded = tuple(images.shape[2:])
        meta = dict(img_shape=padded, pad_shape=padded, ori_shape=padded)
        logits = self.segmentor.encode_decode(images, [meta])[:, :, :height, :width]
        if self.mask_threshold is not None:
            logits = logits.sigmoid()
        if self.gives_logits:
            return dict(logits=logits)
        if self.mask_threshold is not None:
            return dict(classes=(logits[:, 0] > self.mask_threshold).to(torch.uint8))
        small = self.segmentor.out_channels <= _BYTE
        return dict(classes=logits.argmax(1).to(torch.uint8 if small else torch.int32))


def is_encoder_decoder(model: nn.Module) -> bool:
    """Whether a model's class maps are made as ``EncoderDecoder`` does."""
    if not is_a(model, "EncoderDecoder"):
        return False
    made = set(definers(model, _METHODS).values())
    head = model.decode_head
    return made <= {"EncoderDecoder", "BaseSegmentor"} and not any(
        is_a(head, name) for name in _QUERIES
    )


register_adapter("encoder-decoder segmentors", is_encoder_decoder, Segmentor, pads=True)
