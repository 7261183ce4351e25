"""What is written of the recipes is what their names and files say."""

import pytest
import yaml
from support.zoo import FRONT, PAGE, ROOT, metafile, with_tables


@pytest.mark.parametrize("task", ["det", "seg"])
def test_the_metafile_lists_every_recipe(task):
    """After a new recipe: ``python tests/support/zoo.py``."""
    assert (ROOT / "configs" / task / "metafile.yml").read_text() == metafile(task)


@pytest.mark.parametrize(("path", "names"), [(PAGE, ["det", "seg"]), (FRONT, ["all"])])
def test_the_tables_list_every_recipe(path, names):
    """After a new recipe: ``python tests/support/zoo.py``."""
    page = path.read_text()
    assert all(f"<!-- recipes: {name} -->\n" in page for name in names)
    assert with_tables(page) == page


@pytest.mark.parametrize("task", ["det", "seg"])
def test_licence_and_collection_are_those_of_the_backbone_and_its_weights(task):
    """Those of FasterViT are for non-commercial use alone; hosts of HAT have weights of others."""
    content = yaml.safe_load((ROOT / "configs" / task / "metafile.yml").read_text())
    parts = {one["Name"]: one["Metadata"]["Architecture"] for one in content["Collections"]}
    assert {one["In Collection"] for one in content["Models"]} == parts.keys()
    for model in content["Models"]:
        reads_ours = "_fastervit-" in model["Name"]
        assert ("non-commercial" in model["Metadata"].get("License", "")) == reads_ours
        *backbone, _ = parts[model["In Collection"]]
        hat = ["Swin-T", "HAT"] if "swin" in model["Name"] else ["ConvNeXt-T", "HAT"]
        assert backbone == (["FasterViT"] if reads_ours else hat)
        assert model["In Collection"].startswith(backbone[0])


def test_what_is_said_of_layer_decay_is_what_the_study_found():
    told = " ".join(PAGE.read_text().partition("## Layer-wise learning rates")[2].split())
    assert "](study.md)" in told
    study = (ROOT / "docs/study.md").read_text().splitlines()
    found = [line.strip("| ").split(" | ") for line in study]
    rows = [row for row in found if row[1:3] == ["pretrained", "layer decay 0.8"]]
    assert len(rows) == 2
    for row in rows:
        changes = [float(one) for one in row[-1].split(", ")]
        assert all(change > 0 for change in changes) or all(change < 0 for change in changes)
        sizes = sorted(map(abs, changes))
        assert f"{sizes[0]} to {sizes[-1]}" in told
