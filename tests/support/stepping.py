"""Loss and gradients of one step: of one process, and of two that share its batch."""

import json
from pathlib import Path
from typing import Any

import mmdet.models  # noqa: F401  (before processes are forked)
import mmseg.models  # noqa: F401
import torch
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.registry import TASK_UTILS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.dist import all_reduce, get_rank
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmfastervit import swap_backbone
from mmfastervit.logs import warnings_only

from .pictures_model import ARCH
from .together import run_together

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
CHANNELS = [ARCH["dim"] * 2**stage for stage in range(4)]
OBJECTS = [3, 1, 2, 4]  # in each picture of a batch: its halves have different numbers of them
SIDE = 64  # of the pictures, in pixels
SWAPPED = dict(
    fcos="fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
    atss="atss/atss_r50_fpn_1x_coco.py",
    gfl="gfl/gfl_r50_fpn_1x_coco.py",
    retinanet="retinanet/retinanet_r50_fpn_1x_coco.py",
)
RECIPES = dict(
    cascade="det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py",
    upernet="seg/upernet_fastervit-0_shapes-256x256.py",
)


@TASK_UTILS.register_module()
class FirstSampler(RandomSampler):
    """Takes the first regions where mmdet's takes any."""

    def random_choice(self, gallery: Tensor, num: int) -> Tensor:
        """Choose ``num`` of a gallery."""
        return gallery[:num]


class Holding(OptimWrapper):
    """Computes gradients and leaves them where they are."""

    def step(self, **kwargs: Any) -> None:
        """Do nothing."""

    def zero_grad(self, **kwargs: Any) -> None:
        """Do nothing."""


def compare(names: list[str], folder: Path) -> dict[str, list[float]]:
    """Take one step of each model alone, and one in two processes with half of its batch each.

    Batch norms keep their statistics; pictures are of one size.

    Args:
        names: Of :func:`read_config`.
        folder: For what processes tell each other.

    Returns:
        How far the loss, and the gradients together, are from those of one process, as shares.
    """
    file, configs = folder / "differences.json", {name: read_config(name) for name in names}

    def alone(_: int) -> None:
        for name, cfg in configs.items():
            model = build(name, cfg)
            loss = _step(model, make_batch(name))
            torch.save([loss, gradients(model)], folder / f"{name}.pt")

    def shared(rank: int) -> None:
        found = {name: _difference(name, cfg, folder) for name, cfg in configs.items()}
        if rank == 0:
            file.write_text(json.dumps(found))

    statuses = run_together(alone, folder, 1) + run_together(shared, folder)
    if any(statuses):
        raise RuntimeError(f"processes ended with {statuses}")
    return json.loads(file.read_text())


def _difference(name: str, cfg: Config, folder: Path) -> list[float]:
    model = build(name, cfg)
    batch = {key: part[2 * get_rank() :][:2] for key, part in make_batch(name).items()}
    loss = _step(MMDistributedDataParallel(model, broadcast_buffers=False), batch)
    all_reduce(loss, "mean")
    expected_loss, expected = torch.load(folder / f"{name}.pt")
    share = (gradients(model) - expected).norm() / expected.norm()
    return [abs(loss / expected_loss - 1).item(), share.item()]


def _step(model: nn.Module, batch: dict) -> Tensor:
    wrapper = Holding(torch.optim.SGD(model.parameters(), lr=1.0))
    return model.train_step(batch, wrapper)["loss"].detach()


def gradients(model: nn.Module) -> Tensor:
    """All gradients of a model in one row."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])


def build(name: str, cfg: Config) -> nn.Module:
    """Build a model, the same each time, whose batch norms keep their statistics."""
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    with warnings_only():
        model.init_weights()
    if name == "gfl-confident":
        nn.init.zeros_(model.bbox_head.gfl_cls.bias)
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model


def read_config(name: str) -> Config:
    """Read a config and make its backbone small.

    Args:
        name: One of ``SWAPPED``, ``gfl-confident`` for scores of 0.5 instead of 0.01; ``cascade``,
            ``cascade-same-regions`` for losses on regions that are not drawn; ``upernet``,
            ``upernet-non-ignored`` for the mean over pixels that are not ignored.
    """
    model = name.partition("-")[0]
    if model in SWAPPED:
        zoo, options = f"mmdet::{SWAPPED[model]}", dict(drop_path_rate=0.0)
        return swap_backbone(zoo, ARCH, pretrained="none", backbone_options=options)
    cfg = Config.fromfile(CONFIGS / RECIPES[model])
    cfg.model.backbone.arch = ARCH
    if model == "cascade":
        cfg.model.neck.in_channels = CHANNELS
        training = cfg.model.train_cfg
        for part in (training.rpn, *training.rcnn) if name != model else ():
            part.sampler.type = "FirstSampler"
    else:
        cfg.model.data_preprocessor.size = (SIDE, SIDE)
        for head in (cfg.model.decode_head, cfg.model.auxiliary_head):
            head.loss_decode.class_weight = None  # mmseg takes none beside ignored pixels
        cfg.model.decode_head.in_channels = CHANNELS
        cfg.model.auxiliary_head.in_channels = CHANNELS[2]
        cfg.model.decode_head.loss_decode.avg_non_ignore = name != model
    return cfg


def make_batch(name: str) -> dict[str, list]:
    """Draw four pictures with labels, the same each time."""
    if not name.startswith("upernet"):
        shapes = [(3, SIDE, SIDE)] * len(OBJECTS)
        return demo_mm_inputs(
            4, shapes, OBJECTS, num_classes=3, with_mask=name.startswith("cascade")
        )
    draw = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (4, 3, SIDE, SIDE), dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, 4, (4, 1, SIDE, SIDE), generator=draw)
    labels[0, :, : SIDE // 2] = 255  # ignored, in one half of the batch alone
    samples = []
    for one in labels:
        samples.append(SegDataSample(metainfo=dict(img_shape=(SIDE, SIDE))))
        samples[-1].gt_sem_seg = PixelData(data=one)
    return dict(inputs=list(pictures), data_samples=samples)
