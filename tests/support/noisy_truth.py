"""A detector and a segmentor that know the labels and err on purpose, always alike."""

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData


@MODELS.register_module()
class NoisyBoxes(BaseModel):
    """Finds the labelled boxes a little beside, twice, and some with another class."""

    def __init__(self, data_preprocessor: dict, num_classes: int = 3):
        super().__init__(data_preprocessor)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.num_classes = num_classes

    def forward(self, inputs, data_samples, mode: str = "tensor"):
        for sample in data_samples:
            truth, draw = sample.gt_instances, torch.Generator().manual_seed(0)
            boxes = getattr(truth.bboxes, "tensor", truth.bboxes).repeat(2, 1)
            found = InstanceData()
            found.bboxes = boxes + 1.5 * torch.randn(boxes.shape, generator=draw)
            wrong = torch.rand(len(boxes), generator=draw) < 0.3
            found.labels = (truth.labels.repeat(2) + wrong) % self.num_classes
            found.scores = torch.rand(len(boxes), generator=draw)
            sample.pred_instances = found
        return data_samples


@MODELS.register_module()
class NoisyMaps(BaseModel):
    """Gives the labelled map with a fifth of the pixels at another class."""

    def __init__(self, data_preprocessor: dict, num_classes: int = 4):
        super().__init__(data_preprocessor)
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.num_classes = num_classes

    def forward(self, inputs, data_samples, mode: str = "tensor"):
        for sample in data_samples:
            truth, draw = sample.gt_sem_seg.data.long(), torch.Generator().manual_seed(0)
            wrong = torch.rand(truth.shape, generator=draw) < 0.2
            sample.pred_sem_seg = PixelData(data=(truth + wrong) % self.num_classes)
        return data_samples
