"""Names of weights, in both implementations and below wrappers."""

import pytest
import torch
from support.checkpoints import DERIVED, learned, on_meta, prefixed

from mmfastervit.checkpoint.names import backbone_part, from_published, to_published


def test_every_learned_published_name_has_one_of_ours(published):
    ours, _ = from_published(published)
    assert ours.keys() == learned(on_meta("fastervit_0")).keys()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("patch_embed.conv_down.0.weight", "stem.conv1.weight"),
        ("patch_embed.conv_down.4.running_var", "stem.norm2.running_var"),
        ("levels.1.blocks.2.norm1.bias", "stages.1.blocks.2.norm1.bias"),
        ("levels.0.downsample.reduction.0.weight", "downsamples.0.conv.weight"),
        ("levels.2.global_tokenizer.pos_embed.bias", "stages.2.tokenizer.conv.bias"),
        ("levels.2.blocks.11.gamma1", "stages.2.blocks.11.carrier.scale1.gamma"),
        ("levels.2.blocks.11.gamma4", "stages.2.blocks.11.window.scale2.gamma"),
        ("levels.3.blocks.0.gamma3", "stages.3.blocks.0.window.scale1.gamma"),
        ("levels.2.blocks.0.hat_norm2.weight", "stages.2.blocks.0.carrier.norm2.weight"),
        ("levels.2.blocks.0.hat_mlp.fc2.bias", "stages.2.blocks.0.carrier.mlp.fc2.bias"),
        (
            "levels.3.blocks.0.attn.pos_emb_funct.cpb_mlp.2.weight",
            "stages.3.blocks.0.window.relative_bias.fc2.weight",
        ),
        (
            "levels.2.blocks.0.hat_pos_embed.cpb_mlp.0.bias",
            "stages.2.blocks.0.carrier.position.fc1.bias",
        ),
    ],
)
def test_translation_by_example(theirs, ours):
    value = torch.ones(1)
    assert from_published({theirs: value}) == ({ours: value}, {})
    assert to_published({ours: value})[theirs] is value


def test_translation_drops_only_classifier_tables_and_copies(published):
    ours, dropped = from_published(published)
    assert len(ours) + sum(map(len, dropped.values())) == len(published) == 476
    assert {name.partition(".")[0] for name in dropped["classifier"]} == {"norm", "head"}
    assert {name.rpartition(".")[2] for name in dropped["derived tables"]} == set(DERIVED)
    copies = dropped["second copies"]
    assert all(".to_global_feature.pos." in name for name in copies)
    originals = [name.replace("to_global_feature.pos", "pos_embed") for name in copies]
    assert all(
        torch.equal(published[a], published[b]) for a, b in zip(copies, originals, strict=True)
    )


def test_translation_there_and_back_gives_the_same_tensors(published):
    back = to_published(from_published(published)[0])
    assert all(value is published[name] for name, value in back.items() if "_feature" not in name)
    lost = {name.rpartition(".")[2] for name in published.keys() - back.keys()}
    assert lost >= set(DERIVED)
    assert all(
        name.startswith(("norm.", "head.")) or name.endswith(DERIVED)
        for name in published.keys() - back.keys()
    )


def test_translation_keeps_published_names_it_does_not_know():
    ours, dropped = from_published({"levels.2.blocks.0.adapter.weight": torch.ones(1)})
    assert list(ours) == ["levels.2.blocks.0.adapter.weight"]
    assert not dropped


def test_translation_to_published_refuses_names_it_does_not_know():
    with pytest.raises(ValueError, match=r"'stem\.conv9\.weight' is not the name of"):
        to_published({"stem.conv9.weight": torch.ones(1)})


@pytest.mark.parametrize("inner", ["stem.conv1.weight", "patch_embed.conv_down.0.weight"])
@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "backbone.", "encoder.", "module.backbone.", "backbone.encoder.module."],
)
def test_wrappers_prefixes_are_stripped(prefix, inner):
    weights = {prefix + inner: torch.ones(1)} | ({"neck.weight": torch.ones(1)} if prefix else {})
    inside, left_out, *_ = backbone_part(weights)
    assert list(inside) == [inner]
    assert left_out == (["neck.weight"] if prefix else [])


def test_a_detectors_own_encoder_is_not_taken_for_the_backbone():
    inside, left_out, *_ = backbone_part(
        {"encoder.layers.0.weight": torch.ones(1), "backbone.stem.conv1.weight": torch.ones(1)}
    )
    assert list(inside) == ["stem.conv1.weight"]
    assert left_out == ["encoder.layers.0.weight"]


@pytest.mark.parametrize("prefix", ["student", "student."])
def test_named_prefix_chooses_among_backbones(prefix):
    weights = {f"{who}.backbone.stem.conv1.weight": torch.ones(1) for who in ("teacher", "student")}
    inside, left_out, *_ = backbone_part(prefixed(weights, "module."), prefix)
    assert list(inside) == ["stem.conv1.weight"]
    assert left_out == ["module.teacher.backbone.stem.conv1.weight"]


def test_absent_prefix_is_an_error_that_names_those_there_are():
    with pytest.raises(ValueError, match=r"prefix='student'; they start with \['teacher', 'neck'"):
        backbone_part({"teacher.weight": torch.ones(1), "neck.weight": torch.ones(1)}, "student")
