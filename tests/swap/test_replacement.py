"""What of the user's wishes and of the old backbone goes into the new one's config."""

import pytest

from mmfastervit.swap.replacement import settings_of


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
