"""What is written of the recipes is what their names and files say."""

import pytest
from support.zoo import PAGE, ROOT, metafile, with_tables


@pytest.mark.parametrize("task", ["det", "seg"])
def test_the_metafile_lists_every_recipe(task):
    """After a new recipe: ``python tests/support/zoo.py``."""
    assert (ROOT / "configs" / task / "metafile.yml").read_text() == metafile(task)


def test_the_tables_list_every_recipe():
    """After a new recipe: ``python tests/support/zoo.py``."""
    page = PAGE.read_text()
    assert with_tables(page) == page
