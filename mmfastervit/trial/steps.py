"""One training and one inference step of a model, on generated input."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope

from mmfastervit.config.building import without_weights
from mmfastervit.config.tree import Path, rebuild, type_name, value_at
from mmfastervit.logs import warnings_only

from .samples import image_size, make_batch

_SEED = 0
_SAMPLED_POINTS = 128
_QUERIES = 32
_CHOOSE_QUERIES = ("DINO", "DDQDETR")  # among the pixels of the image


class StepError(RuntimeError):
    """A step ran, and its loss or its gradients are not what training needs."""


def steps(cfg: dict, model_path: Path) -> Iterator[tuple[str, str]]:
    """Build a model with drawn weights, train it one step and let it predict.

    Args:
        cfg: A whole config as plain dicts and lists.
        model_path: Place in it of the model to run; of a tracker, the detector inside it.

    Yields:
        ``built``, ``trained`` and ``predicted`` when that is done, each with a line of what was
        found.

    Raises:
        StepError: the loss is not finite, or a backbone parameter gets no gradient.
        Exception: whatever building the model or running it raises.
    """
    scope = cfg.get("default_scope")
    with generated_run(scope):
        model = build(cfg, model_path)
        yield "built", ""
        batch = make_batch(cfg, value_at(cfg, model_path), scope)
        loss = train_once(model, cfg, batch)
        yield (
            "trained",
            f"one training step: loss {loss:.3g}, every backbone parameter has a gradient",
        )
        results = predict_once(model, batch)
        yield "predicted", f"one inference step: {results} prediction"


@contextmanager
def generated_run(scope: str | None) -> Iterator[None]:
    """Draw the same numbers every time and log warnings alone; restore what the caller had."""
    with (
        torch.random.fork_rng(devices=[]),
        DefaultScope.overwrite_default_scope(scope),
        warnings_only(),
    ):
        torch.manual_seed(_SEED)
        for counter in ("iter", "epoch"):  # some losses look at how far a run has come
            MessageHub.get_current_instance().update_info(counter, 0)
        yield


def build(cfg: dict, model_path: Path) -> BaseModel:
    """Build the model at ``model_path`` with fresh weights, for one process without a GPU."""
    part = without_weights(value_at(cfg, model_path))
    if "data_preprocessor" not in part:
        part["data_preprocessor"] = preprocessor_of(cfg)
    _make_cheap(part)
    part = rebuild(part, without_process_group)
    model = revert_sync_batchnorm(MODELS.build(ConfigDict(copy.deepcopy(part))))
    model.init_weights()
    return model


def without_process_group(node: dict) -> dict:
    """Take plain batch normalisation where mmcv's synchronised one asks for other processes."""
    return {**node, "type": "BN"} if node.get("type") == "MMSyncBN" else node


def _make_cheap(part: dict) -> None:
    """Leave out what costs time and is the same for every backbone: padding, sampled points."""
    preprocessor = part["data_preprocessor"]
    preprocessor.pop("batch_augments", None)
    if type_name(preprocessor.get("type", "")) == "SegDataPreProcessor":
        preprocessor.pop("size_divisor", None)
        preprocessor["size"] = image_size(part)
    if chooses_queries(part):
        part["num_queries"] = min(part["num_queries"], _QUERIES)
    for owner in (part, part.get("decode_head"), part.get("panoptic_head"), part.get("track_head")):
        settings = owner.get("train_cfg") if isinstance(owner, dict) else None
        if settings and settings.get("num_points", 0) > _SAMPLED_POINTS:
            settings["num_points"] = _SAMPLED_POINTS


def chooses_queries(part: dict) -> bool:
    """Whether a model, by its config, chooses its queries among the pixels of an image."""
    two_stages = part.get("as_two_stage") or type_name(part["type"]) in _CHOOSE_QUERIES
    return bool(two_stages and part.get("num_queries"))


def preprocessor_of(cfg: dict) -> dict:
    """The data preprocessor that stands around a detector, in the detector's own kind."""
    outer = cfg["model"].get("data_preprocessor") or cfg.get("data_preprocessor") or {}
    outer = outer.get("data_preprocessor") or outer
    if outer.get("type", "").startswith("Track"):
        kept = ("mean", "std", "bgr_to_rgb", "pad_size_divisor", "pad_mask")
        outer = dict(type="DetDataPreprocessor", **{k: outer[k] for k in kept if k in outer})
    return copy.deepcopy(outer)


def train_once(model: BaseModel, cfg: dict, batch: dict) -> float:
    """Run one step of the config's optimizer.

    Returns:
        The loss.

    Raises:
        StepError: the loss is not finite, or a backbone parameter gets no gradient.
    """
    model.train()
    wrapper = _optim_wrapper(model, cfg)
    with wrapper.optim_context(model):
        data = model.data_preprocessor(copy.deepcopy(batch), True)
        loss, _ = model.parse_losses(_forward(model, data, "loss"))
    wrapper.backward(loss)
    named = [(name, p) for name, p in model.named_parameters() if "backbone." in name]
    without = [name for name, p in named if p.requires_grad and p.grad is None]
    if cfg.get("find_unused_parameters"):
        without = []
    if without or not torch.isfinite(loss):
        raise StepError(
            f"loss {loss.item():.3g}; backbone parameters without a gradient: {without[:4] or '-'}"
        )
    wrapper.step()
    return loss.item()


def _optim_wrapper(model: BaseModel, cfg: dict) -> OptimWrapper:
    """The config's, in full precision, as a CPU has no other."""
    settings = copy.deepcopy(cfg.get("optim_wrapper"))
    if not settings or "optimizer" not in settings:
        settings = dict(optimizer=dict(type="AdamW", lr=1e-4))
    settings["type"] = "OptimWrapper"
    for key in ("loss_scale", "dtype", "use_fsdp"):
        settings.pop(key, None)
    return build_optim_wrapper(model, ConfigDict(settings))


@torch.no_grad()
def predict_once(model: BaseModel, batch: dict) -> int:
    """Run one inference step on one image; return the number of samples that came out."""
    model.eval()
    one = {key: copy.deepcopy(values[:1]) for key, values in batch.items()}
    data = model.data_preprocessor(one, False)
    return len(_forward(model, data, "predict"))


def _forward(model: BaseModel, data: Any, mode: str) -> Any:
    return model(**data, mode=mode) if isinstance(data, dict) else model(*data, mode=mode)
