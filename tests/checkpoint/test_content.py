"""What a checkpoint holds, and of which architecture."""

import pytest
from support.checkpoints import add_extras, on_meta, shapes_of

from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint.content import arch_in, find_backbone
from mmfastervit.checkpoint.names import to_published


def test_arch_of_the_first_stages_is_recognised():
    weights = on_meta("fastervit_1", out_indices=(0, 1)).state_dict()
    assert find_backbone(weights, "file").archs == ["fastervit_1"]


@pytest.mark.parametrize("arch", ARCHS)
def test_every_arch_is_recognised_by_its_shapes(arch):
    weights = dict(on_meta(shapes_of(arch)).state_dict())  # without metadata, as older files
    alike = [name for name in ARCHS if ("21k" in name) == ("21k" in arch)]
    assert find_backbone(weights, "file").archs == (alike if "21k" in arch else [arch])
    tables = add_extras(to_published(weights), ARCHS[arch].windows)
    assert find_backbone(tables, "file").archs == [arch]


@pytest.mark.parametrize("arch", ARCHS)
def test_every_arch_is_recognised_by_its_state_dicts_metadata(arch):
    content = find_backbone(on_meta(arch).state_dict(), "file")
    assert content.archs == [arch]
    assert content.arch == ARCHS[arch]


def test_state_dict_says_its_arch_without_another_key(tiny):
    names = [name for name, _ in (*tiny.named_parameters(), *tiny.named_buffers())]
    assert set(tiny.state_dict()) == set(names)
    assert arch_in(tiny.state_dict()._metadata[""]) == tiny.arch


@pytest.mark.parametrize("metadata", [{}, dict(arch=3), dict(arch=dict(dim=8, new_field=1))])
def test_metadata_of_others_states_no_arch(metadata):
    assert arch_in(metadata) is None


def test_arch_that_the_weights_contradict_is_not_believed(tiny):
    weights = tiny.state_dict()
    for name in [name for name in weights if name.startswith("stages.2.blocks.1.")]:
        del weights[name]
    assert find_backbone(weights, "file").arch is None
