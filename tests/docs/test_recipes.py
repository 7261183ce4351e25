"""What is written of the recipes is what their names and files say."""

import pytest
import yaml
from support.zoo import PAGE, ROOT, metafile, with_tables


@pytest.mark.parametrize("task", ["det", "seg"])
def test_the_metafile_lists_every_recipe(task):
    """After a new recipe: ``python tests/support/zoo.py``."""
    assert (ROOT / "configs" / task / "metafile.yml").read_text() == metafile(task)


def test_the_tables_list_every_recipe():
    """After a new recipe: ``python tests/support/zoo.py``."""
    page = PAGE.read_text()
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
