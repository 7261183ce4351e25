"""Normalisation and channel order: published weights want RGB, normalised as ImageNet is."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmfastervit.config.changes import Change
from mmfastervit.config.tree import ABSENT, Path, dotted, type_name, value_at, walk
from mmfastervit.swap.context import Context, Outcome
from mmfastervit.swap.zoo import KNOW_THE_MEAN, TO_RGB

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
_NEAR = 2.0  # grey levels; ImageNet's mean is written in several ways
_WHY = "FasterViT's weights want RGB normalised as ImageNet is"
_PIPELINE_HOLDERS = (
    "train_dataloader",
    "val_dataloader",
    "test_dataloader",
    "tta_pipeline",
    "custom_hooks",
)


def rule(context: Context) -> Outcome:
    """Correct the data preprocessors and the transforms that know the mean.

    Statistics that are the data's own are left, and so are images that are not RGB, and all images
    where no weights ask for anything. Six or twelve channels are RGB frames only where their
    statistics say so: a multiple of three alone does not make them that.
    """
    if context.checkpoint is None:
        return Outcome(notes=[*_unread_weights(context)])
    channels = context.in_channels
    return Outcome(normalise(context.cfg, channels), list(own_statistics(context.cfg, channels)))


def normalise(cfg: dict, channels: int) -> list[Change]:
    """List the changes for a whole config.

    Args:
        cfg: The config.
        channels: Channels of an image.
    """
    times = channels // len(MEAN)
    mean, std = list(MEAN) * times, list(STD) * times
    preprocessors = [
        found for found in _preprocessors(cfg) if is_of_pretraining(found[1], channels)
    ]
    transforms = [
        (path, part)
        for path, part in _transforms(cfg)
        if type_name(part["type"]) != "Normalize" or is_of_pretraining(part, channels)
    ]
    changes = []
    if not any(type_name(one["type"]) == "Normalize" for _, one in _transforms(cfg)):
        for path, preprocessor in preprocessors:
            wanted: dict[str, Any] = dict(mean=mean, std=std)
            if times == 1:
                if preprocessor.get("rgb_to_bgr"):
                    changes.append(Change((*path, "rgb_to_bgr"), True, False, _WHY))
                wanted[_order_key(preprocessor, cfg.get("default_scope"))] = True
            changes += _differing(preprocessor, path, wanted)
    means = [list(one["mean"]) for _, one in preprocessors if isinstance(one.get("mean"), Sequence)]
    for path, transform in transforms:
        if type_name(transform["type"]) == "Normalize":
            wanted = dict(mean=mean, std=std, **(dict(to_rgb=True) if times == 1 else {}))
            changes += _differing(transform, path, wanted)
        else:
            changes += _correct_fill(transform, path, means, mean)
    return changes + _correct_reid(cfg, changes)


def is_of_pretraining(part: dict, channels: int = len(MEAN)) -> bool:
    """Whether a normalisation goes with weights for RGB; any other is taken from the run's data.

    Of three channels, ImageNet's in any order does, and so does one value for all or none. Of six
    or twelve only ImageNet's for each three of them, red first: no other says that they are RGB
    frames, and a preprocessor can't turn the frames' channels round.
    """
    mean = part.get("mean")
    if mean is None or len(set(mean)) == 1:
        return channels == len(MEAN) and (mean is None or len(mean) == channels)
    if len(mean) != channels or channels % len(MEAN):
        return False
    given, known = list(mean), list(MEAN) * (channels // len(MEAN))
    if channels == len(MEAN):
        given, known = sorted(given), sorted(known)
    return all(abs(a - b) <= _NEAR for a, b in zip(given, known, strict=True))


def _unread_weights(context: Context) -> Iterator[str]:
    """Say why published weights were left out that nobody refused."""
    channels = context.in_channels
    if channels != len(MEAN) and context.published is not None:
        yield (
            f"images have {channels} channels and the published weights' stem reads "
            f"{len(MEAN)}: it starts from scratch; --pretrained {context.published} takes them, "
            "its stem fitted to the channels"
        )


def own_statistics(cfg: dict, channels: int = len(MEAN)) -> Iterator[str]:
    """Say of each normalisation that is left because it is the data's own, or not of RGB."""
    for path, part in (*_preprocessors(cfg), *_transforms(cfg)):
        if type_name(part.get("type", "")) in KNOW_THE_MEAN - {"Normalize"}:
            continue
        if not is_of_pretraining(part, channels):
            mean = part.get("mean")
            told = "no mean" if mean is None else f"mean={list(mean)}"
            taken = "taken for the data's own"
            if channels != len(MEAN):
                taken = f"taken for that of images of {channels} channels, not of RGB frames,"
            yield (
                f"{dotted(path)}: {told} is {taken} and left; the weights were trained on RGB with "
                f"mean={list(MEAN)} and std={list(STD)}"
            )


def _transforms(cfg: dict) -> list[tuple[Path, dict]]:
    """Those of the pipelines that know the mean."""
    return [
        (path, part)
        for key in _PIPELINE_HOLDERS
        for path, part in walk(cfg.get(key), (key,))
        if isinstance(part, dict) and type_name(part.get("type", "")) in KNOW_THE_MEAN
    ]


def _differing(part: dict, path: Path, wanted: dict[str, Any]) -> Iterator[Change]:
    for key, now in wanted.items():
        was = part.get(key, ABSENT)
        if (list(was) if isinstance(was, (list, tuple)) else was) != now:
            yield Change((*path, key), was, now, _WHY)


def _correct_fill(
    transform: dict, path: Path, means: list[list], mean: list[float]
) -> Iterator[Change]:
    """Let borders that were filled with the old mean be filled with the new one."""
    was = transform.get("mean")
    if was is None or list(was) not in means or list(was) == mean:
        return
    why = "it fills borders with the mean"
    yield Change((*path, "mean"), was, mean, why)
    if len(mean) == len(MEAN) and transform.get("to_rgb", True) is not True:
        yield Change((*path, "to_rgb"), False, True, why)


def _correct_reid(cfg: dict, changes: Sequence[Change]) -> list[Change]:
    """Keep the channel order of the crops that a tracker hands to its re-identification network.

    mmdet's ``imrenormalize`` undoes the preprocessor's mean and standard deviation, not its channel
    order, and turns the channels round where ``to_rgb`` is set, as it is by default.
    """
    path = ("model", "tracker", "reid", "img_norm_cfg")
    settings = value_at(cfg, path)
    turned = ("model", "data_preprocessor", "bgr_to_rgb") in [change.path for change in changes]
    if not turned or not isinstance(settings, dict) or not settings.get("to_rgb", True):
        return []
    why = "the tracker's crops come in RGB now: turned once more, re-identification would read BGR"
    return [Change((*path, "to_rgb"), settings.get("to_rgb", ABSENT), False, why)]


def _preprocessors(cfg: dict) -> Iterator[tuple[Path, dict]]:
    """Those that normalise: of the model, of a detector inside it, inside a wrapper."""
    for path in (("model",), ("model", "detector")):
        place: Path = (*path, "data_preprocessor")
        preprocessor = value_at(cfg, place)
        if preprocessor in (None, ABSENT) and path == ("model",):
            place = ("data_preprocessor",)
            preprocessor = value_at(cfg, place)
        if not isinstance(preprocessor, dict):
            continue
        if isinstance(preprocessor.get("data_preprocessor"), dict):
            preprocessor, place = preprocessor["data_preprocessor"], (*place, "data_preprocessor")
        if not preprocessor.get("use_det_processor"):
            yield place, preprocessor


def _order_key(preprocessor: dict, scope: str | None) -> str:
    """The argument that turns BGR to RGB: by the one that is set, the type, or the package."""
    for key in ("to_rgb", "bgr_to_rgb"):
        if key in preprocessor:
            return key
    if "type" in preprocessor:
        return "to_rgb" if type_name(preprocessor["type"]) in TO_RGB else "bgr_to_rgb"
    return "to_rgb" if scope == "mmpretrain" else "bgr_to_rgb"
