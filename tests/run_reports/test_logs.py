"""Logs of runs: kills, restarts, epochs and iterations, and what is no log."""

import math
from pathlib import Path

import numpy as np
import pytest
from support.run_logs import evaluation_line, training_line, write_log

from mmfastervit.run_reports.logs import log_files, read_run


def steps_of(run, name) -> list[int]:
    return run.curves[name].steps.tolist()


def test_a_run_by_iterations(tmp_path: Path):
    lines = [training_line(10), evaluation_line(10, mIoU=30.0), training_line(20)]
    write_log(tmp_path, "20260101_000000", [*lines, evaluation_line(20, mIoU=40.0)])
    run = read_run(tmp_path)
    assert steps_of(run, "loss") == [10, 20]
    assert steps_of(run, "mIoU") == [10, 20]
    assert run.curves["mIoU"].values.tolist() == [30, 40]
    assert run.epoch_length is None
    assert set(run.evaluation) == {"mIoU"}
    assert run.last_step == 20


def test_an_evaluation_by_iterations_that_names_none_stands_behind_the_last_line(tmp_path: Path):
    """As mmengine writes them in a run by iterations with ``log_metric_by_epoch=True``."""
    lines = [training_line(10), evaluation_line(0, mIoU=30.0), training_line(20)]
    write_log(tmp_path, "20260101_000000", [*lines, evaluation_line(0, mIoU=40.0)])
    assert steps_of(read_run(tmp_path), "mIoU") == [10, 20]


def test_an_evaluation_of_an_epoch_stands_at_the_end_of_it(tmp_path: Path):
    """72 iterations an epoch, a line each 50: none of the lines is at the end of an epoch."""
    lines = []
    for epoch in (1, 2, 3):
        lines.append(training_line((epoch - 1) * 72 + 50, epoch))
        lines.append(evaluation_line(epoch, **{"coco/bbox_mAP": 0.1 * epoch}))
    write_log(tmp_path, "20260101_000000", lines)
    run = read_run(tmp_path)
    assert run.epoch_length == 72
    assert steps_of(run, "coco/bbox_mAP") == [72, 144, 216]


def test_a_single_epoch_is_as_long_as_its_last_line(tmp_path: Path):
    lines = [training_line(10, 1), training_line(20, 1), evaluation_line(1, mAP=0.5)]
    write_log(tmp_path, "20260101_000000", lines)
    assert steps_of(read_run(tmp_path), "mAP") == [20]


def test_a_start_in_the_middle_of_an_epoch_does_not_change_its_length(tmp_path: Path):
    whole = [training_line((e - 1) * 30 + i, e) for e in (1, 2) for i in (10, 20, 30)]
    write_log(tmp_path, "20260101_000000", whole)
    write_log(tmp_path, "20260101_000001", [training_line(85, 3), training_line(100, 4)])
    assert read_run(tmp_path).epoch_length == 30


def test_a_resumed_run_is_one_curve_and_the_later_start_holds(tmp_path: Path):
    first = [training_line(step, loss=1.0) for step in (10, 20, 30, 40)]
    first.insert(2, evaluation_line(20, mIoU=20.0))
    first.append(evaluation_line(40, mIoU=1.0))
    again = [training_line(step, loss=2.0) for step in (30, 40, 50)]
    again.insert(2, evaluation_line(40, mIoU=40.0))
    write_log(tmp_path, "20260101_000000", first)
    write_log(tmp_path, "20260102_000000", again)
    run = read_run(tmp_path)
    assert steps_of(run, "loss") == [10, 20, 30, 40, 50]
    assert run.curves["loss"].values.tolist() == [1, 1, 2, 2, 2]
    assert run.curves["mIoU"].values.tolist() == [20, 40]
    assert run.starts == [10, 30]
    assert run.remarks == []


def test_what_a_start_logged_that_was_not_gone_on_from_is_left_out(tmp_path: Path):
    """A second run in the same work dir is another run, though it is shorter."""
    write_log(tmp_path, "20260101_000000", [training_line(step) for step in (10, 20, 30)])
    write_log(tmp_path, "20260102_000000", [training_line(step, loss=7) for step in (10, 20)])
    run = read_run(tmp_path)
    assert run.curves["loss"].values.tolist() == [7, 7]
    assert run.starts == [10]
    assert any("started anew" in remark for remark in run.remarks)


def test_a_line_that_a_kill_cut_is_left_out_and_told(tmp_path: Path):
    lines = [training_line(10), training_line(20)]
    write_log(tmp_path, "20260101_000000", lines, tail='{"lr": 0.01, "loss": 0.0')
    run = read_run(tmp_path)
    assert steps_of(run, "loss") == [10, 20]
    assert any("1 line was cut" in remark for remark in run.remarks)


def test_a_start_that_was_killed_before_its_first_line_changes_nothing(tmp_path: Path):
    write_log(tmp_path, "20260101_000000", [training_line(10), training_line(20)])
    write_log(tmp_path, "20260102_000000", [])
    assert read_run(tmp_path).last_step == 20


def test_values_that_are_not_finite_are_kept_as_they_are(tmp_path: Path):
    lines = [training_line(10, loss=math.nan), training_line(20, loss=math.inf)]
    write_log(tmp_path, "20260101_000000", lines)
    assert not np.isfinite(read_run(tmp_path).curves["loss"].values).any()


def test_a_loss_of_the_evaluation_is_not_taken_for_that_of_training(tmp_path: Path):
    lines = [training_line(10, loss=1.0), evaluation_line(10, loss=3.0)]
    write_log(tmp_path, "20260101_000000", lines)
    curves = read_run(tmp_path).curves
    assert curves["loss"].values.tolist() == [1]
    assert curves["val/loss"].values.tolist() == [3]


def test_a_work_dir_a_start_and_a_file_are_read_alike(tmp_path: Path):
    log = write_log(tmp_path, "20260101_000000", [training_line(10)])
    for path in (tmp_path, log.parents[1], log.parent, log):
        assert log_files(path) == [log]


def test_a_folder_without_logs_names_the_runs_below_it(tmp_path: Path):
    write_log(tmp_path / "one", "20260101_000000", [training_line(10)])
    with pytest.raises(FileNotFoundError, match=r"no logs in .* there are runs below it: .*one"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["[1, 2]\n", '{"images": []}\n', "no json\n", "[" * 100_000])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, text):
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="is no log of mmengine"):
        read_run(file)


def test_a_log_of_nothing_is_refused(tmp_path: Path):
    write_log(tmp_path, "20260101_000000", [])
    with pytest.raises(ValueError, match="nothing was logged"):
        read_run(tmp_path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no work dir or log"):
        read_run(tmp_path / "none")


def test_an_evaluation_alone_is_drawn_too(tmp_path: Path):
    """Resumed behind the last line of an iteration; the run that was resumed is gone."""
    write_log(tmp_path, "20260101_000000", [evaluation_line(3, mAP=0.5)])
    assert steps_of(read_run(tmp_path), "mAP") == [3]


def test_a_run_by_iterations_whose_lines_name_an_epoch(tmp_path: Path):
    """mmengine's log processor counts epochs unless ``by_epoch=False``; such a run has one."""
    lines = [training_line(10, 1), evaluation_line(10, mIoU=1.0), training_line(20, 1)]
    write_log(tmp_path, "20260101_000000", [*lines, evaluation_line(20, mIoU=2.0)])
    assert steps_of(read_run(tmp_path), "mIoU") == [10, 20]
