"""`mmfastervit check`, and the same look before a run."""

import sys

import pytest
from mmengine.config import Config
from support.small_data import SmallData, coco_data

from mmfastervit.commands import main
from mmfastervit.engine.preflight import check_data
from mmfastervit.inspection import FaultyData


def written(data: SmallData) -> str:
    """The config as a file."""
    path = data.root / "config.py"
    data.config().dump(path)
    return str(path)


def check(*arguments: str) -> int:
    """The exit status of the command."""
    with pytest.raises(SystemExit) as end:
        main("check", arguments)
    return end.value.code


@pytest.fixture
def data(tmp_path) -> SmallData:
    return coco_data(tmp_path)


def test_good_data_are_described(data, capsys):
    assert check(written(data), "--all") == 0
    told = capsys.readouterr().out
    assert "train_dataloader.dataset: COCO" in told
    assert "6 objects of 3 classes" in told
    assert told.endswith("no faults found\n")


def test_all_faults_are_told_together_with_status_1(data, capsys):
    data.content["annotations"][0]["bbox"] = [1, 2]
    data.content["images"][1]["file_name"] = "x.jpg"
    assert check(written(data)) == 1
    told = capsys.readouterr()
    assert "the data have 2 faults:" in told.err  # of training and testing, each once
    assert "annotation id 1 (image id 1): bbox [1, 2]" in told.err
    assert "image id 2 ('x.jpg')" in told.err
    assert "pictures opened: all 2" in told.out
    assert "Traceback" not in told.err


def test_three_examples_stand_for_many(data, capsys):
    for annotation in data.content["annotations"]:
        annotation["area"] = 0
    data.cfg.pop("test_dataloader")
    assert check(written(data)) == 1
    told = capsys.readouterr().err
    assert "6 annotations: `area` is not above 0" in told
    assert told.count("area 0,") == 3
    assert "and 3 more" in told


def test_absent_data_are_named_with_status_2(data, capsys):
    (data.root / "data.json").unlink(missing_ok=True)
    path = data.root / "config.py"
    Config(data.cfg).dump(path)
    assert check(str(path)) == 2
    assert f"  {data.root}/data.json\n" in capsys.readouterr().err


def test_a_config_without_data_is_a_wrong_request(capsys):
    assert check("mmdet::_base_/schedules/schedule_1x.py") == 2
    assert "this config names no data" in capsys.readouterr().err


def test_a_bar_shows_how_far_it_has_come_where_somebody_watches(data, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert check(written(data), "--all") == 0
    assert "pictures of train_dataloader.dataset:" in capsys.readouterr().err


class TestBeforeARun:
    def test_faults_end_it(self, data):
        data.content["annotations"][0]["bbox"] = [1, 2]
        with pytest.raises(FaultyData, match="--no-check starts the run all the same"):
            check_data(data.config(), "train")

    def test_data_of_the_other_mode_are_not_looked_at(self, data):
        data.cfg["test_dataloader"]["dataset"]["data_prefix"] = dict(img="nowhere/")
        check_data(data.config(), "train")
        with pytest.raises(FaultyData, match="file not there"):
            check_data(data.config(), "test")

    @pytest.mark.parametrize(
        ("launcher", "variable"),
        [("pytorch", "RANK"), ("slurm", "SLURM_PROCID"), ("mpi", "OMPI_COMM_WORLD_RANK")],
    )
    def test_of_several_processes_the_first_looks(self, data, launcher, variable, monkeypatch):
        data.content["annotations"][0]["bbox"] = [1, 2]
        cfg = data.config()
        cfg.launcher = launcher
        monkeypatch.setenv(variable, "1")
        check_data(cfg, "train")
        monkeypatch.setenv(variable, "0")
        with pytest.raises(FaultyData):
            check_data(cfg, "train")
