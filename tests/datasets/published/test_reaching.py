"""Recipes find what was prepared: by options, by links, or where they look anyway."""

import copy
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from support import unpacked_data as unpacked

from mmfastervit.commands import build_parser
from mmfastervit.config.finding import find_config
from mmfastervit.datasets.published import LAYOUTS, Look, look_at_folder, make_missing
from mmfastervit.datasets.published.reaching import (
    is_where_recipes_look,
    links_for,
    make_links,
    options_for,
    recipes_of,
)
from mmfastervit.engine.preflight import check_data_there

STAGES = ("train", "val", "test")


def read(recipe: str) -> Config:
    """A recipe, read once, for a test to change."""
    return copy.deepcopy(_read(recipe))


@cache
def _read(recipe: str) -> Config:
    return Config.fromfile(find_config(recipe), import_custom_modules=False)


def ready(name: str, root: Path) -> list[Look]:
    make_missing(look_at_folder(LAYOUTS[name], [root], allow_part=True))
    looks = look_at_folder(LAYOUTS[name], [root], allow_part=True)
    return [look for look in looks if not look.is_absent]


def coco_in_parts(root: Path) -> None:
    """Pictures and annotations apart, which no single ``data_root`` leads to."""
    unpacked.coco(root / "all", panoptic=True)
    unpacked.stuff(root / "all")
    (root / "elsewhere").mkdir()
    (root / "all/annotations").rename(root / "elsewhere/annotations")


def cityscapes_in_parts(root: Path) -> None:
    unpacked.cityscapes(root, "a/leftImg8bit", "b/gtFine")


def voc_and_sbd(root: Path) -> None:
    unpacked.voc(root / "VOC2012")
    unpacked.sbd(root / "VOCaug")


CASES = {
    "coco": coco_in_parts,
    "ade20k": unpacked.ade20k,
    "cityscapes": cityscapes_in_parts,
    "voc": voc_and_sbd,
}


@pytest.fixture
def no_package_missing(monkeypatch):
    monkeypatch.setattr("mmfastervit.datasets.published.looking.find_spec", lambda name: name)


def test_every_recipe_on_published_data_belongs_to_one_use():
    folder = find_config("mmfastervit::own/boxes.py").parents[1]
    named = [
        path.relative_to(folder).as_posix()
        for task in ("det", "seg")
        for path in (folder / task).glob("*.py")
        if "shapes" not in path.name
    ]
    uses = [use for layout in LAYOUTS.values() for use in layout.uses]
    found = [name.partition("::")[2] for use in uses for name in recipes_of(use)]
    assert sorted(found) == sorted(named)


@pytest.mark.parametrize("name", LAYOUTS)
def test_recipes_look_where_the_layout_says(name):
    """Its parts are all that the recipes read, and they look below the same folder."""
    for use in LAYOUTS[name].uses:
        cfg = read(recipes_of(use)[-1])
        text = str(cfg.to_dict())
        assert use.data_root in text
        for part in use.parts:
            folder, _, suffix = part.name.rpartition("/")
            assert part.name in text or suffix in text, (folder, suffix)


@pytest.mark.parametrize("name", CASES)
def test_with_the_options_a_recipe_finds_its_data(name, tmp_path, monkeypatch, no_package_missing):
    CASES[name](tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    for look in ready(name, Path("mine")):
        assert look.is_ready, look.faults
        recipe = recipes_of(look.use)[-1]
        cfg = read(recipe)
        with pytest.raises(FileNotFoundError):
            check_data_there(cfg, STAGES)
        words = [f"{key}={value}" for key, value in options_for(cfg, look).items()]
        parsed = build_parser("train").parse_args([recipe, "--cfg-options", *words])
        cfg.merge_from_dict(parsed.cfg_options)
        check_data_there(cfg, STAGES)  # raises where something is missing
        assert "'data/" not in str(cfg.train_dataloader)


@pytest.mark.parametrize("name", CASES)
def test_with_links_a_recipe_finds_its_data(name, tmp_path, monkeypatch, no_package_missing):
    CASES[name](tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    looks = ready(name, tmp_path / "mine")
    links = {place: to for look in looks for place, to in links_for(look, Path("data")).items()}
    assert not any(is_where_recipes_look(look, tmp_path) for look in looks)
    assert make_links(links) == list(links)
    assert make_links(links) == [], "a second time there is nothing to do"
    for look in looks:
        assert is_where_recipes_look(look, tmp_path)
        for recipe in recipes_of(look.use)[-1:]:
            check_data_there(read(recipe), STAGES)


def test_a_link_never_takes_the_place_of_something_else(tmp_path):
    unpacked.ade20k(tmp_path / "mine")
    place = tmp_path / "data/ade/ADEChallengeData2016"
    place.mkdir(parents=True)
    (look,) = ready("ade20k", tmp_path / "mine")
    with pytest.raises(FileExistsError, match="is there already and leads elsewhere"):
        make_links(links_for(look, tmp_path / "data"))
    assert place.is_dir()
    assert not place.is_symlink()


def test_data_where_recipes_look_need_no_link(tmp_path):
    unpacked.ade20k(tmp_path / "data/ade/ADEChallengeData2016")
    (look,) = ready("ade20k", tmp_path / "data")
    assert is_where_recipes_look(look, tmp_path)
    assert make_links(links_for(look, tmp_path / "data")) == []
