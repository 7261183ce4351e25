"""``mmfastervit prepare``: what it says, and with which status it ends."""

from support import unpacked_data as unpacked
from support.answers import status_of


def test_a_data_set_that_is_not_whole_is_status_1_and_lists_all(tmp_path, capsys):
    unpacked.coco(tmp_path)
    status, said, error = status_of(capsys, "prepare", "coco", "--root", str(tmp_path))
    assert status == 1
    assert error == "mmfastervit prepare: error: 2 faults, listed above\n"
    assert "FAULT: train2017: 3 of the 118287 that were published; the rest is in https" in said
    assert "panoptic labels: not there" in said
    assert "can run" not in said


def test_a_data_set_that_is_ready_ends_with_its_recipes(tmp_path, capsys):
    unpacked.cityscapes(tmp_path)
    options = ["prepare", "cityscapes", "--root", str(tmp_path), "--allow-part"]
    status, said, _ = status_of(capsys, *options)
    assert status == 0
    assert "to be made: 6 label maps" in said
    assert "mmfastervit::seg/upernet_fastervit-2_4xb2-80k_cityscapes-512x1024.py" in said
    assert f"train_dataloader.dataset.data_root={tmp_path}" in said
    assert "to be made" not in status_of(capsys, *options)[1]


def test_check_only_writes_nothing(tmp_path, capsys):
    unpacked.voc(tmp_path / "VOC2012")
    unpacked.sbd(tmp_path / "sbd")
    before = sorted(tmp_path.rglob("*"))
    options = ["--root", str(tmp_path), "--allow-part", "--check-only"]
    status, said, error = status_of(capsys, "prepare", "voc", *options)
    assert status == 1
    assert "run it without --check-only" in error
    assert "6 label maps" in said
    assert "aug.txt, of 3 names" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_links_are_made_and_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unpacked.ade20k(tmp_path / "mine")
    options = ["--root", "mine", "--allow-part", "--link", "data"]
    status, said, _ = status_of(capsys, "prepare", "ade20k", *options)
    assert status == 0
    assert "linked: data/ade/ADEChallengeData2016 -> " in said
    assert "from here they find it as data/ade/ADEChallengeData2016" in said
    (tmp_path / "data/ade/ADEChallengeData2016").unlink()
    (tmp_path / "data/ade/ADEChallengeData2016").mkdir()
    status, _, error = status_of(capsys, "prepare", "ade20k", *options)
    assert status == 2
    assert "leads elsewhere; nothing was linked" in error


def test_maps_that_could_not_be_made_are_status_1(tmp_path, capsys):
    unpacked.cityscapes(tmp_path)
    bad = sorted((tmp_path / "gtFine/val").rglob("*_labelIds.png"))[0]
    bad.write_bytes(b"")
    status, _, error = status_of(
        capsys, "prepare", "cityscapes", "--root", str(tmp_path), "--allow-part"
    )
    assert status == 1
    assert "1 label maps could not be made, such as of" in error
    assert bad.name in error


def test_mistakes_are_status_2(tmp_path, capsys):
    for options, message in (
        (["coco", "--root", "nowhere"], "there is no folder nowhere"),
        (["coco", "--root", str(tmp_path)], "holds nothing of COCO 2017"),
        (["voc", "--root", str(tmp_path), "--workers", "0"], "at least 1"),
        (["voc", "--root", str(tmp_path), "--link", "d", "--check-only"], "leave one out"),
        (["kitti", "--root", str(tmp_path)], "choose from"),
    ):
        status, _, error = status_of(capsys, "prepare", *options)
        assert status == 2
        assert message in error
