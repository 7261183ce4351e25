"""Files that say what they are and compute nothing, and a runtime that answers as a test likes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from mmfastervit.runtimes import RUNTIMES, FileModel, Stated

PLAIN = Stated(
    task="det",
    classes=("cat", "dog"),
    takes_uint8=True,
    channels=3,
    size=None,
    any_batch=True,
    fill=(9.0, 8.0, 7.0),
    gives=("boxes", "scores", "labels", "count"),
    max_detections=3,
    threshold=None,
    align_corners=False,
    model=dict(type="X", backbone=dict(arch="small")),
    test_cfg=dict(score_thr=0.1),
)
NORMALISING = dict(
    type="mmdet.DetDataPreprocessor",
    mean=[1.0, 2.0, 3.0],
    std=[2.0, 2.0, 2.0],
    bgr_to_rgb=True,
    pad_size_divisor=32,
)


def write_file(path: Path, metadata: dict[str, str]) -> Path:
    """An ONNX file of one operator, with metadata."""
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
    # a format that the oldest ONNX Runtime of our Pythons reads too
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


class Fake:
    """A runtime that keeps what it is given and answers by a function of a picture."""

    told, package, extra = "Fake", "numpy", "none"
    answer: Callable[[Any], dict[str, np.ndarray]]

    def __init__(self, path: Path, precision: str = "fp32"):
        self.batches: list[np.ndarray] = []

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        self.batches.append(pictures)
        answers = [type(self).answer(picture) for picture in pictures]
        return {name: np.stack([one[name] for one in answers]) for name in answers[0]}

    def __deepcopy__(self, copied: dict) -> "Fake":
        return self

    @staticmethod
    def why_no_bf16() -> str:
        return "it is made up"


def fake_model(
    patch: pytest.MonkeyPatch,
    folder: Path,
    stated: Stated,
    answer: Callable[[Any], dict[str, np.ndarray]],
) -> FileModel:
    """A model of a file that says this, and answers by this function."""
    kind = type("Answering", (Fake,), dict(answer=staticmethod(answer)))
    patch.setitem(RUNTIMES, "fake", kind)
    path = write_file(folder / "fake.onnx", stated.to_metadata())
    return FileModel(str(path), "fake", data_preprocessor=NORMALISING)
