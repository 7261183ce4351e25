"""What a checkpoint holds, and of which architecture."""

import pytest
from support.checkpoints import add_extras, on_meta, shapes_of

from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint.content import find_backbone
from mmfastervit.checkpoint.names import to_published


def test_arch_of_the_first_stages_is_recognised():
    weights = on_meta("fastervit_1", out_indices=(0, 1)).state_dict()
    assert find_backbone(weights, "file").archs == ["fastervit_1"]


@pytest.mark.parametrize("arch", ARCHS)
def test_every_arch_is_recognised_by_its_shapes(arch):
    weights = on_meta(shapes_of(arch)).state_dict()
    alike = [name for name in ARCHS if ("21k" in name) == ("21k" in arch)]
    assert find_backbone(weights, "file").archs == (alike if "21k" in arch else [arch])
    tables = add_extras(to_published(weights), ARCHS[arch].windows)
    assert find_backbone(tables, "file").archs == [arch]
