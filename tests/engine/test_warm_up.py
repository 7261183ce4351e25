"""The warm-up that ends at the full rate."""

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS

from mmfastervit.engine.warm_up import WarmUpLR


def built(**values):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    cfg = dict(type="mmfastervit.WarmUpLR", convert_to_iter_based=True, **values)
    return PARAM_SCHEDULERS.build(cfg, default_args=dict(optimizer=optimizer, epoch_length=8))


def test_it_is_a_linear_one_where_there_are_iterations_for_it():
    scheduler = built(start_factor=0.25, begin=0, end=0.5)
    found = []
    for _ in range(5):
        found += scheduler.get_last_value()
        scheduler.optimizer.step()
        scheduler.step()
    assert found == pytest.approx([0.5, 1, 1.5, 2, 2])


@pytest.mark.parametrize("end", [0.001, 0.125, 0.2])
def test_one_of_less_than_two_iterations_is_none(end):
    assert built(start_factor=0.25, begin=0, end=end).get_last_value() == [2]


def test_lengths_in_iterations_are_not_converted():
    with pytest.raises(ValueError, match="by_epoch=True, not False"):
        WarmUpLR.build_iter_from_epoch(end=4, epoch_length=8, by_epoch=False)
