"""The benchmark measures what it says, on models small enough for a test."""

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from runpy import run_path

import pytest
import timm
import torch
from torch import nn

import mmfastervit
from mmfastervit import FasterViT, benchmark, targets
from mmfastervit.bench.cases import (
    Case,
    Conditions,
    as_content,
    machine,
    operations_of,
    plot,
    run_cases,
    run_group,
    settle_tf32,
    write_json,
)
from mmfastervit.bench.measure import (
    attention_kernels,
    count_gflops,
    count_operations,
    import_seconds,
    kind_of,
    matrix_product,
    operations_by_kind,
    peak_memory,
    seconds_by_kind,
    spread,
)
from mmfastervit.bench.targets import Target, report

ARCH = dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2))
MIB = 2**20
TOOL = Path(__file__).resolve().parents[2] / "tools/benchmark.py"


def build(name: str, size: tuple[int, int]) -> nn.Module:
    return FasterViT(ARCH, with_cp=name.endswith("+cp"))


def test_operations_count_attention():
    class Attend(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    x = torch.randn(2, 3, 50, 16)
    assert count_gflops(Attend(), x) == pytest.approx(2 * 3 * 2 * (2 * 50 * 50 * 16) / 1e9)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(32, 64), (8, 32)),
        (nn.Conv2d(8, 16, 3, stride=2), (2, 8, 9, 9)),
        (nn.Conv2d(8, 8, 3, groups=8), (2, 8, 9, 9)),
        (nn.ConvTranspose2d(8, 4, 3, groups=2), (2, 8, 9, 9)),
    ],
    ids=["linear", "convolution", "depthwise", "transposed"],
)
def test_operations_of_a_training_step_are_three_of_inference(layer, shape):
    x = torch.randn(shape, requires_grad=True)
    inference = count_operations(partial(layer, x))
    assert count_operations(lambda: layer(x).sum().backward()) == pytest.approx(3 * inference)


class OneOfEach(nn.Module):
    """A convolution, attention, a linear layer and an activation."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, padding=1, bias=False)
        self.linear = nn.Linear(8, 16)

    def forward(self, x):
        tokens = self.conv(x).flatten(2).mT  # (2, 36, 8)
        heads = tokens[:, None]
        attended = nn.functional.scaled_dot_product_attention(heads, heads, heads)
        return self.linear(attended).relu()


@pytest.mark.parametrize("trains", [False, True])
def test_operations_and_time_are_sorted_by_kind(trains):
    model = OneOfEach().train(trains)
    x = torch.randn(2, 4, 6, 6, requires_grad=True)

    def call():
        y = model(x)
        if trains:
            y.sum().backward()

    pixels, steps = 2 * 36, 3 if trains else 1
    expected = dict(convolution=4 * 8 * 9, linear=8 * 16, attention=2 * 36 * 8)
    operations = {kind: 2 * pixels * each * steps / 1e9 for kind, each in expected.items()}
    assert operations_by_kind(call) == pytest.approx(operations)
    seconds = seconds_by_kind(call)
    assert seconds.keys() == {*expected, "other"}
    assert all(part > 0 for part in seconds.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::mkldnn_convolution", "convolution"),
        ("aten::convolution_backward", "convolution"),
        ("aten.addmm", "linear"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::bmm", "attention"),
        ("aten::_safe_softmax", "attention"),
        ("aten::gelu", "other"),
    ],
)
def test_kinds_of_operations(name, kind):
    assert kind_of(name) == kind


def test_the_kernel_of_attention_is_named():
    x = torch.randn(1, 2, 5, 8)
    attend = nn.functional.scaled_dot_product_attention
    (kernel,) = attention_kernels(lambda: attend(x, x, x))
    assert kernel.startswith("scaled_dot_product_flash_attention")
    assert attention_kernels(lambda: x @ x.mT) == ("math",)


def test_memory_is_the_peak_of_what_lives_at_once():
    def prepare():
        kept = torch.ones(2 * MIB)  # of 4 bytes

        def call():
            for _ in range(3):
                (kept + 1).sum()

        return call

    assert peak_memory(prepare) == pytest.approx(16, abs=0.1)


def test_spread_is_that_of_the_quartiles():
    assert spread([1.0]) == 0
    assert spread([8.0, 9.0, 10.0, 11.0, 12.0]) == pytest.approx(0.2)


def test_cases_are_compared_with_their_baseline_and_written(tmp_path):
    conditions = [Conditions("eval", "fp32", (64, 96), 2), Conditions("train", "fp32", (32, 32), 2)]
    cases = [Case("small", "eager", c) for c in conditions]
    cases += [Case("small", "deploy", conditions[0]), Case("small", "channels_last", conditions[1])]
    told, kept = [], []
    options = dict(with_memory=False, tell=told.append, keep=lambda found: kept.append(len(found)))
    results = run_cases(cases, build, "small:eager", 2, **options)
    assert kept == [2, 4]
    for result in results:
        assert result.seconds > 0
        assert len(result.times) == 2
        assert result.share == pytest.approx(
            result.gflops / result.seconds / result.matrix_rate, rel=1e-6
        )
        assert 0 < result.share < 1
        assert result.memory is None
        assert sum(kind.share for kind in result.kinds.values()) == pytest.approx(1)
        assert result.kinds["convolution"].rate > 0
        assert (result.ratio == 1) or result.case.mode != "eager"
    assert sum("of the matrix rate" in text for text in told) == 4
    assert sum("matrix product: " in text and "GFLOP/s" in text for text in told) == 2
    write_json(tmp_path / "r.json", as_content(results))
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["results"][0]["case"]["conditions"]["size"] == [64, 96]
    assert content["results"][0]["times"] == list(results[0].times)
    plot(tmp_path / "r.png", results)
    assert (tmp_path / "r.png").stat().st_size > 10_000


def test_each_size_and_model_is_compiled_for_itself(monkeypatch):
    compiled = []

    def note(graph, inputs):
        compiled.append([dim for each in inputs for dim in each.shape])
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=note))
    monkeypatch.setattr(benchmark, "matrix_product", partial(matrix_product, side=8))
    sides, kernels = (4, 5), range(1, 10)
    for side in sides:  # more models, and more sizes, than torch.compile takes by itself
        conditions = Conditions("eval", "fp32", (side, side), 1)
        cases = [Case(str(kernel), "compiled", conditions) for kernel in kernels]
        run_group(cases, build_conv, "", 1, "cpu")
    assert len(compiled) == len(sides) * len(kernels)
    assert all(type(dim) is int for shape in compiled for dim in shape)


def test_checkpointing_counts_the_operations_of_the_plain_model():
    conditions = Conditions("train", "fp32", (64, 64), 1)
    plain, saving = (Case(name, "eager", conditions) for name in ("small", "small+cp"))
    assert operations_of(saving, build, "cpu") == operations_of(plain, build, "cpu")


def test_writing_keeps_a_link(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "r.json")
    write_json(tmp_path / "link.json", {"a": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}


def test_a_write_that_fails_leaves_the_file_before(tmp_path):
    write_json(tmp_path / "r.json", {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "r.json", {"a": object()})
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


@pytest.fixture
def tf32():
    """TF32 switched on, and back afterwards."""
    switches = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = True
    yield
    for switch, value in zip(switches, before, strict=True):
        switch.allow_tf32 = value


def test_the_machine_says_with_what_it_ran(monkeypatch, tf32):
    found = machine("cpu")
    assert found["mmfastervit"] == mmfastervit.__version__
    assert found["timm"] == timm.__version__
    assert found["torch"] == torch.__version__
    assert found["cores"] >= 1
    assert benchmark.version_of("no-such-package") is None
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert machine("cuda")["tf32_in_matrix_products"]
    settle_tf32()
    assert not machine("cuda")["tf32_in_matrix_products"]
    assert not machine("cuda")["tf32_in_convolutions"]
    assert machine("cuda")["gpu"] == "a GPU"


@pytest.fixture
def tool():
    """The functions of the command."""
    return run_path(str(TOOL), run_name="tool")


@pytest.fixture
def parse(tool, monkeypatch):
    """Read a command line."""

    def parse(*options: str):
        monkeypatch.setattr("sys.argv", ["benchmark.py", *options])
        return tool["parse_args"](tool["build_parser"]())

    return parse


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--target --device cuda", "leave out --device cuda"),
        ("--target --sizes 64x64 --modes eager", "leave out --modes, --sizes"),
        ("--target --batches 2 --no-memory", "leave out --batches, --no-memory"),
        ("--target --precisions fp16", "--target has no fp16"),
        ("--target --models fastervit_0", "takes two --models"),
        ("--target --models swin_t fastervit_0", "one of ours"),
        ("--shrink 4", "is for --target"),
        (
            "--baseline swin_t:eager --models swin_s --modes eager",
            "not measured; take swin_s:eager",
        ),
        ("--models swin_t --modes deploy", "nothing to measure"),
        ("--sizes 0x64", "expected HEIGHTxWIDTH"),
        ("--rounds 0", "invalid positive value"),
        ("--json nowhere/x.json", "no folder nowhere"),
        ("--json .", ". is there and no file"),
    ],
)
def test_options_that_would_be_ignored_are_refused(options, message, parse, capsys):
    with pytest.raises(SystemExit) as end:
        parse(*options.split())
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_defaults_are_filled_in(parse):
    args = parse()
    assert (args.tasks, args.batches, args.precisions) == (["eval"], [1], None)
    assert len(args.sizes) == 4
    assert parse("--target").models == ["fastervit_2", "upstream_fastervit_2"]


@pytest.mark.parametrize("name", ["fastervit_0", "swin_t", "convnext_t"])
def test_models_are_built_without_stochastic_depth(name, tool):
    with torch.device("meta"):
        model = tool["build"](name, (224, 224))
    rates = [m.drop_prob for m in model.modules() if type(m).__name__ == "DropPath"]
    assert not any(rates)


def test_the_tool_writes_what_it_ran_and_how(tool, tmp_path, monkeypatch, capsys):
    path = tmp_path / "r.json"
    seen = []
    tool["main"].__globals__["build"] = lambda name, size: build(name, size)
    write = tool["main"].__globals__["write_json"]

    def note(*arguments):
        seen.append(len(arguments[1]["results"]))
        write(*arguments)

    tool["main"].__globals__["write_json"] = note
    options = "--models fastervit_0 --modes eager --sizes 32x32 32x64 --rounds 2 --no-memory"
    monkeypatch.setattr("sys.argv", ["benchmark.py", *options.split(), "--json", str(path)])
    with pytest.raises(SystemExit) as end:
        tool["main"]()
    assert end.value.code == 0
    assert seen == [1, 2]  # after each size
    content = json.loads(path.read_text())
    assert content["rounds"] == 2
    assert content["built"]["timm"]["drop_path_rate"] == 0
    assert content["built"]["upstream"]["returns"] == "class scores"
    assert [len(result["times"]) for result in content["results"]] == [2, 2]
    assert json.loads(capsys.readouterr().out.splitlines()[0])["built"] == content["built"]


def build_conv(name: str, size: tuple[int, int]) -> nn.Module:
    kernel = int(name)
    return nn.Sequential(nn.Conv2d(3, 2, kernel, padding=kernel))


def test_every_target_of_the_table_is_checked(monkeypatch):
    monkeypatch.setattr(targets, "memory_of", lambda case, build, device: len(case.model))
    monkeypatch.setattr(targets, "import_seconds", lambda: 0.1)
    told = []
    options = dict(rounds=1, shrink=16, precisions=("fp32",))
    kept = []
    found = report(
        targets.check_targets(build, "a", "them", **options),
        told.append,
        lambda found: kept.append(len(found)),
    )
    assert kept == list(range(1, len(found) + 1))
    assert "throughput over them's" in str(found[0])
    assert re.search(r"share of the matrix rate: \S+ of \d+ GFLOP/s \(must be", str(found[1]))
    assert len(found) == 4 + 4 + 3
    assert told[-1].endswith(f"of {len(found)} targets reached")
    assert str(found[-1]).startswith("reached ")


def test_a_target_that_the_machine_cannot_tell_says_why(monkeypatch):
    monkeypatch.setattr(targets, "emulation", lambda precision: "no such arithmetic")
    found = list(targets.inference(build, "a", "upstream", 1, "bf16", (32, 32)))
    assert [target.is_reached for target in found] == [False, False]
    assert str(found[1]) == (
        "not measured eval bf16 32x32 batch 1, share of the matrix rate (must be >= 0.85): "
        "no such arithmetic"
    )
    monkeypatch.undo()
    assert targets.emulation("fp32") == ""


def test_a_missed_target_says_so():
    assert str(Target("speed", 1.0, 1.12, True)).startswith("NOT reached  speed: 1.000 (must be >=")
    assert Target("memory", 0.5, 0.6, False).is_reached


def test_importing_the_package_leaves_what_is_heavy_alone():
    """How long it takes is for --target to measure."""
    heavy = {"mmcv", "mmdet", "mmseg", "mmpretrain", "matplotlib", "onnx", "onnxruntime", "cv2"}
    command = "import mmengine.runner, sys; before = set(sys.modules); import mmfastervit; "
    command += "print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", command], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "mmfastervit.models" in loaded
    assert not loaded & heavy
    assert import_seconds() > 0
