"""The table of published weights."""

import re
from pathlib import Path

import pytest
from support.checkpoints import learned, on_meta, shapes_of

from mmfastervit.archs import ARCHS
from mmfastervit.checkpoint import PUBLISHED, load_backbone

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_table_agrees_with_the_models(name):
    weights = PUBLISHED[name]
    model = on_meta(shapes_of(weights.arch))
    classifier = model.arch.channels[-1] * (1000 + 2) + 1000
    parameters = dict(model.named_parameters()).keys() & learned(model).keys()
    count = sum(model.get_parameter(name).numel() for name in parameters) + classifier
    assert weights.params == pytest.approx(count / 1e6, abs=0.06)
    assert weights.url.endswith(f"/{name}.pth.tar")
    assert "non-commercial" in weights.licence


def test_every_arch_is_published():
    assert {weights.arch for weights in PUBLISHED.values()} == set(ARCHS)


def test_unknown_published_name_lists_all(tiny):
    with pytest.raises(ValueError, match="no published weights 'fastervit_9'") as error:
        load_backbone(tiny, "mmfastervit://fastervit_9")
    for name, weights in PUBLISHED.items():
        assert f"mmfastervit://{name}: arch {weights.arch}, {weights.params:g} M" in str(
            error.value
        )


def test_configs_name_published_weights_of_their_arch():
    named = [
        pair
        for config in (ROOT / "configs").rglob("*.py")
        for pair in re.findall(
            r'arch="(\w+)".*?"mmfastervit://(\w+)"', config.read_text(), flags=re.DOTALL
        )
    ]
    assert named
    for arch, name in named:
        assert PUBLISHED[name].arch == arch
