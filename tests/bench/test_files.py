"""Files run in the same turns as the models, are written once, and compute what the models do."""

from functools import partial
from pathlib import Path
from shutil import copy

import pytest
from support.small_benchmark import build
from support.torch_file import TorchFile, write
from torch import nn

from mmfastervit.bench import cases
from mmfastervit.bench.cases import Case, Conditions, prepare, run_cases
from mmfastervit.bench.files import Files, usable
from mmfastervit.bench.measure import matrix_product
from mmfastervit.runtimes import RUNTIMES

SMALL = Conditions("eval", "fp32", (32, 64), 1)


@pytest.fixture
def seen(monkeypatch) -> list[str]:
    """What ran, in order; 'first' and 'second' are runtimes."""
    monkeypatch.setattr(cases, "matrix_product", partial(matrix_product, side=128))
    order: list[str] = []
    for name in ("first", "second"):
        monkeypatch.setitem(RUNTIMES, name, type(name, (TorchFile,), dict(seen=order)))
    return order


def noting(order: list[str]):
    """:func:`build`, of models that say when they are called."""

    def made(name: str, size: tuple[int, int]) -> nn.Module:
        model = build(name, size)
        model.register_forward_hook(lambda *_: order.append(name))
        return model

    return made


def test_files_are_timed_in_turns_with_the_models_and_written_once(seen, tmp_path):
    written = []

    def note(model: nn.Module, path: Path) -> None:
        written.append(path.name)
        write(model, path)

    others = Conditions("eval", "fp32", (32, 32), 2)
    chosen = [Case("ours", mode, c) for c in (SMALL, others) for mode in ("first", "second")]
    chosen += [Case("theirs", "eager", c) for c in (SMALL, others)]
    told = []

    def made(name: str, size: tuple[int, int]) -> nn.Module:
        return noting(seen)(name, size) if name == "theirs" else build(name, size)

    results = run_cases(
        chosen, made, "theirs:eager", 3, tell=told.append, files=Files(tmp_path, note)
    )
    assert written == ["ours.onnx"]
    turns = ["file", "file", "theirs"] * 5  # two before those that are timed
    text, wanted = " ".join(seen), " ".join(turns)
    assert text.count(wanted) == 2
    assert [result.case.name for result in results] == [
        "ours:first", "ours:second", "theirs:eager",
    ] * 2  # fmt: skip
    for result in results:
        assert len(result.times) == 3
        assert result.ratio is not None
        assert result.parameters > 0
        assert (result.memory is None) == (result.kinds == {}) == result.case.is_file
    assert sum("ours:second" in line for line in told) == 2


def test_a_file_that_computes_something_else_is_not_timed(seen, tmp_path, monkeypatch):
    case = Case("ours", "first", SMALL)
    monkeypatch.setattr(RUNTIMES["first"], "factor", 1.01, raising=False)
    with pytest.raises(ArithmeticError, match=r"ours by Torch's file in fp32 differs from torch"):
        prepare(case, build, "cpu", Files(tmp_path, write))
    given = tmp_path / "given.onnx"
    write(build("ours", (32, 64)).eval(), given)
    # its weights may be others
    assert prepare(case, build, "cpu", Files(tmp_path, write, {"ours": given}))()
    monkeypatch.setattr(RUNTIMES["first"], "factor", float("nan"), raising=False)
    with pytest.raises(ArithmeticError, match="by nan"):
        prepare(case, build, "cpu", Files(tmp_path, write))


def test_quantised_files_are_made_of_the_float_ones_once(seen, tmp_path):
    made = []

    def quantise(path: Path, out: Path, images: list) -> None:
        made.append((path.name, out.name, {image.shape for image in images}))
        copy(path, out)

    files = Files(tmp_path, write, quantise=quantise)
    for runtime in ("first", "second"):
        assert prepare(Case("ours", f"{runtime}+int8", SMALL), build, "cpu", files)()
    assert made == [("ours.onnx", "ours-1x3x32x64-int8.onnx", {(1, 3, 32, 64)})]


def test_a_quantised_file_may_differ_but_not_be_something_else(seen, tmp_path, monkeypatch):
    case = Case("ours", "first+int8", SMALL)
    files = Files(tmp_path, write, quantise=lambda path, out, images: copy(path, out))
    monkeypatch.setattr(RUNTIMES["first"], "factor", 1.3, raising=False)
    assert prepare(case, build, "cpu", files)()
    monkeypatch.setattr(RUNTIMES["first"], "factor", 1.6, raising=False)
    with pytest.raises(ArithmeticError, match=r"ours in int8 by Torch's file in fp32 differs"):
        prepare(case, build, "cpu", files)
    with pytest.raises(ValueError, match="nothing that quantises"):
        prepare(case, build, "cpu", Files(tmp_path, write))
    with pytest.raises(ValueError, match=r"unknown mode 'deploy.int8'"):
        Case("ours", "deploy+int8", SMALL)


def test_a_file_of_another_model_is_refused(seen, tmp_path):
    case = Case("ours", "first", SMALL)
    narrow, grey = tmp_path / "narrow.onnx", tmp_path / "grey.onnx"
    write(nn.Conv2d(3, 2, 1), narrow)
    write(nn.Conv2d(1, 2, 1), grey)
    with pytest.raises(ValueError, match=r"narrow.onnx gives outputs of shapes \[\(2, 32, 64\)\]"):
        prepare(case, build, "cpu", Files(tmp_path, write, {"ours": narrow}))
    with pytest.raises(ValueError, match=r"Torch's file can't run .*grey.onnx on images of \(1, 3"):
        prepare(case, build, "cpu", Files(tmp_path, write, {"ours": grey}))


def test_files_are_run_on_a_processor_and_do_not_train(seen, tmp_path):
    with pytest.raises(ValueError, match="do not train"):
        Case("ours", "first", Conditions("train", "fp32", (32, 32), 1))
    with pytest.raises(ValueError, match="with the folder of its file named"):
        prepare(Case("ours", "first", SMALL), build, "cpu")
    with pytest.raises(ValueError, match="measured on a CPU"):
        prepare(Case("ours", "first", SMALL), build, "cuda", Files(tmp_path, write))


def test_what_cannot_compute_in_a_precision_is_told(seen):
    able, why_not = usable("bf16")
    assert not {"first", "second", "onnxruntime"} & set(able)
    assert "it is made of torch" in why_not
    assert {"first", "second"} <= set(usable("fp32")[0])
