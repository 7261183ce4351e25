"""Estimate the memory that a recipe with parameters in shards takes on each GPU.

    python tests/sharded_memory.py configs/det/NAME.py --gpus 8

Runs two training steps on tensors that have shapes and no data, in one process that takes itself
for the first of several, and prints the peak by what the memory is for, in GiB. Counted are tensors
on a GPU of this number: parameters, gradients, AdamW's states, activations in bfloat16 where the
recipe has them so, and what FSDP2 gathers. Not counted are workspaces of cuDNN and NCCL and what an
allocator loses between tensors. Of a detector backbone, neck and heads are run on as many regions
as the recipe samples, and what the losses and the choice of regions take is left out.
"""

import argparse
import warnings
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed.device_mesh import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

from mmfastervit.config.tree import rebuild
from mmfastervit.engine.sharding import shard

DETECTION_SIZE = (800, 1344)  # the recipes' largest image, padded to a multiple of 32
GIB = 2**30


class Step(nn.Module):
    """A model's training step up to its loss."""

    def __init__(self, model: nn.Module, cfg: Config):
        super().__init__()
        self.model = model
        self.batch = cfg.train_dataloader.batch_size
        self.cfg = cfg

    def forward(self) -> Tensor:
        """The loss on the pixels, or, of a detector, the sum of all that its heads give."""
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):  # as the recipes' wrapper
            return self._segment() if self.cfg.default_scope == "mmseg" else self._detect()

    def _segment(self) -> Tensor:
        model: Any = self.model
        size = self.cfg.crop_size
        maps = model.extract_feat(torch.empty(self.batch, 3, *size))
        labels = torch.zeros(self.batch, *size, dtype=torch.long)
        found = [head(maps) for head in (model.decode_head, model.auxiliary_head)]
        large = [F.interpolate(one, size, mode="bilinear") for one in found]
        return sum(F.cross_entropy(one, labels) for one in large)

    def _detect(self) -> Tensor:
        model: Any = self.model
        maps = model.extract_feat(torch.empty(self.batch, 3, *DETECTION_SIZE))
        found = [*model.rpn_head(maps)]
        heads = model.roi_head
        for head, settings in zip(heads.bbox_head, model.train_cfg.rcnn, strict=True):
            regions, side = self.batch * settings.sampler.num, heads.bbox_roi_extractor[0]
            found.append(head(_regions(maps, regions, side)))
        for head, settings in zip(heads.mask_head, model.train_cfg.rcnn, strict=True):
            sampler, side = settings.sampler, heads.mask_roi_extractor[0]
            positive = int(self.batch * sampler.num * sampler.pos_fraction)
            found.append(head(_regions(maps, positive, side)))
        return sum(one.float().sum() for one in _leaves(found))


def _regions(maps: tuple[Tensor, ...], count: int, extractor: Any) -> Tensor:
    """Features of regions, which depend on the maps."""
    side = extractor.roi_layers[0].output_size
    of_all = sum(one.mean() for one in maps)
    return torch.empty(count, maps[0].shape[1], *side) + of_all


def _leaves(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [x for inner in value for x in _leaves(inner)]


def estimate(cfg: Config, gpus: int) -> dict[str, int]:
    """The peak of two steps, in bytes on each of ``gpus``, by kind."""
    init_default_scope(cfg.default_scope)
    model_cfg = ConfigDict(rebuild(cfg.model.to_dict(), _without_synchronised_norms))
    model_cfg["backbone"]["init_cfg"] = None
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=gpus)
    mesh = init_device_mesh("cpu", (gpus,))
    with FakeTensorMode():
        step = Step(MODELS.build(model_cfg), cfg).train()
        shard(step, mesh)
        optimizer = torch.optim.AdamW(step.parameters(), lr=1e-4)
        tracker = FSDPMemTracker(step, optimizer)
        for _ in range(2):
            with tracker:
                step().backward()
                optimizer.step()
                optimizer.zero_grad()
            tracker.reset_mod_stats()
        peak = tracker.get_tracker_snapshot("peak")
    torch.distributed.destroy_process_group()
    return dict(next(iter(peak.values())))


def _without_synchronised_norms(node: dict) -> dict:
    return {**node, "type": "BN"} if node.get("type") == "SyncBN" else node


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config")
    parser.add_argument("--gpus", type=int, default=8)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    for kind, taken in estimate(Config.fromfile(arguments.config), arguments.gpus).items():
        print(f"{getattr(kind, 'value', kind):<16} {taken / GIB:8.2f} GiB")


if __name__ == "__main__":
    main()
