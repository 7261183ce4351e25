"""Config files are found by name, and named again in another file."""

from pathlib import Path

import pytest

from mmfastervit.config.finding import base_name, config_files, find_config, read_config, zoo_folder

ROOT = Path(__file__).resolve().parents[2]
RETINANET = "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"


def test_a_config_of_each_package_is_found():
    assert find_config(RETINANET).is_file()
    assert find_config("mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive-64x64.py").is_file()
    own = find_config("mmfastervit::det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py")
    assert own == ROOT / "configs/det/cascade-mask-rcnn_fastervit-0_fpn_shapes.py"


def test_an_installed_package_has_its_configs_inside_it(tmp_path, monkeypatch):
    """As a wheel of this package has."""
    for place in ("somewhere/.mim/configs/det/mine.py", "configs/det/other.py"):
        file = tmp_path / place
        file.parent.mkdir(parents=True)
        file.write_text("model = dict()\n")
    (tmp_path / "somewhere/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    found = find_config("somewhere::det/mine.py")
    assert found == tmp_path / "somewhere/.mim/configs/det/mine.py"


@pytest.mark.parametrize("relative", ["../../../__init__.py", "retinanet/../../../version.py"])
def test_a_name_leads_out_of_no_package(relative):
    with pytest.raises(ValueError, match="path below the configs of that package"):
        find_config(f"mmdet::{relative}")


def test_an_absolute_path_behind_a_package_is_refused(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("model = dict()\n")
    with pytest.raises(ValueError, match="give its path alone"):
        find_config(f"mmdet::{file}")
    assert find_config(str(file)) == file


@pytest.mark.parametrize("name", ["nopackage::a/b.py", "../x::a/b.py"])
def test_an_unknown_package_is_named(name):
    with pytest.raises(ValueError, match="is not installed"):
        find_config(name)
    assert zoo_folder("nopackage") is None


def test_a_wrong_name_is_answered_by_similar_ones(tmp_path):
    (tmp_path / "little.py").touch()
    with pytest.raises(FileNotFoundError, match=r"did you mean little\.py"):
        find_config(str(tmp_path / "litle.py"))
    with pytest.raises(FileNotFoundError, match="did you mean unet/unet-s5-d16_fcn"):
        find_config("mmseg::unet/unet-s5-d16_fcn_4xb4-40k_drive.py")


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.touch()
    with pytest.raises(ValueError, match=r"ending in \.py"):
        find_config(str(path))


def test_a_script_is_told_from_a_config(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("import torch\n")
    with pytest.raises(ValueError, match="Python code with imports"):
        read_config(path)


def test_a_config_is_read_from_its_own_file_and_all_its_bases(tmp_path):
    base, mine = tmp_path / "base.py", tmp_path / "mine.py"
    base.write_text(f"_base_ = {RETINANET!r}\n")
    mine.write_text("_base_ = ['base.py']\n")
    files = config_files(mine)
    assert files[:2] == (mine, base)
    assert find_config(RETINANET).resolve() in files


def test_base_is_the_zoos_name_or_a_relative_path(tmp_path):
    target = tmp_path / "configs" / "mine.py"
    target.parent.mkdir()
    original = tmp_path / "original.py"
    original.write_text("model = dict()\n")
    assert base_name(original, target) == "../original.py"
    assert base_name(RETINANET, target) == RETINANET


def test_a_recipe_of_an_installed_wheel_is_named_by_its_path(tmp_path, monkeypatch):
    """mmengine refuses names of packages that it does not know in ``_base_``."""
    folder = tmp_path / "site-packages/mmfastervit/.mim/configs"
    recipe = folder / "det/mine.py"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("model = dict()\n")
    places = {"mmfastervit": folder}
    monkeypatch.setattr("mmfastervit.config.finding.zoo_folder", places.get)
    target = tmp_path / "swapped.py"
    named = base_name("mmfastervit::det/mine.py", target)
    target.write_text(f'_base_ = "{named}"\n')
    assert config_files(target) == (target, recipe)


def test_environments_and_hidden_folders_are_not_searched_for_similar_names(tmp_path, monkeypatch):
    for folder, name in ((".git", "cell1"), ("env", "cell2"), ("configs", "cells")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text("model = dict()")
    (tmp_path / "env/pyvenv.cfg").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        find_config("cell.py")
    assert str(caught.value) == "no config cell.py\n  did you mean configs/cells.py?"
