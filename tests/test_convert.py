"""Conversion of checkpoint files loses nothing."""

import hashlib
import runpy
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.checkpoints import DERIVED, learned, prefixed, save_with_code

from mmfastervit import FasterViT, convert
from mmfastervit.checkpoint import load_backbone
from mmfastervit.checkpoint.names import from_published, to_published
from mmfastervit.checkpoint.reading import read_checkpoint, stated_arch
from mmfastervit.convert import convert as convert_file

ROOT = Path(__file__).parents[1]


def read_weights(path: Path) -> dict:
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path)["state_dict"]


def same_bits(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        value.dtype == b[name].dtype and value.numpy().tobytes() == b[name].numpy().tobytes()
        for name, value in a.items()
    )


@pytest.fixture(scope="module")
def round_trip(tmp_path_factory, published) -> tuple:
    """Reports of converting the reference's weights to our names and back."""
    folder = tmp_path_factory.mktemp("round_trip")
    torch.save(dict(state_dict=published), folder / "published.pth.tar")
    ours = convert_file(folder / "published.pth.tar", folder / "ours.safetensors")
    return ours, convert_file(folder / "ours.safetensors", folder / "back.pth.tar")


def test_round_trip_is_bit_identical_on_learned_tensors(round_trip, published):
    ours, back = (read_weights(report.target) for report in round_trip)
    assert same_bits(ours, from_published(published)[0])
    assert same_bits(back, {name: published[name] for name in back})


def test_reference_takes_the_round_trip_missing_only_what_cannot_be_made(reference, round_trip):
    result = reference.load_state_dict(read_weights(round_trip[1].target), strict=False)
    assert not result.unexpected_keys
    assert all(
        name.startswith(("norm.", "head.")) or name.endswith(DERIVED)
        for name in result.missing_keys
    )


def test_conversion_reports_what_it_did(round_trip):
    ours, back = map(str, round_trip)
    assert "fastervit_0, 399 tensors under mmfastervit's names" in ours
    assert "dropped: 68 derived tables, 2 second copies, 7 classifier" in ours
    assert "401 tensors under published names" in back
    assert "not made up, so load it with strict=False: the classifier (norm.*, head.*)" in back
    assert "not made up" not in ours


def test_converted_file_states_its_arch(round_trip):
    assert [stated_arch(read_checkpoint(r.target)) for r in round_trip] == ["fastervit_0"] * 2


@pytest.mark.parametrize(
    ("first", "last"),
    [(".pth", ".safetensors"), (".safetensors", ".pth.tar"), (".pth.tar", ".pth")],
)
def test_conversion_between_all_formats_keeps_every_bit(tmp_path, tiny, first, last):
    weights = learned(tiny)
    weights["stem.conv1.weight"].view(-1)[:2] = torch.tensor([torch.nan, -0.0])
    weights["stem.conv2.weight"] = weights["stem.conv2.weight"].half()
    weights["stem.norm1.weight"] = torch.ones(2, 8)[0]  # a view of a larger storage
    torch.save(weights, tmp_path / "ours.pth")
    convert_file(tmp_path / "ours.pth", tmp_path / f"theirs{first}")
    report = convert_file(tmp_path / f"theirs{first}", tmp_path / f"back{last}")
    assert same_bits(read_weights(report.target), weights)


def test_output_norms_are_reported_as_left_out(tmp_path, tiny):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    report = convert_file(tmp_path / "ours.pth", tmp_path / "theirs.pth")
    assert len(report.dropped["output norms"]) == 8


def test_backbone_of_a_detector_is_converted(tmp_path, tiny):
    torch.save(prefixed(learned(tiny), "backbone.") | {"neck.w": torch.ones(1)}, tmp_path / "d.pth")
    report = convert_file(tmp_path / "d.pth", tmp_path / "theirs.pth")
    assert same_bits(read_weights(report.target), to_published(learned(tiny)))
    assert report.dropped == {"of other parts: neck": ["neck.w"]}


def test_same_weights_give_the_same_hash_under_any_name(tmp_path, tiny):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    reports = [convert_file(tmp_path / "ours.pth", tmp_path / name) for name in ("a.pth", "b.pth")]
    assert reports[0].sha256 == reports[1].sha256


def test_existing_target_is_kept_unless_forced(tmp_path, tiny):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    target = tmp_path / "theirs.pth"
    target.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="--force"):
        convert_file(tmp_path / "ours.pth", target)
    assert target.read_bytes() == b"precious"
    convert_file(tmp_path / "ours.pth", target, force=True)
    assert same_bits(read_weights(target), to_published(learned(tiny)))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("existing", [None, b"precious"])
def test_failure_while_writing_leaves_no_half_file(tmp_path, monkeypatch, tiny, suffix, existing):
    def write_half(_, target, **__) -> None:
        (target.write if suffix == ".pth" else target.write_bytes)(b"half")
        raise OSError("disk full")

    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    target = tmp_path / f"theirs{suffix}"
    if existing:
        target.write_bytes(existing)
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(convert.torch, "save", write_half)
    monkeypatch.setattr(convert, "save_file", write_half)
    with pytest.raises(OSError, match="disk full"):
        convert_file(tmp_path / "ours.pth", target, force=True)
    assert sorted(tmp_path.iterdir()) == before
    assert existing is None or target.read_bytes() == existing


def test_file_that_reads_back_differently_is_not_kept(tmp_path, monkeypatch, tiny):
    def save_changed(content, file) -> None:
        name, value = next(iter(content["state_dict"].items()))
        save({**content, "state_dict": {**content["state_dict"], name: value + 1}}, file)

    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    save = torch.save
    monkeypatch.setattr(convert.torch, "save", save_changed)
    with pytest.raises(ValueError, match="what was read back is not what was written"):
        convert_file(tmp_path / "ours.pth", tmp_path / "theirs.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["ours.pth"]


def test_incomplete_backbone_is_not_converted(tmp_path, tiny):
    weights = tiny.state_dict()
    del weights["stages.3.blocks.0.window.mlp.fc1.bias"]
    torch.save(weights, tmp_path / "ours.pth")
    with pytest.raises(ValueError, match=r"1 missing \(stages\.3\.blocks\.0\.window\.mlp"):
        convert_file(tmp_path / "ours.pth", tmp_path / "theirs.pth")
    assert not (tmp_path / "theirs.pth").exists()


@pytest.fixture
def command(monkeypatch, capsys):
    """Run tools/convert_checkpoint.py: its exit status, standard output and error."""

    def run(*arguments) -> tuple:
        monkeypatch.setattr(sys, "argv", ["convert_checkpoint.py", *map(str, arguments)])
        status = 0
        try:
            runpy.run_path(str(ROOT / "tools" / "convert_checkpoint.py"), run_name="__main__")
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


def test_command_prints_the_hash_of_the_file_it_wrote(tmp_path, tiny, command):
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    status, output, _ = command(tmp_path / "ours.pth", tmp_path / "theirs.safetensors")
    digest = hashlib.sha256((tmp_path / "theirs.safetensors").read_bytes()).hexdigest()
    assert status == 0
    assert output.endswith(f"sha256 {digest}\n")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["no.pth", "out.pth"], 2, "no checkpoint file"),
        (["ours.pth", "out.onnx"], 2, "must end in one of .pth, .pth.tar"),
        (["ours.pth", "ours.pth"], 2, "is there already; --force replaces it"),
        (["ours.pth", "no/out.pth"], 2, "there is no folder"),
        (["ours.pth", "out.pth", "--arch", "fastervit_2"], 2, "it looks like no published"),
        (["ours.pth", "out.pth", "--arch", "vit"], 2, "invalid choice: 'vit'"),
        (["evil.pth", "out.pth"], 2, "evil.pth holds Python objects beside weights"),
    ],
)
def test_command_says_in_a_line_what_is_wrong(
    tmp_path, tiny, monkeypatch, command, arguments, status, message
):
    monkeypatch.chdir(tmp_path)
    torch.save(tiny.state_dict(), tmp_path / "ours.pth")
    made = save_with_code(tmp_path / "evil.pth", tiny.state_dict())
    before = sorted(tmp_path.iterdir())
    code, output, error = command(*arguments)
    assert (code, output) == (status, "")
    assert message in error.splitlines()[-1]
    assert sorted(tmp_path.iterdir()) == before
    assert not made.exists()


def test_command_trusts_on_demand(tmp_path, tiny, command):
    made = save_with_code(tmp_path / "code.pth", tiny.state_dict())
    status, *_ = command(tmp_path / "code.pth", tmp_path / "theirs.pth", "--trust-checkpoint")
    assert status == 0
    assert made.exists()


def test_command_has_the_file_state_the_arch_that_shapes_leave_open(tmp_path, command, monkeypatch):
    small = dict(dim=8, in_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), carrier_size=0)
    alike = {f"fastervit_4_21k_{w}": FasterViT({**small, "windows": (w, 7)}) for w in (224, 384)}
    archs = {name: model.arch for name, model in alike.items()}
    monkeypatch.setattr("mmfastervit.checkpoint.content.ARCHS", archs)
    monkeypatch.setattr("mmfastervit.convert.ARCHS", archs)
    # a plain dict has no metadata, as files of before
    torch.save(dict(alike["fastervit_4_21k_384"].state_dict()), tmp_path / "ours.pth")
    _, output, _ = command(tmp_path / "ours.pth", tmp_path / "open.pth")
    assert "fastervit_4_21k_224 or fastervit_4_21k_384" in output
    assert stated_arch(read_checkpoint(tmp_path / "open.pth")) is None
    command(tmp_path / "ours.pth", tmp_path / "named.pth", "--arch", "fastervit_4_21k_384")
    assert stated_arch(read_checkpoint(tmp_path / "named.pth")) == "fastervit_4_21k_384"
    with pytest.raises(ValueError, match="windows of 384 pixels instead of 224"):
        load_backbone(alike["fastervit_4_21k_224"], tmp_path / "named.pth")
