"""What is chosen of runs to be drawn."""

from pathlib import Path

import numpy as np
import pytest
from support.run_logs import evaluation_line, training_line, write_log

from mmfastervit.run_reports.logs import read_run
from mmfastervit.run_reports.panels import choose_panels, names_of, smoothed


@pytest.fixture
def runs(tmp_path: Path):
    """A run with every COCO metric, and one that was not evaluated."""
    names = ("bbox_mAP", "bbox_mAP_50", "bbox_mAP_75", "bbox_mAP_s", "bbox_mAP_m", "bbox_mAP_l")
    scores = {f"coco/{name}": 0.5 for name in names}
    lines = [training_line(10, loss_cls=0.5), evaluation_line(10, **scores)]
    write_log(tmp_path / "one", "20260101_000000", lines)
    write_log(tmp_path / "two", "20260101_000000", [training_line(10)])
    return [read_run(tmp_path / name) for name in ("one", "two")]


def test_loss_rate_leading_metrics_and_time_are_drawn(runs):
    names = [panel.name for panel in choose_panels(runs)]
    assert names == ["loss", "lr", "coco/bbox_mAP", "coco/bbox_mAP_50", "time"]


def test_of_metrics_that_are_not_known_the_first_are_drawn(tmp_path: Path):
    scores = {f"mine/{number}": 0.5 for number in range(9)}
    write_log(tmp_path, "20260101_000000", [training_line(10), evaluation_line(10, **scores)])
    names = [panel.name for panel in choose_panels([read_run(tmp_path)])]
    assert names == ["loss", "lr", "mine/0", "mine/1", "mine/2", "mine/3", "time"]


def test_a_run_without_a_scalar_has_no_curve_of_it(runs):
    panel = choose_panels(runs, ["loss_cls"])[0]
    assert [curve is None for curve in panel.curves] == [False, True]
    assert not panel.is_metric


def test_an_unknown_metric_is_answered_by_the_nearest(runs):
    with pytest.raises(ValueError, match="did you mean 'coco/bbox_mAP_50'") as raised:
        choose_panels(runs, ["coco/bbox_map_50"])
    assert "loss_cls" in str(raised.value)


@pytest.mark.parametrize(
    ("word", "meant"), [("BBOX_mAP", "coco/bbox_mAP"), ("cls", "loss_cls"), ("los", "loss")]
)
def test_case_and_what_leads_a_name_do_not_matter_to_what_was_meant(runs, word, meant):
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        choose_panels(runs, [word])


def test_the_mean_of_the_last_lines():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    assert smoothed(values, 1).tolist() == values.tolist()
    assert smoothed(values, 2).tolist() == [1, 1.5, 2.5, 3.5]
    assert smoothed(values, 9).tolist() == [1, 1.5, 2, 2.5]


def test_the_mean_leaves_out_what_is_not_finite():
    means = smoothed(np.array([np.nan, 2.0, np.inf, 4.0]), 2)
    assert np.isnan(means[0])
    assert means[1:].tolist() == [2, 2, 4]


def test_names_are_as_short_as_tells_runs_apart():
    assert names_of([Path("a/one"), Path("b/two")]) == ["one", "two"]
    assert names_of([Path("a/one"), Path("b/one"), Path("two")]) == ["a/one", "b/one", "two"]
    assert names_of([Path("a"), Path("a")]) == ["a", "a"]
