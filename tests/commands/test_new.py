"""A config for own data says what the folder holds, and trains as it is."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import ParamSchedulerHook
from mmengine.registry import DATASETS, PARAM_SCHEDULERS, init_default_scope
from PIL import Image
from support.pages import ROOT

from mmfastervit.commands import main
from mmfastervit.datasets.shapes import write_dataset

CLASSES = ("rook", "king's pawn")


def picture(path, size=(96, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def coco(path, pictures, masks=True):
    """A COCO file of two objects a picture, whose categories are not in the order of their ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    boxes = [[4, 6, 30, 20], [40, 10, 20, 40]]
    corners = [[[4, 6, 34, 6, 34, 26, 4, 26]], [[40, 10, 60, 10, 60, 50, 40, 50]]]
    annotations = [
        dict(id=10 * i + k, image_id=i, category_id=5 - k, bbox=boxes[k], iscrowd=0)
        | dict(area=boxes[k][2] * boxes[k][3])
        | (dict(segmentation=corners[k]) if masks else {})
        for i in range(len(pictures))
        for k in range(2)
    ]
    images = [dict(id=i, file_name=n, width=96, height=64) for i, n in enumerate(pictures)]
    categories = [dict(id=5, name=CLASSES[0]), dict(id=4, name=CLASSES[1])]
    content = dict(images=images, annotations=annotations, categories=categories)
    path.write_text(json.dumps(content))


def new(*words) -> int:
    with pytest.raises(SystemExit) as ended:
        main("new", [str(word) for word in words])
    return ended.value.code


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "chess"


def test_two_coco_files_and_their_pictures(folder):
    for split, names in (("train", ["a.jpg", "b.jpg", "c.jpg"]), ("valid", ["d.jpg"])):
        coco(folder / f"annotations/{split}.json", names)
        for name in names:
            picture(folder / split / name)
    assert new("det", folder) == 0
    cfg = Config.fromfile("chess.py")
    dataset = cfg.train_dataloader.dataset
    assert (dataset.ann_file, dataset.data_prefix.img) == ("annotations/train.json", "train/")
    assert cfg.val_dataloader.dataset.data_prefix.img == "valid/"
    assert cfg.val_evaluator.ann_file == f"{folder.as_posix()}/annotations/valid.json"
    assert tuple(dataset.metainfo.classes) == CLASSES
    assert cfg.model.roi_head.mask_head.num_classes == cfg.model.roi_head.bbox_head.num_classes == 2
    assert cfg.train_pipeline[2].scale == (96, 64)
    assert cfg.train_cfg.max_epochs == 200
    assert cfg.val_dataloader.batch_size == 1


def test_files_that_list_the_same_names_have_pictures_of_their_own(folder):
    for split in ("train", "val"):
        coco(folder / f"{split}.json", ["1.jpg", "2.jpg"])
        for name in ("1.jpg", "2.jpg"):
            picture(folder / "images" / split / name)
    assert new("det", folder) == 0
    files = Config.fromfile("chess.py").files
    assert files.train == ("train.json", "images/train/")
    assert files.val == ("val.json", "images/val/")


def test_a_single_file_is_parted_and_no_picture_is_in_both_parts(folder):
    names = [f"{i}.jpg" for i in range(10)]
    coco(folder / "all.json", names, masks=False)
    for name in names:
        picture(folder / "pictures" / name)
    before = (folder / "all.json").read_bytes()
    assert new("det", folder) == 0
    cfg = Config.fromfile("chess.py")
    assert "mask_head" not in cfg.model.roi_head
    parts = [
        json.loads((folder / one.dataset.ann_file).read_text())
        for one in (cfg.train_dataloader, cfg.val_dataloader)
    ]
    names = [{image["file_name"] for image in part["images"]} for part in parts]
    assert [len(part) for part in names] == [8, 2]
    assert not names[0] & names[1]
    assert [len(part["annotations"]) for part in parts] == [16, 4]
    assert (folder / "all.json").read_bytes() == before
    assert new("det", folder, "--force") == 0  # what it wrote is no data of the user's


@pytest.mark.parametrize(
    ("make", "words", "message"),
    [
        (lambda f: picture(f / "a.jpg"), (), "no file in COCO's format"),
        (lambda f: coco(f / "a.json", ["x.jpg", "y.jpg"]), (), "x.jpg|y.jpg"),
        (
            lambda f: [coco(f / name, ["x.jpg"]) for name in ("a_train.json", "b_train.json")],
            (),
            "which file is for train.*a_train.json, b_train.json",
        ),
        (lambda f: coco(f / "a.json", ["x.jpg"]), ("--val", "b.json"), "there are a.json"),
        (lambda f: coco(f / "a.json", ["x.jpg"]), ("--val-share", "1"), "between 0 and 1"),
    ],
    ids=["none", "pictures", "ambiguous", "named", "share"],
)
def test_what_can_not_be_told_is_asked_for(make, words, message, folder, capsys):
    make(folder)
    before = sorted(folder.rglob("*"))
    assert new("det", folder, *words) == 2
    assert sorted(folder.rglob("*")) == before
    told = capsys.readouterr().err.strip()
    assert re.search(message, told), told
    assert not (folder.parent / "chess.py").exists()


def test_a_config_that_is_there_stays(folder, capsys):
    coco(folder / "a.json", ["x.jpg", "y.jpg"])
    (folder.parent / "chess.py").write_text("mine = 1")
    assert new("det", folder) == 2
    assert "--force" in capsys.readouterr().err
    assert (folder.parent / "chess.py").read_text() == "mine = 1"


def labelled(folder, values=(0, 1, 3, 255)):
    for split in ("training", "validation"):
        for i in range(3):
            picture(folder / f"images/{split}/{i}.jpg")
            path = folder / f"annotations/{split}/{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            labels = np.resize(np.repeat(values, 16), (64, 96)).astype(np.uint8)
            Image.fromarray(labels).save(path)


def test_pictures_and_label_maps(folder):
    labelled(folder)
    assert new("seg", folder) == 0
    cfg = Config.fromfile("chess.py")
    prefix = cfg.train_dataloader.dataset.data_prefix
    assert (prefix.img_path, prefix.seg_map_path) == ("images/training", "annotations/training")
    assert cfg.val_dataloader.dataset.data_prefix.img_path == "images/validation"
    assert cfg.model.decode_head.num_classes == cfg.model.auxiliary_head.num_classes == 4
    assert len(cfg.train_dataloader.dataset.metainfo.palette) == 4
    assert cfg.tta_pipeline[1].transforms[0][1].scale == (96, 64)
    assert cfg.train_cfg.type == "EpochBasedTrainLoop"


@pytest.mark.parametrize(
    "sets", [("img/{}", "map/{}"), ("{}/pictures", "{}/labels"), ("{}/pictures", "maps")]
)
def test_pictures_of_both_sets_may_have_the_same_names(sets, folder):
    """Each set has the maps of its own, not those of the other of the same names."""
    wanted = {}
    for split in ("training", "validation"):
        pictures, maps = (part.format(split) for part in sets)
        wanted[split] = (pictures, maps)
        for name in ("a", "b"):
            picture(folder / pictures / f"{name}.jpg")
            (folder / maps).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.eye(64, 96, dtype=np.uint8)).save(folder / maps / f"{name}.png")
    assert new("seg", folder) == 0
    files = Config.fromfile("chess.py").files
    assert dict(files) == dict(train=wanted["training"], val=wanted["validation"])


def test_names_of_labels_come_from_a_file_that_must_name_all(folder, capsys):
    labelled(folder)
    (folder / "classes.txt").write_text("floor\nrook\nking\nclock\n")
    assert new("seg", folder) == 0
    assert Config.fromfile("chess.py").train_dataloader.dataset.metainfo.classes[3] == "clock"
    (folder / "classes.txt").write_text("floor\nrook\n")
    assert new("seg", folder, "--out", "other.py") == 2
    assert "2 classes" in capsys.readouterr().err


def chess_of(folder, change=lambda content: None, masks=True):
    """A single COCO file of two pictures, four objects, changed before it is written."""
    coco(folder / "all.json", ["a.jpg", "b.jpg"], masks)
    for name in ("a.jpg", "b.jpg"):
        picture(folder / name)
    content = json.loads((folder / "all.json").read_text())
    change(content)
    (folder / "all.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["images"][1].pop("file_name"), r"images\[1\] \(id 1\) has no 'file_name'"),
        (lambda c: c["images"][1].update(file_name=7), "has the 'file_name' 7: str is accepted"),
        (lambda c: c["images"][1].pop("id"), "has no 'id'"),
        (lambda c: c["categories"].clear(), "'categories' is empty"),
        (lambda c: c["categories"][0].pop("name"), "has no 'name'"),
        (lambda c: c["annotations"][0].pop("image_id"), "has no 'image_id'"),
        (lambda c: c["annotations"].append(3), "is no object with keys, but 3"),
    ],
)
def test_entries_that_lack_what_is_read_are_named_in_a_line(change, message, folder, capsys):
    chess_of(folder, change)
    before = contents(folder)
    assert new("det", folder) == 2
    told = capsys.readouterr().err.strip()
    assert re.search(message, told), told
    assert "all.json" in told
    assert "\n" not in told
    assert contents(folder) == before


def test_objects_without_masks_are_counted(folder, capsys):
    chess_of(folder, lambda c: c["annotations"][3].pop("segmentation"))
    assert new("det", folder) == 0
    assert "1 of 4 objects has no mask: boxes\n" in capsys.readouterr().out
    assert "mask_head" not in Config.fromfile("chess.py").model.roi_head


def test_one_file_is_not_for_training_and_evaluation(folder, capsys):
    chess_of(folder)
    assert new("det", folder, "--train", "all.json", "--val", "./all.json") == 2
    assert "name the same file" in capsys.readouterr().err


DEEP = np.random.default_rng(0).integers(0, 4096, (64, 96), dtype=np.uint16)
FOUR = np.random.default_rng(0).integers(0, 256, (64, 96, 4), dtype=np.uint8)
RUINED = [
    (".png", DEEP, "16 bits and 1 channel,"),
    (".png", np.stack([DEEP] * 3, -1), "16 bits and 3 channels,"),
    (".png", FOUR, "8 bits and 4 channels,"),
    (".tif", FOUR, "8 bits and 4 channels,"),
    (".tif", np.stack([DEEP] * 4, -1), "16 bits and 4 channels,"),
]


@pytest.mark.parametrize("task", ["det", "seg"])
@pytest.mark.parametrize(("suffix", "pixels", "what"), RUINED)
def test_pictures_that_the_loader_would_ruin_are_refused(
    task, suffix, pixels, what, folder, capsys
):
    if task == "det":
        chess_of(folder, lambda c: [i.update(file_name=f"{i['id']}{suffix}") for i in c["images"]])
    for i in range(2):
        place = folder if task == "det" else folder / "images"
        place.mkdir(exist_ok=True, parents=True)
        cv2.imwrite(str(place / f"{i}{suffix}"), pixels)
        if task == "seg":
            label_map(folder / f"labels/{i}.png", (0, 1))
    assert new(task, folder) == 2
    told = capsys.readouterr().err.strip()
    assert what in told
    assert re.search(rf"[01]{suffix} has", told)
    assert "docs/own-data.md#pictures-that-are-not-rgb" in told
    assert "\n" not in told
    assert not (folder.parent / "chess.py").exists()


def test_what_is_no_picture_is_named(folder, capsys):
    chess_of(folder)
    (folder / "b.jpg").write_bytes(b"none")
    assert new("det", folder) == 2
    assert "b.jpg is no picture that OpenCV reads" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_pictures_of_which_nothing_is_lost_are_taken(mode, folder):
    """Grey, palettes, and four channels of which the last is opaque throughout."""
    for i in range(2):
        picture(folder / f"images/{i}.png")
        Image.open(folder / f"images/{i}.png").convert(mode).save(folder / f"images/{i}.png")
        label_map(folder / f"labels/{i}.png", (0, 1))
    assert new("seg", folder) == 0


def label_map(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.resize(values, (64, 96)).astype(np.uint8)).save(path)


def contents(folder) -> dict:
    """All files, to see that none was changed."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_masks_of_0_and_255_are_refused_with_advice_that_helps(folder, capsys):
    """255 is ignored: a single class would be learned, which is everywhere."""
    labelled(folder, values=(0, 255))
    assert new("seg", folder) == 2
    told = capsys.readouterr().err.strip()
    assert "\n" not in told
    assert "255 is ignored" in told
    advice = re.search(r"(Image\.fromarray.*save\(file\))", told)[1]
    for file in folder.rglob("*.png"):
        exec(advice, dict(Image=Image, np=np, file=file))
    assert new("seg", folder) == 0
    assert Config.fromfile("chess.py").classes == ("class_0", "class_1")


def test_maps_without_any_object_are_refused(folder, capsys):
    labelled(folder, values=(0,))
    assert new("seg", folder) == 2
    assert "hold 0 alone" in capsys.readouterr().err


def test_pictures_of_two_endings_are_counted_and_refused(folder, capsys):
    """mmseg would take those of the first ending and leave out the others."""
    labelled(folder)
    for path in (folder / "images/training").glob("[12].jpg"):
        picture(path.with_suffix(".png"))
        path.unlink()
    assert new("seg", folder) == 2
    assert "4 .jpg, 2 .png" in capsys.readouterr().err
    assert not (folder.parent / "chess.py").exists()


@pytest.mark.parametrize("split", ["training", "validation"])
def test_classes_are_those_of_all_maps_of_both_sets(split, folder):
    labelled(folder)
    for i in range(3, 60):
        picture(folder / f"images/{split}/{i}.jpg", (8, 8))
        label_map(folder / f"annotations/{split}/{i}.png", 1)
    label_map(folder / f"annotations/{split}/{59}.png", 7)  # by name after more than fifty
    assert new("seg", folder) == 0
    assert len(Config.fromfile("chess.py").classes) == 8


@pytest.mark.parametrize(
    ("pictures", "maps"),
    [("images/{}", "labels/{}"), ("{}/img", "{}/ann"), ("{}", "{}_semantic"), ("{}", "Masks/{}")],
)
def test_grey_pictures_are_told_from_maps_by_the_names_of_folders(pictures, maps, folder):
    """Both are PNG files of one channel and few values."""
    for split in ("train", "val"):
        for i in range(2):
            label_map(folder / pictures.format(split) / f"{i}.png", range(0, 180, 3))
            label_map(folder / maps.format(split) / f"{i}.png", (0, 1))
    assert new("seg", folder) == 0
    cfg = Config.fromfile("chess.py")
    assert cfg.files.train == (pictures.format("train"), maps.format("train"))
    assert cfg.files.val == (pictures.format("val"), maps.format("val"))
    assert len(cfg.classes) == 2


def test_a_single_pair_of_folders_is_parted_by_lists_always_alike(folder):
    for i in range(10):
        picture(folder / f"images/{i}.jpg")
        label_map(folder / f"labels/{i}.png", (0, 1))
    before = contents(folder)
    assert new("seg", folder, "--val-share", "0.3") == 0
    cfg = Config.fromfile("chess.py")
    init_default_scope("mmseg")
    sets = [
        DATASETS.build(dict(one.dataset, pipeline=[]))
        for one in (cfg.train_dataloader, cfg.val_dataloader)
    ]
    names = [{one["img_path"] for one in part} for part in (s.load_data_list() for s in sets)]
    assert [len(part) for part in names] == [7, 3]
    assert len(names[0] | names[1]) == 10
    assert all(Path(one["seg_map_path"]).is_file() for s in sets for one in s.load_data_list())
    after = contents(folder)
    assert {path: after[path] for path in before} == before
    assert new("seg", folder, "--force", "--val-share", "0.3") == 0
    assert contents(folder) == after


def test_pictures_without_maps_are_named_and_not_passed_over(folder, capsys):
    labelled(folder)
    (folder / "annotations/validation/2.png").unlink()
    assert new("seg", folder) == 2
    told = capsys.readouterr().err
    assert "no label map for 1 of the pictures" in told
    assert "such as 2" in told


def test_further_pairs_are_told(folder, capsys):
    labelled(folder)
    for i in range(2):
        picture(folder / f"images/test/{i}.jpg")
        label_map(folder / f"annotations/test/{i}.png", (0, 1))
    assert new("seg", folder) == 0
    assert "passed over, with label maps: images/test\n" in capsys.readouterr().out
    assert Config.fromfile("chess.py").files.val[0] == "images/validation"


def test_coloured_maps_are_refused(folder, capsys):
    labelled(folder)
    picture(folder / "annotations/validation/2.png")
    assert new("seg", folder) == 2
    assert "validation/2.png is no label map" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("task", ["boxes", "masks", "labels"])
def test_a_written_config_trains_and_is_tested(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "shapes", train=4, val=2, size=64, seed=0)
    if task == "boxes":
        for path in (tmp_path / "shapes").glob("instances_*.json"):
            content = json.loads(path.read_text())
            for one in content["annotations"]:
                del one["segmentation"]
            path.write_text(json.dumps(content))
    if task == "labels":
        for path in (tmp_path / "shapes").glob("*.json"):
            path.unlink()
    assert new("seg" if task == "labels" else "det", "shapes") == 0
    epochs = ["--cfg-options", "model.backbone.init_cfg=None", "train_cfg.max_epochs=1"]
    epochs += ["train_cfg.val_interval=1", "default_hooks.checkpoint.interval=1"]
    with pytest.raises(SystemExit) as ended:
        main("train", ["shapes.py", *epochs])
    assert ended.value.code == 0
    assert (tmp_path / "work_dirs/shapes/epoch_1.pth").is_file()


def template(name, tmp_path, **values) -> Config:
    """A template with other values in its first lines."""
    text = (ROOT / f"configs/own/{name}.py").read_text()
    for key, value in values.items():
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.M)
    file = tmp_path / f"{name}.py"
    file.write_text(text.replace('_base_ = "../', f'_base_ = "{ROOT}/configs/'))
    return Config.fromfile(file)


def rates(cfg, epochs, length) -> list[float]:
    """The rate of each iteration, as a share of the whole, as mmengine's schedulers set it."""
    init_default_scope(cfg.default_scope)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    built = [
        PARAM_SCHEDULERS.build(one, default_args=dict(optimizer=optimizer, epoch_length=length))
        for one in cfg.param_scheduler
    ]
    runner, hook, found = SimpleNamespace(param_schedulers=built), ParamSchedulerHook(), []
    for _ in range(epochs):
        for i in range(length):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            hook.after_train_iter(runner, i)
        hook.after_train_epoch(runner)
    return found


@pytest.mark.parametrize("name", ["boxes", "masks", "labels"])
@pytest.mark.parametrize("epochs", [1, 2, 3, 12, 24, 200])
def test_the_rate_rises_to_the_whole_and_ends_low(name, epochs, tmp_path):
    """Whatever the number of epochs is, and of iterations in one."""
    cfg = template(name, tmp_path, epochs=epochs)
    for length in (1, 2, 3, 30, 49):
        found, warm_up = rates(cfg, epochs, length), int(epochs / 20 * length)
        assert max(found) == pytest.approx(1)
        assert found.index(max(found)) <= warm_up
        assert found[: max(1, warm_up)] == sorted(found[: max(1, warm_up)])
        if warm_up > 1:
            assert found[0] < 0.01, "it is a warm-up"
        if len(found) > 1 and (name == "labels" or epochs > 1):
            assert found[-1] <= 0.11


@pytest.mark.parametrize(
    ("scale", "crop"),
    [((2048, 512), 512), ((64, 64), 64), ((96, 70), 96), ((1333, 800), 512), ((511, 500), 512)],
)
def test_crops_are_no_larger_than_the_pictures_need(scale, crop, tmp_path):
    cfg = template("labels", tmp_path, image_scale=scale)
    assert cfg.crop_size == cfg.model.data_preprocessor.size == (crop, crop)
    assert cfg.train_pipeline[3].crop_size == (crop, crop)


def test_label_maps_of_large_photos_are_made_smaller_as_those_with_boxes_are(folder):
    for i in range(2):
        picture(folder / f"images/{i}.jpg", (1500, 3000))
        label_map(folder / f"labels/{i}.png", (0, 1))
    assert new("seg", folder) == 0
    assert Config.fromfile("chess.py").image_scale == (1333, 666)


@pytest.mark.parametrize(
    ("epochs", "falls"), [(1, [1, 2]), (2, [1, 2]), (3, [2, 3]), (12, [8, 11]), (24, [16, 22])]
)
def test_the_rate_falls_inside_the_run_and_not_twice_at_once(epochs, falls, tmp_path):
    """A run of one epoch has its whole rate: steps at 0 would make it a hundredth."""
    for name in ("boxes", "masks"):
        cfg = template(name, tmp_path, epochs=epochs)
        assert cfg.param_scheduler[1].milestones == falls
