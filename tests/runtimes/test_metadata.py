"""What stands in an ONNX file is read without ONNX, and what is none is told."""

import pytest
import torch
from support.fake_file import write_file

from mmfastervit.runtimes import NoModel, read_metadata


def test_metadata_are_those_that_onnx_wrote(tmp_path):
    stated = {"classes": '["a", "ß"]', "long": "x" * 300, "empty": ""}
    path = write_file(tmp_path / "x.onnx", stated)
    assert read_metadata(path) == stated
    assert read_metadata(write_file(path, {})) == {}


def test_a_cut_file_is_told(tmp_path):
    path = write_file(tmp_path / "x.onnx", {"a": "b" * 100})
    content = path.read_bytes()
    for length in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(NoModel, match=r"x.onnx is no ONNX file, or a cut one"):
            read_metadata(path)


def test_another_file_is_told(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.zeros(99))), tmp_path / "x.pth")
    (tmp_path / "x.py").write_text('_base_ = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"\n' * 9)
    for name in ("x.pth", "x.py"):
        with pytest.raises(NoModel, match="is no ONNX file"):
            read_metadata(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_metadata(tmp_path / "no.onnx")
