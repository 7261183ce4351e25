"""What OpenMMLab's releases and their forks answer differently is asked in one place."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

from mmfastervit.forks import find_zoos_by_module, swaps_colours


@pytest.mark.parametrize(
    ("module", "name", "found"),
    [
        ("json", "a-release-that-is-not-here", "json"),
        ("json", "torch", "torch"),  # a release that is here
        ("no_module_of_this_name", "mmnothing", "mmnothing"),
    ],
)
def test_a_zoo_is_looked_for_by_its_module_where_its_release_is_not_here(
    module, name, found, monkeypatch
):
    monkeypatch.setitem(MODULE2PACKAGE, module, name)
    find_zoos_by_module()
    assert MODULE2PACKAGE[module] == found


@pytest.mark.parametrize(
    "base", ["mmdet::_base_/models/retinanet_r50_fpn.py", "mmseg::_base_/models/fcn_r50-d8.py"]
)
def test_mmengine_reads_a_base_of_the_zoo_that_is_here(base, tmp_path):
    config = tmp_path / "config.py"
    config.write_text(f"_base_ = {base!r}\n")
    assert "backbone" in Config.fromfile(config).model


@pytest.mark.parametrize("name", ["channel_conversion", "_channel_conversion"])
def test_a_preprocessor_says_whether_it_swaps_colours(name):
    assert swaps_colours(SimpleNamespace(**{name: True})) is True
    assert swaps_colours(SimpleNamespace(**{name: False})) is False


def test_a_preprocessor_that_does_not_say_is_an_error():
    with pytest.raises(AttributeError, match="SimpleNamespace does not say"):
        swaps_colours(SimpleNamespace())
