"""A neck of one's own, and what the swap has to know of it."""

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import nn

import mmfastervit


@MODELS.register_module()
class TwoMapNeck(BaseModule):
    """Takes the backbone's last two maps, of ``widths`` channels, and gives each to the head."""

    def __init__(self, widths, out_channels, init_cfg=None):
        super().__init__(init_cfg)
        self.convs = nn.ModuleList(nn.Conv2d(width, out_channels, 1) for width in widths)

    def forward(self, maps):
        return tuple(conv(features) for conv, features in zip(self.convs, maps[-2:], strict=True))


mmfastervit.register_reader(
    "TwoMapNeck", channels="widths", reads=lambda neck, count: (count - 2, count - 1)
)
