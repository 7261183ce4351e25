"""Pretrained weights as users name them: a file, a URL, published ones."""

import pytest

from mmfastervit.checkpoint.choosing import checkpoint_for


def test_weights_in_a_file_are_named_so_that_they_are_found_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.pth").touch()
    monkeypatch.chdir(tmp_path)
    assert checkpoint_for("fastervit_0", "mine.pth") == str(tmp_path / "mine.pth")


def test_weights_that_are_not_there_are_an_error_that_says_what_is_accepted(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"typo\.pth.*URL.*fastervit_0_224_1k.*none"):
        checkpoint_for("fastervit_0", str(tmp_path / "typo.pth"))


@pytest.mark.parametrize("name", ["https://host/mine.pth", "s3://bucket/mine.pth"])
def test_a_url_is_left_as_it_is(name):
    assert checkpoint_for("fastervit_0", name) == name
