"""FasterViT as a backbone for dense prediction (arXiv 2306.06189)."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from mmengine.model import BaseModule
from timm.layers import LayerNorm2d
from torch import Tensor, nn

from mmfastervit.archs import ATTENTION_STAGES, CONV_STAGES, NUM_STAGES, Arch, resolve_arch
from mmfastervit.checkpoint import state_arch, translate_on_load, with_own_loader
from mmfastervit.models.deployment import deploy, refuse_loading
from mmfastervit.models.initialization import initialize
from mmfastervit.models.layers import AttentionStage
from mmfastervit.models.layers.conv import (
    ConvStage,
    Downsample,
    Stem,
    build_norm,
    check_norm_cfg,
    lay_out,
)
from mmfastervit.models.layers.recomputation import run_block
from mmfastervit.models.layers.tables import share_cache
from mmfastervit.models.stages import resolve_stages
from mmfastervit.registry import register_model

STRIDES = (4, 8, 16, 32)
OUT_NORMS = ("LN", "BN", None)


@register_model
class FasterViT(BaseModule):
    """FasterViT that returns the feature maps of its stages, for images of any size.

    Two convolutional stages, then two of windowed attention, the first of which joins its windows
    by carrier tokens. At 224x224 the raw maps equal those of the classification network; at other
    sizes windows and carriers cover the map as far as it reaches, and padding is masked.

    Attributes:
        out_channels: Channels of the returned maps.
        out_strides: Image pixels a map's pixel stands for, of the returned maps.

    Args:
        arch: Name of a published architecture, or a dict of the fields of
            :class:`~mmfastervit.archs.Arch`.
        in_channels: Channels of the image.
        out_indices: Stages whose maps are returned, increasing, of 0 to 3; negative ones count
            from the last. Stages beyond the last of them are not built.
        drop_path_rate: Stochastic depth of the last block in training; None takes the
            architecture's.
        frozen_stages: Parts that are never trained: -1 none, 0 the stem, k the stem and the first
            k stages with the downsampling after each.
        norm_cfg: Batch normalisation of stem and convolutional stages, type 'BN' or 'SyncBN'.
        norm_eval: Keep the statistics of batch normalisation fixed in training.
        out_norm: Normalisation each returned map gets for itself: 'LN', 'BN', or None for raw maps.
        with_cp: Recompute stem, blocks and downsampling in the backward pass, which saves memory
            and costs time.
        carrier_position: 'interpolate' normalises the carriers' positions by each grid's own side,
            'extrapolate' by that of the grid seen in pretraining.
        init_cfg: Initialisation as in mmengine, such as
            ``dict(type='Pretrained', checkpoint=FILE_OR_URL)``.

    Raises:
        ValueError: A value outside what is named above.
        TypeError: An argument of a wrong kind.
    """

    init_cfg: dict | list[dict] | None

    def __init__(
        self,
        arch: str | Mapping,
        in_channels: int = 3,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        drop_path_rate: float | None = None,
        frozen_stages: int = -1,
        norm_cfg: dict = dict(type="BN"),  # noqa: B006
        norm_eval: bool = False,
        out_norm: str | None = "LN",
        with_cp: bool = False,
        carrier_position: str = "interpolate",
        init_cfg: dict | list[dict] | None = None,
    ):
        super().__init__(init_cfg)
        self.arch = resolve_arch(arch)
        self.in_channels = in_channels
        self.out_indices = resolve_stages(out_indices, NUM_STAGES, "out_indices", increasing=True)
        num_stages = self.out_indices[-1] + 1
        self.frozen_stages = check_frozen_stages(frozen_stages, num_stages)
        self.norm_eval = norm_eval
        check_norm_cfg(norm_cfg)
        if out_norm not in OUT_NORMS:
            raise ValueError(f"out_norm must be one of {OUT_NORMS}, not {out_norm!r}")

        channels = self.arch.channels
        self.out_channels = tuple(channels[i] for i in self.out_indices)
        self.out_strides = tuple(STRIDES[i] for i in self.out_indices)
        drop_path = drop_path_schedule(self.arch, drop_path_rate)
        self.with_cp = with_cp

        self.stem = Stem(in_channels, self.arch.in_dim, self.arch.dim, norm_cfg, with_cp)
        self.stages = nn.ModuleList(
            ConvStage(channels[i], drop_path[i], norm_cfg, with_cp)
            if i in CONV_STAGES
            else attention_stage(self.arch, i, drop_path[i], carrier_position, with_cp)
            for i in range(num_stages)
        )
        self.downsamples = nn.ModuleList(Downsample(channels[i]) for i in range(num_stages - 1))
        self.out_norms = nn.ModuleDict(
            {str(i): output_norm(out_norm, channels[i], norm_cfg) for i in self.out_indices}
        )
        share_cache(self)
        self.apply(initialize)
        self.register_load_state_dict_pre_hook(refuse_if_deployed)
        self.register_load_state_dict_pre_hook(translate_on_load)
        self._register_state_dict_hook(state_arch)  # public only since torch 2.5
        self._freeze()

    def init_weights(self) -> None:
        """Initialise as ``init_cfg`` says; a ``Pretrained`` one as :func:`load_backbone` does.

        Its keys are ``checkpoint`` (path, URL or ``mmfastervit://NAME``), ``prefix`` and
        ``trust_checkpoint``.
        """
        init_cfg = self.init_cfg
        self.init_cfg = with_own_loader(init_cfg)
        try:
            super().init_weights()
        finally:
            self.init_cfg = init_cfg

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps of the stages in ``out_indices``.

        Args:
            x: Images (B, in_channels, H, W), H and W of at least 1.

        Returns:
            One map a requested stage, (B, out_channels[i], ceil(H / s), ceil(W / s)) with
            s = out_strides[i]. All are of one dtype, under autocast that of its convolutions.

        Raises:
            ValueError: The tensor is empty or not of that shape.
        """
        self._check_input(x)
        x = run_block(self.stem, lay_out(x, self), with_cp=self.with_cp)
        dtype = x.dtype
        outputs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                # mmcv's RoIAlign reads other memory formats wrongly, without an error
                outputs.append(self.out_norms[str(i)](x).to(dtype).contiguous())
            if i < len(self.downsamples):
                x = run_block(self.downsamples[i], x, with_cp=self.with_cp)
        return tuple(outputs)

    def train(self, mode: bool = True) -> "FasterViT":
        """Set the training mode, leaving frozen parts, and with ``norm_eval`` all BN, in eval.

        Raises:
            RuntimeError: Training is asked for after :meth:`switch_to_deploy`.
        """
        if mode and self.deployed:
            raise RuntimeError(
                "this FasterViT is deployed and cannot be trained: build it again and load its "
                "checkpoint"
            )
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    @property
    def deployed(self) -> bool:
        """Whether this can only infer any more, see :meth:`switch_to_deploy`."""
        return self.stem.deployed

    def switch_to_deploy(self) -> "FasterViT":
        """Fold normalisation and layer scales and freeze position tables, in place.

        Outputs stay those of eval mode to float rounding. The way back is to build the model again
        and load its checkpoint. Called again it does nothing.

        Returns:
            The model itself.

        Raises:
            RuntimeError: The model is in training mode.
        """
        return deploy(self).requires_grad_(False)

    def get_layer_depth(self, param_name: str, prefix: str = "") -> tuple[int, int]:
        """Tell how deep a parameter is, as mmpretrain's layer-wise learning rates ask.

        The stem is layer 0 and every block one deeper than that before. What makes a stage's
        carriers goes with its first block, a downsampling with the last block of the stage that it
        leaves. The norms of the returned maps, and all that is not the backbone's, come last.

        Args:
            param_name: Name of the parameter.
            prefix: What the names of the backbone's parameters begin with.

        Returns:
            Its layer, and the number of layers: the blocks and two.
        """
        starts = list(accumulate(self.arch.depths[: len(self.stages)], initial=0))
        last = starts[-1] + 1
        part, *rest = param_name.removeprefix(prefix).split(".")
        if not param_name.startswith(prefix) or part not in ("stem", "stages", "downsamples"):
            return last, last + 1
        if part == "stem":
            return 0, last + 1
        stage = int(rest[0])
        if part == "downsamples":
            return starts[stage + 1], last + 1
        block = int(rest[2]) if rest[1] == "blocks" else 0
        return starts[stage] + block + 1, last + 1

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        first = slice(self.frozen_stages)
        for part in (self.stem, *self.stages[first], *self.downsamples[first]):
            part.eval().requires_grad_(False)

    def _check_input(self, x: Tensor) -> None:
        expected = f"images of shape (B, {self.in_channels}, H, W) with B, H, W >= 1"
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"FasterViT takes {expected}, not a {type(x).__name__}")
        if x.ndim != 4 or x.shape[1] != self.in_channels or 0 in x.shape:
            raise ValueError(f"FasterViT takes {expected}, not a tensor of shape {tuple(x.shape)}")


def refuse_if_deployed(module: FasterViT, *_: Any) -> None:
    """Pre-hook of ``load_state_dict`` that comes before translation: see refuse_loading."""
    if module.deployed:
        refuse_loading(module)


def check_frozen_stages(frozen_stages: int, num_stages: int) -> int:
    """Return ``frozen_stages`` if it lies in -1 ... ``num_stages``; raise ValueError otherwise."""
    if not isinstance(frozen_stages, int) or not -1 <= frozen_stages <= num_stages:
        raise ValueError(
            f"frozen_stages={frozen_stages!r} must be an integer from -1 (nothing frozen) to "
            f"{num_stages} (the stem and all {num_stages} stages built)"
        )
    return frozen_stages


def drop_path_schedule(arch: Arch, rate: float | None) -> list[list[float]]:
    """Stochastic depth of every block, one list a stage: from 0 to ``rate`` over the whole network.

    Raises:
        ValueError: ``rate`` is not in [0, 1).
    """
    rate = arch.drop_path_rate if rate is None else rate
    if not 0 <= rate < 1:
        raise ValueError(f"drop_path_rate={rate} must lie in [0, 1)")
    last = max(sum(arch.depths) - 1, 1)
    starts = accumulate(arch.depths, initial=0)
    return [
        [rate * (start + block) / last for block in range(depth)]
        for start, depth in zip(starts, arch.depths, strict=False)
    ]


def attention_stage(
    arch: Arch, index: int, drop_path: list[float], carrier_position: str, with_cp: bool
) -> AttentionStage:
    """Build stage ``index``, 2 (with the architecture's carriers) or 3 (without)."""
    first = index == ATTENTION_STAGES[0]
    return AttentionStage(
        arch.channels[index],
        arch.depths[index],
        arch.num_heads[index],
        arch.windows[ATTENTION_STAGES.index(index)],
        carrier_size=arch.carrier_size if first else 0,
        mlp_ratio=arch.mlp_ratio,
        drop_path=drop_path,
        layer_scale=arch.layer_scale,
        propagate=arch.propagate and first,
        carrier_position=carrier_position,
        with_cp=with_cp,
    )


def output_norm(kind: str | None, channels: int, norm_cfg: dict) -> nn.Module:
    """Build the normalisation of a returned map."""
    if kind is None:
        return nn.Identity()
    return LayerNorm2d(channels) if kind == "LN" else build_norm(norm_cfg, channels)
