"""int8: what is quantised and what stays in float, what is told, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support import exported
from support.answers import status_of
from support.exported import data_of, file_of, on_data
from support.opened import checkpoint_of

from mmfastervit.export import Calibration, Likeness, build_whole, formats, require_quantisable
from mmfastervit.export.likeness import compare_files
from mmfastervit.export.quantising import able_nodes, quantise, quantise_checked
from mmfastervit.export.whole import taken
from mmfastervit.runtimes import Stated, open_runtime, read_metadata

TOOL = Path(__file__).resolve().parents[2] / "tools/export_onnx.py"
RANDOM = np.random.default_rng(0)


def graph(nodes: list, weights: dict[str, np.ndarray], outputs: list[str]) -> onnx.GraphProto:
    """A graph from images (1, 4, 8, 8), with outputs of any shape."""
    return helper.make_graph(
        nodes,
        "little",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 4, 8, 8))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in weights.items()
        ],
    )


def node(kind: str, inputs: str, output: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], name=output, **attributes)


SQUARE = RANDOM.standard_normal((8, 8))
CHANNELS = RANDOM.standard_normal((4, 4, 1, 1))


@pytest.mark.parametrize(
    ("nodes", "chosen"),
    [
        pytest.param(
            [node("Conv", "images k", "first"), node("Conv", "first k", "last")],
            ["first"],
            id="the-last-layer",
        ),
        pytest.param(
            [
                node("MatMul", "images w", "first"),
                node("MatMul", "first first", "scores"),
                node("Softmax", "scores", "shares"),
                node("MatMul", "shares w", "last"),
            ],
            ["first"],
            id="attention's-own-product",
        ),
        pytest.param(
            [
                node("Shape", "images", "size"),
                node("Cast", "size", "number", to=TensorProto.FLOAT),
                node("Gather", "w zero", "row"),
                node("MatMul", "number table", "from_size"),
                node("MatMul", "images w", "first"),
                node("Add", "first from_size", "sum"),
                node("MatMul", "sum w", "last"),
            ],
            ["first"],
            id="what-hangs-on-the-size-alone",
        ),
        pytest.param(
            [node("MatMul", "images mean", "first"), node("MatMul", "first w", "last")],
            [],
            id="averages",
        ),
        pytest.param(
            [
                node("Conv", "images k", "features"),
                node("Conv", "images k", "places"),
                node("GridSample", "features places", "sampled"),
                node("Conv", "sampled k", "last"),
            ],
            ["features"],
            id="what-says-where-to-look",
        ),
        pytest.param(
            [
                node("Conv", "images k", "first"),
                node("Conv", "first channel", "each", group=4),
                node("Conv", "each k", "last"),
            ],
            ["first"],
            id="a-channel-each",
        ),
        pytest.param(
            [
                node("Conv", "images k", "features"),
                node("Conv", "images k", "boxes"),
                node("Greater", "boxes zero", "large"),
                node("Where", "large features zero", "kept"),
                node("Conv", "kept k", "last"),
            ],
            ["features"],
            id="what-decides",
        ),
    ],
)
def test_layers_can_be_quantised_by_their_place_in_the_graph(nodes, chosen):
    weights = dict(
        k=CHANNELS,
        channel=CHANNELS[:, :1],
        w=SQUARE,
        mean=np.full((8, 8), 1 / 8),
        table=np.ones((4, 8)) * 2,
        zero=np.zeros(1),
    )
    assert able_nodes(graph(nodes, weights, ["last"])) == chosen


def saved(path: Path, nodes: list) -> Path:
    model = helper.make_model(
        graph(nodes, dict(w=SQUARE), ["output0"]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    helper.set_model_props(model, dict(kept="yes"))
    onnx.save(model, str(path))
    return path


def images(many: int) -> list[np.ndarray]:
    return [RANDOM.standard_normal((1, 4, 8, 8)).astype(np.float32) for _ in range(many)]


TWO = [node("MatMul", "images w", "first"), node("MatMul", "first w", "output0")]


def test_a_quantised_file_keeps_what_it_says_and_is_near_in_either_runtime(tmp_path):
    path = saved(tmp_path / "x.onnx", TWO)
    out = tmp_path / "int8.onnx"
    assert quantise(path, out, images(8)) == 1
    assert read_metadata(out) == dict(kept="yes", precision='"int8"')
    for runtime in ("onnxruntime", "openvino"):
        files = [open_runtime(runtime, each) for each in (path, out)]
        found = compare_files(*files, images(3), runtime)
        assert 1e-4 < found.rms["output0"] < 0.05  # it is quantised, and near
        found.check()


def test_pictures_of_a_rare_kind_keep_their_values(tmp_path):
    path = saved(tmp_path / "x.onnx", TWO)
    out = tmp_path / "int8.onnx"
    bright = images(3)
    quantise(path, out, [*(each / 10 for each in images(9)), bright[0]])
    files = [open_runtime("onnxruntime", each) for each in (path, out)]
    assert compare_files(*files, bright[1:], "ONNX Runtime").rms["output0"] < 0.1


def test_files_with_nothing_to_quantise_are_refused(tmp_path):
    path = saved(tmp_path / "x.onnx", [node("MatMul", "images w", "output0")])
    with pytest.raises(ValueError, match="no convolution and no linear layer to quantise"):
        quantise(path, tmp_path / "int8.onnx", images(1))


def test_a_quantised_file_takes_the_shape_it_was_measured_on_alone(tmp_path):
    path = saved(tmp_path / "x.onnx", TWO)
    model = onnx.load(path)
    for side, name in zip(model.graph.input[0].type.tensor_type.shape.dim, "bchw", strict=True):
        side.dim_param = name
    onnx.save(model, path)
    out = tmp_path / "int8.onnx"
    with pytest.raises(ValueError, match=r"takes one size.*\(1, 4, 8, 8\) and \(1, 4, 4, 8\)"):
        quantise(path, out, [images(1)[0], images(1)[0][:, :, :4]])
    assert not out.exists()
    quantise(path, out, images(2))
    sides = onnx.load(out).graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_value for side in sides] == [1, 4, 8, 8]


def test_the_quantiser_reports_to_nobody(tmp_path):
    path = saved(tmp_path / "x.onnx", TWO)
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from mmfastervit.export import quantise\n"
        "path = Path(sys.argv[1])\n"
        "quantise(path, path.with_name('int8.onnx'), [np.ones((1, 4, 8, 8), np.float32)])\n"
        "from nncf.telemetry.wrapper import telemetry\n"
        "print(type(telemetry).__name__)"
    )
    env = {key: value for key, value in os.environ.items() if key not in ("NNCF_CI", "NNCF_DEV")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "MagicMock"  # which sends nothing


def test_weights_beside_the_file_are_refused(tmp_path):
    path = saved(tmp_path / "x.onnx", TWO)
    onnx.save(onnx.load(path), path, save_as_external_data=True, size_threshold=0)
    with pytest.raises(ValueError, match="more than 2 GB"):
        quantise(path, tmp_path / "int8.onnx", images(1))


def test_a_cast_that_does_nothing_is_no_obstacle(tmp_path):
    nodes = [
        node("MatMul", "images w", "first"),
        node("Cast", "first", "cast", to=TensorProto.FLOAT),
        node("MatMul", "cast w", "output0"),
    ]
    assert quantise(saved(tmp_path / "x.onnx", nodes), tmp_path / "int8.onnx", images(2)) == 1


def test_what_the_quantiser_does_not_know_ends_in_one_line(tmp_path, monkeypatch):
    import nncf

    def fail(*_, **__):
        raise nncf.InternalError("no such graph")

    monkeypatch.setattr(nncf, "quantize", fail)
    with pytest.raises(ValueError, match=r"NNCF can't quantise this file: .*no such graph"):
        quantise(saved(tmp_path / "x.onnx", TWO), tmp_path / "int8.onnx", images(1))


def test_pictures_to_measure_on_are_padded_as_the_file_is_given_them():
    whole = build_whole(exported.tested_config("mask"), checkpoint_of("mask"), takes_uint8=True)
    small, large = (np.full((height, 50, 3), 255, dtype=np.uint8) for height in (40, 80))
    padded, scaled = (taken(whole, picture, (64, 64)) for picture in (small, large))
    assert padded.shape == scaled.shape == (1, 64, 64, 3)
    assert (padded[0, :40, :50] == 255).all()
    assert (padded[0, 40:] == whole.preparation.fill(3)).all()
    assert (scaled == 255).all()
    exact = build_whole(exported.tested_config("mask"), checkpoint_of("mask"), takes_uint8=False)
    images = taken(exact, small, (64, 64))
    assert images.shape == (1, 3, 64, 64)
    assert (images[:, :, 40:] == 0).all()
    assert (images[:, :, :40, :50] > 0).all()


def test_a_file_of_which_nothing_is_left_does_not_take_the_place_of_the_float_one(
    tmp_path, monkeypatch
):
    path = saved(tmp_path / "x.onnx", TWO)
    before = path.read_bytes()
    seen = []
    # measured on pictures that are far too bright, so that others fall below the first step
    dark, bright = images(2), [1e6 * each for each in images(4)]
    with pytest.raises(ArithmeticError, match=r"of output0 nothing is left.*not written"):
        quantise_checked(path, Calibration(bright, dark, seen.append), lambda image: image)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["x.onnx"]
    assert len(seen) == 1  # the first runtime ends it


def found(boxes: list, scores: list, labels: list) -> dict[str, np.ndarray]:
    """Detections on one picture, as a file gives them."""
    return dict(
        boxes=np.array(boxes, np.float32).reshape(1, -1, 4),
        scores=np.array([scores], np.float32),
        labels=np.array([labels]),
        count=np.array([len(scores)]),
    )


BOXES = [[0, 0, 10, 10], [20, 20, 40, 40]]


def test_detections_are_found_again_by_label_and_overlap():
    likeness = Likeness("ONNX Runtime")
    exact = found([*BOXES, [50, 50, 60, 60]], [0.9, 0.5, 0.01], [0, 1, 0])
    likeness.add(exact, found([[0, 0, 10, 10.5], BOXES[1]], [0.8, 0.5], [0, 2]))
    assert (likeness.detections, likeness.again, likeness.more) == (2, 1, 1)
    assert likeness.scores == [pytest.approx(0.1)]
    (line,) = likeness.told()
    assert "1 of 2 detections (50.0%) found again at IoU 0.9, 1 others" in line
    likeness.check()


def test_pixels_and_logits_are_compared():
    likeness = Likeness("ONNX Runtime")
    exact = np.zeros((1, 2, 4, 4), np.float32)
    exact[:, 1, :2] = 1
    other = exact.copy()
    other[:, 1, 0, 0] = -1
    likeness.add(dict(logits=exact), dict(logits=other))
    assert (likeness.pixels, likeness.same) == (16, 15)
    assert likeness.rms["logits"] == pytest.approx((4 / 8) ** 0.5)
    likeness.check()


@pytest.mark.parametrize(
    ("exact", "other", "message"),
    [
        (found(BOXES, [0.9, 0.5], [0, 1]), found([], [], []), "0 of the 2 detections"),
        (found(3 * BOXES[:1], [0.9] * 3, [0, 1, 2]), found(BOXES, [0.9] * 2, [0, 1]), "1 of the 3"),
        (found([], [], []), found([], [], []), "finds nothing on the pictures"),
        (dict(classes=np.eye(4)[None]), dict(classes=np.ones((1, 4, 4))), "one class everywhere"),
        (dict(output0=np.ones(3)), dict(output0=np.array([1, np.nan, 1])), "not finite"),
        (dict(output0=np.ones(3)), dict(output0=-np.ones(3)), "of output0 nothing is left"),
    ],
    ids=["lost", "most-lost", "none", "one-class", "not-finite", "map"],
)
def test_files_that_are_of_no_use_are_refused(exact, other, message):
    likeness = Likeness("ONNX Runtime")
    likeness.add(exact, other)
    with pytest.raises(ArithmeticError, match=rf"{message}.*not written"):
        likeness.check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--int8"], "name a folder with some of the kind that the model is for by --calibrate"),
        (["--calibrate", "."], "--calibrate is for --int8"),
        (["--calibrate-pictures", "3"], "--calibrate-pictures is for --int8"),
        (["--int8", "--calibrate", "nowhere"], "there is no such folder"),
        (["--int8", "--calibrate", ".", "--calibrate-pictures", "0"], "takes a number from 1 on"),
        (["--int8", "--calibrate", ".", "--out", "x.pt2"], "--int8 is for ONNX files"),
    ],
)
def test_options_that_do_not_go_together_end_in_one_line(
    options, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("config.py").write_text("model = dict()")
    monkeypatch.setattr("sys.argv", ["export_onnx.py", "config.py", "--out", "x.onnx", *options])
    with pytest.raises(SystemExit) as end:
        run_path(str(TOOL), run_name="__main__")
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_without_the_quantiser_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match=r"--int8 needs nncf: pip install 'mmfastervit\[int8\]'"):
        require_quantisable(Path("x.onnx"))


@pytest.fixture
def config(tmp_path, monkeypatch) -> str:
    """The config of a little segmentor, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "seg.py"
    path.write_text("".join(f"{key} = {value!r}\n" for key, value in on_data("seg").items()))
    return str(path)


@pytest.mark.parametrize("many", [0, 1])
def test_folders_with_too_few_pictures_are_refused(many, config, capsys):
    Path("pictures").mkdir()
    for picture in sorted((data_of("seg") / "images").iterdir())[:many]:
        shutil.copy(picture, "pictures")
    status, _, error = status_of(
        capsys, "export", config, checkpoint_of("seg"), "--part", "model", "--int8",
        "--calibrate", "pictures", "--out", "x.onnx",
    )  # fmt: skip
    assert status == 2
    assert "--calibrate pictures" in error
    assert "two at least" in error if many else "picture" in error
    assert not Path("x.onnx").exists()


def test_a_whole_model_is_exported_in_int8(config, capsys):
    status, printed, error = status_of(
        capsys, "export", config, checkpoint_of("seg"), "--part", "model", "--uint8", "--logits",
        "--one-size", "--size", "64", "64", "--int8", "--calibrate", str(data_of("seg") / "images"),
        "--out", "int8.onnx",
    )  # fmt: skip
    assert status == 0, error
    assert "calibrated on 3 pictures" in error
    assert "takes a batch of 1, 64x64 pixels" in printed
    assert "not more, as OpenVINO computes something else in int8" in error
    assert "of the pixels are of the same class" in printed
    assert "not exact" in printed
    assert "mmfastervit test CONFIG --model int8.onnx" in printed
    path = Path("int8.onnx")
    stated = Stated.read(path)
    assert (stated.precision, stated.any_batch, stated.size) == ("int8", False, (64, 64))
    assert Stated.read(file_of("seg")).precision == "fp32"
    nodes = onnx.load(path).graph.node
    made = {name: each for each in nodes for name in each.output}
    kinds = [each.op_type for each in nodes]
    assert kinds.count("QuantizeLinear") > 10
    rounded = {
        each.op_type
        for each in nodes
        if any(name in made and made[name].op_type == "DequantizeLinear" for name in each.input)
    }
    # what is said to stay in float does, and values are rounded where a layer takes them
    assert rounded <= {"Conv", "Gemm", "MatMul"}
    assert "Conv" in rounded
    picture = RANDOM.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    by_onnx, by_openvino = (
        open_runtime(runtime, path)(picture)["logits"] for runtime in ("onnxruntime", "openvino")
    )
    assert np.sqrt(np.square(by_onnx - by_openvino).mean() / np.square(by_onnx).mean()) < 0.3


@pytest.mark.slow
def test_a_detector_is_exported_in_int8_and_tested(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mask.py").write_text(
        "".join(f"{key} = {value!r}\n" for key, value in on_data("mask").items())
    )
    status, printed, error = status_of(
        capsys, "export", "mask.py", checkpoint_of("mask"), "--part", "model",
        "--one-size", "--size", "64", "64", "--int8",
        "--calibrate", str(data_of("mask") / "images"),
        "--out", "int8.onnx",
    )  # fmt: skip
    assert status == 0, error
    assert "found again at IoU 0.9" in printed
    for runtime in ("onnxruntime", "openvino"):
        status, _, error = status_of(
            capsys, "test", "mask.py", "--model", "int8.onnx", "--runtime", runtime,
            "--work-dir", runtime,
        )  # fmt: skip
        assert status == 0, error
        (measured,) = (json.loads(path.read_text()) for path in Path(runtime).rglob("*.json"))
        assert measured["coco/bbox_mAP"] > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("part", ["backbone", "neck"])
def test_parts_are_exported_in_int8(part, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mask.py").write_text(
        "".join(f"{key} = {value!r}\n" for key, value in on_data("mask").items())
    )
    status, printed, error = status_of(
        capsys, "export", "mask.py", checkpoint_of("mask"), "--part", part, "--int8",
        "--calibrate", str(data_of("mask") / "images"), "--calibrate-pictures", "2",
        "--size", "96", "128", "--out", "int8.onnx",
    )  # fmt: skip
    assert status == 0, error
    assert "calibrated on 2 pictures" in error
    assert "root mean square of the differences" in printed
    assert read_metadata(Path("int8.onnx"))["precision"] == '"int8"'
    assert "takes a batch of 1, 96x128 pixels" in printed
    sizes = ((1, 3, 96, 128),)
    run = open_runtime("onnxruntime", Path("int8.onnx"))
    for shape in sizes:
        outputs = run(RANDOM.standard_normal(shape).astype(np.float32))
        assert all(np.isfinite(each).all() and len(each) == shape[0] for each in outputs.values())
