"""What of the user's wishes and of the old backbone goes into the new one's config."""

import pytest

from mmfastervit.swap.replacement import checkpoint_for, settings_of


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


@pytest.mark.parametrize(
    ("old", "kept"),
    [
        (dict(norm_cfg=dict(type="BN", requires_grad=False), with_cp=False), {}),
        (dict(norm_cfg=dict(type="SyncBN", eps=1e-3)),
         dict(norm_cfg=dict(type="SyncBN", requires_grad=True))),
        (dict(with_cp=True, norm_cfg=None), dict(with_cp=True)),
    ],
)  # fmt: skip
def test_checkpointing_and_synchronised_norms_carry_over(old, kept):
    assert settings_of(old) == kept
