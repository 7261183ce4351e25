"""Whether a file finds on pictures what the model itself predicts there.

A model may hang on the last digit: of two boxes of nearly one score one drops the other, or is the
hundredth and the other left out. Such a detection is no fault of the file. It is told from a fault
by the model itself: its own ``predict``, run again with noise of the size of rounding on the
picture and behind every layer, loses or gains it as well. How many of these there were is told with
every check.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from mmfastervit.runtimes import masks_at

from .asking import predicted, predicted_shaken

FLOOR = 0.05  # detections of higher scores are looked for
IOU = 0.99
SCORE = 1e-3
PIXELS = 0.999  # of a class map
LOGITS = 1e-3  # of the largest
SHAKY = 0.1  # of detections may hang on rounding
_TRIES = 8
_SAME_CORNER = 0.05  # px, of boxes that are too thin to have an IoU
_SAME_PIXELS = 4  # of a mask, which rounding may turn


class Whole(Protocol):
    """What is checked: see ``WholeModel``."""

    model: Any
    preparation: Any
    results: Any


@dataclass(frozen=True)
class Found:
    """Detections on one picture.

    Attributes:
        boxes: (N, 4), in pixels.
        scores: (N,).
        labels: (N,).
        masks: (N, H, W), bool; None where there are none.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: np.ndarray | None = None


@dataclass(frozen=True)
class Checked:
    """What came out of one batch.

    Attributes:
        shape: Of the batch: how many pictures, their height and width.
        compared: Detections, or pixels, that were compared.
        shaky: Detections that the model itself loses or gains by rounding, and are left out.
        kind: What was compared.
        worst: The worst of what was found again, in words.
    """

    shape: tuple[int, int, int]
    compared: int
    shaky: int
    kind: str
    worst: str


def array_of(whole: Whole, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures (H, W, C) of one size, red first, as a batch that the file takes."""
    batch = np.stack(pictures)
    if whole.preparation.takes_uint8:
        return batch
    return whole.preparation.normalised(torch.from_numpy(batch)).numpy()


def check(whole: Whole, session: Any, pictures: Sequence[np.ndarray]) -> Checked:
    """Compare what a file and the model find on a batch of pictures of one size.

    Args:
        whole: The model.
        session: The file, from an array of pictures to a dict of arrays.
        pictures: uint8 (H, W, C), red first.

    Raises:
        ArithmeticError: They differ.
    """
    outputs = session(array_of(whole, pictures))
    shape = (len(pictures), *pictures[0].shape[:2])
    if "boxes" not in outputs:
        return _check_maps(whole, outputs, pictures, shape)
    if "segments" in outputs:
        _check_maps(whole, outputs, pictures, shape)
    return _check_detections(whole, outputs, pictures, shape)


def _of_sample(sample: Any) -> Found:
    found = sample.pred_instances
    boxes = getattr(found.bboxes, "tensor", found.bboxes)
    masks = found.get("masks")
    if isinstance(masks, torch.Tensor):
        masks = masks.numpy()
    return Found(boxes.numpy(), found.scores.numpy(), found.labels.numpy(), masks)


def _of_outputs(
    outputs: dict[str, np.ndarray], image: int, size: tuple[int, int], threshold: float
) -> Found:
    count = int(outputs["count"][image])
    boxes, scores, labels = (outputs[name][image, :count] for name in ("boxes", "scores", "labels"))
    masks = None
    if "masks" in outputs:
        masks = masks_at(outputs["masks"][image, :count], boxes, size, threshold)
    return Found(boxes, scores, labels, masks)


def _check_detections(
    whole: Whole,
    outputs: dict[str, np.ndarray],
    pictures: Sequence[np.ndarray],
    shape: tuple[int, int, int],
) -> Checked:
    model = whole.model
    theirs = [_of_sample(sample) for sample in predicted(model, pictures)]
    threshold = getattr(whole.results, "mask_threshold", 0.5)
    ours = [_of_outputs(outputs, image, shape[1:], threshold) for image in range(len(pictures))]
    floor = FLOOR if any((one.scores > FLOOR).any() for one in theirs) else 0.0
    pairs = list(zip(ours, theirs, strict=True))
    lost = [_unmatched(wanted, offered, floor) for offered, wanted in pairs]
    extra = [_unmatched(wanted, offered, floor) for wanted, offered in pairs]
    total = sum(int((one.scores > floor).sum()) for one in theirs)
    shaky = sum(map(len, lost)) + sum(map(len, extra))
    if shaky:
        again = [
            [_of_sample(sample) for sample in predicted_shaken(model, pictures, seed)]
            for seed in range(_TRIES)
        ]
        for image, (our, their) in enumerate(pairs):
            tries = [one[image] for one in again]
            # what the model itself does not find each time, and what it finds at times
            unsure = [set(_unmatched(their, one, floor)) for one in tries]
            missing = set(lost[image]) - set().union(*unsure)
            added = set(extra[image]).intersection(*(_unmatched(our, one, floor) for one in tries))
            if missing or added:
                raise ArithmeticError(_told(their, our, missing, added, image, shape))
    sure = total - sum(map(len, lost))
    if shaky > SHAKY * max(total, 1) and shaky > 1:
        raise ArithmeticError(
            f"of {total} detections {shaky} hang on rounding: the model itself finds others with "
            "noise of that size on the pictures and behind its layers. So the file can't be told "
            "right or wrong; check a trained model, on pictures of its kind (--check-on)"
        )
    worst = [_worst(wanted, offered, floor) for offered, wanted in pairs]
    overlap = min((one[0] for one in worst), default=1.0)
    score = max((one[1] for one in worst), default=0.0)
    kind = f"detections over {floor}" if floor else "detections, none over 0.05"
    told = f"IoU of at least {overlap:.4f}, scores within {score:.1e}"
    return Checked(shape, sure, shaky, kind, told)


def _told(
    their: Found, our: Found, missing: set[int], added: set[int], image: int, shape: tuple
) -> str:
    """What differs, by the detection of the highest score."""
    found, which, who = (their, missing, "the model") if missing else (our, added, "ONNX Runtime")
    place = min(which)
    box = ", ".join(f"{value:.1f}" for value in found.boxes[place])
    other = "ONNX Runtime" if missing else "the model"
    return (
        f"on picture {image + 1} of a batch of {'x'.join(map(str, shape))} {who} finds label "
        f"{found.labels[place]} with score {found.scores[place]:.4f} at ({box}), which {other} does"
        f" not (IoU {IOU}, score within {SCORE}); {len(missing) + len(added)} such differences: "
        "the file is not written"
    )


def _agreements(wanted: Found, offered: Found) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlap, distance of scores and whether they agree, all (wanted, offered)."""
    overlap = overlaps(wanted.boxes, offered.boxes)
    distance = np.abs(wanted.scores[:, None] - offered.scores[None])
    agree = (overlap >= IOU) & (distance <= SCORE)
    agree &= wanted.labels[:, None] == offered.labels[None]
    if wanted.masks is not None and offered.masks is not None:
        # mmdet divides by the sides of a box to spread a mask: where one is 0, that says nothing
        spread = np.all(wanted.boxes[:, 2:] > wanted.boxes[:, :2], axis=1)
        for one, other in np.argwhere(agree & spread[:, None]):
            agree[one, other] = _same_mask(wanted.masks[one], offered.masks[other])
    return overlap, distance, agree


def _unmatched(wanted: Found, offered: Found, floor: float) -> list[int]:
    """Which of the wanted detections of scores over a floor are not among the offered ones.

    Each of these serves one; those of the highest scores choose first.
    """
    overlap, _, agree = _agreements(wanted, offered)
    free = np.ones(len(offered.scores), bool)
    missing = []
    for place in np.flatnonzero(wanted.scores > floor):
        able = agree[place] & free
        if able.any():
            free[np.argmax(np.where(able, overlap[place], -1.0))] = False
        else:
            missing.append(int(place))
    return missing


def _worst(wanted: Found, offered: Found, floor: float) -> tuple[float, float]:
    """The smallest overlap and the largest distance of scores of what was found again."""
    overlap, distance, agree = _agreements(wanted, offered)
    rows = (wanted.scores > floor) & agree.any(1)
    if not rows.any():
        return 1.0, 0.0
    partner = np.where(agree, overlap, -1.0).argmax(1)
    places = np.flatnonzero(rows)
    chosen = partner[places]
    return float(overlap[places, chosen].min()), float(distance[places, chosen].max())


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of boxes (N, 4) and (M, 4), as (N, M); 1 where all corners are the same."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    inside = np.clip(high - low, 0, None).prod(-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - inside
    same = np.abs(first[:, None] - second[None]).max(-1, initial=0.0) <= _SAME_CORNER
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(same, 1.0, np.nan_to_num(inside / union))


def _same_mask(first: np.ndarray, second: np.ndarray) -> bool:
    differing = int((first != second).sum())
    return differing <= max(_SAME_PIXELS, (1 - IOU) * int((first | second).sum()))


def _check_maps(
    whole: Whole,
    outputs: dict[str, np.ndarray],
    pictures: Sequence[np.ndarray],
    shape: tuple[int, int, int],
) -> Checked:
    if "logits" in outputs:
        theirs = _maps(whole, pictures, "logits")
        largest = float(np.abs(outputs["logits"] - theirs).max() / np.abs(theirs).max())
        if not largest <= LOGITS:
            raise ArithmeticError(
                f"logits of a batch of {'x'.join(map(str, shape))} differ by {largest:.1e} of the "
                f"largest, more than {LOGITS:.0e}: the file is not written"
            )
        told = f"within {largest:.1e} of the largest"
        return Checked(shape, theirs.size, 0, "logits", told)
    output, kind = ("segments",) * 2 if "segments" in outputs else ("classes", "class maps")
    theirs = _maps(whole, pictures, output)
    same = float((outputs[output] == theirs).mean())
    if not same >= PIXELS:
        again = float((_maps(whole, pictures, output) == theirs).mean())
        draws = f"; the model itself gives {again:.2%} the same when it is asked twice"
        raise ArithmeticError(
            f"of the {kind} of a batch of {'x'.join(map(str, shape))} {same:.3%} of the pixels "
            f"are the same, less than {PIXELS:.1%}{draws if again < 1 else ''}: the file is not "
            "written"
        )
    return Checked(shape, theirs.size, 0, f"pixels of {kind}", f"{same:.3%} the same")


def _maps(whole: Whole, pictures: Sequence[np.ndarray], output: str) -> np.ndarray:
    """What the model itself gives for each picture, by the name of the file's output."""
    samples = predicted(whole.model, pictures)
    if output == "logits":
        return np.stack([sample.seg_logits.data.numpy() for sample in samples])
    if output == "segments":
        return np.stack([sample.pred_panoptic_seg.sem_seg[0].numpy() for sample in samples])
    return np.stack([sample.pred_sem_seg.data[0].numpy() for sample in samples])
