"""Results are written whole."""

import json

import pytest

from mmfastervit.bench.results import write_json


def test_writing_keeps_a_link(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "r.json")
    write_json(tmp_path / "link.json", {"a": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}


def test_a_write_that_fails_leaves_the_file_before(tmp_path):
    write_json(tmp_path / "r.json", {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "r.json", {"a": object()})
    assert json.loads((tmp_path / "r.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]
