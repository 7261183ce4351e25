"""What looks odd and does no harm: cases that stay silent, and cases of which a remark is made."""

import os
from typing import Any

import numpy as np
from PIL import Image

from .faulty_data import (
    Case,
    Damage,
    box,
    classes,
    code,
    content,
    dataset,
    det,
    each,
    maps,
    mask,
    model,
    names_file,
    picture,
    put,
    remove,
    rename,
    seg,
    together,
    turned,
)
from .small_data import SmallData


def moved(folder: str) -> Damage:
    """Move the images into another folder."""

    def damage(data: SmallData) -> None:
        target = data.root / folder
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(data.root / "images", target)
        key = "img" if data.content else "img_path"
        for one in data.datasets:
            one["data_prefix"] = one["data_prefix"] | {key: folder}

    return damage


def linked(data: SmallData) -> None:
    """Make links of all pictures."""
    os.rename(data.root / "images", data.root / "elsewhere")
    (data.root / "images").mkdir()
    for name in "abc":
        os.symlink(f"../elsewhere/{name}.jpg", data.root / f"images/{name}.jpg")


def absolute(data: SmallData) -> None:
    """Name a picture from the root on."""
    data.content["images"][0]["file_name"] = str(data.root / "images/a.jpg")


def as_strings(data: SmallData) -> None:
    """Let ids be strings."""
    for image in data.content["images"]:
        image["id"] = f"image {image['id']}"
    for annotation in data.content["annotations"]:
        annotation["image_id"] = f"image {annotation['image_id']}"


def many(damage: Damage) -> Damage:
    """Damage one of two thousand annotations."""

    def among_many(data: SmallData) -> None:
        annotations = data.content["annotations"]
        annotations += [dict(annotations[i % 6], id=7 + i) for i in range(2000)]
        damage(data)

    return among_many


def unlabelled(data: SmallData) -> None:
    """Test without labels."""
    for one in data.datasets:
        one["pipeline"] = one["pipeline"][:1]
    data.cfg["test_evaluator"]["format_only"] = True
    data.content.pop("annotations", None)


def wrapped(kind: str, **values: Any) -> Damage:
    """Put the data sets into a wrapper."""

    def damage(data: SmallData) -> None:
        for stage in ("train", "test"):
            loader = data.cfg[f"{stage}_dataloader"]
            loader["dataset"] = dict(type=kind, dataset=loader["dataset"], **values)

    return damage


def beside_crowd(entry: dict) -> None:
    """Make a crowd of every second object."""
    if entry["id"] % 2:
        entry.update(iscrowd=1, segmentation=code([32, 32] if entry["id"] > 4 else [30, 40], []))
        height, width = entry["segmentation"]["size"]
        entry["segmentation"]["counts"] = [100, height * width - 100]


def with_palette(data: SmallData) -> None:
    """Store the maps with a palette, as PASCAL VOC does."""
    for name in "abc":
        labels = data.open(f"maps/{name}.png")
        labels.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])  # makes it a picture of mode P
        labels.save(data.root / f"maps/{name}.png")


def sixteen_bits(data: SmallData) -> None:
    """Store a picture with values of 12 bits in 16."""
    values = np.full((30, 40), 999, np.uint16)
    Image.fromarray(values).save(data.root / "images/a.png")
    data.content["images"][0]["file_name"] = "a.png"


def four_channels(data: SmallData) -> None:
    """Store the images as PNG, one with a fourth channel that differs from pixel to pixel."""
    for name in "abc":
        image = data.open(f"images/{name}.jpg")
        if name == "a":
            image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save(data.root / f"images/{name}.png")
        (data.root / f"images/{name}.jpg").unlink()


FINE: list[Case] = [
    det("pictures in grey", picture("images/a.jpg", lambda i: i.convert("L"))),
    det("pictures in CMYK", picture("images/a.jpg", lambda i: i.convert("CMYK"))),
    det("pictures with alpha", together(
        lambda d: d.open("images/a.jpg").convert("RGBA").save(d.root / "images/a.png"),
        put("images", 0, file_name="a.png"))),
    det("pictures of 16 bits that are loaded as such", together(sixteen_bits, lambda d: [
        one["pipeline"][0].update(color_type="unchanged") for one in d.datasets])),
    det("crowds, with run-length codes", each("annotations", beside_crowd)),
    det("a run-length code in letters", mask(code([30, 40], "hb0hb0"))),
    det("links to pictures", linked),
    det("spaces, quotes and umlauts in paths", moved("bilder von 'mir'/\"größe\" 图片")),
    det("pictures in folders below", put("images", 0, file_name="../images/a.jpg")),
    det("a name from the root on", absolute),
    det("ids that are strings", as_strings),
    det("more keys than COCO has", each("annotations", lambda a: a.update(score=1, attributes={}))),
    det("an image without objects", content(lambda c: c.update(annotations=c["annotations"][:4]))),
    det("a box up to a pixel over the edge", box(-0.5, 4, 10, 8)),
    det("an object that is marked to be ignored", put("annotations", 0, ignore=1, bbox=[0, 0, 0, 0],
        segmentation=[])),
    det("EXIF data that turn a picture as it was labelled", together(
        turned("images/a.jpg", 6), put("images", 0, width=30, height=40))),
    det("EXIF data that are not read", together(turned("images/a.jpg", 6), lambda d: [
        one["pipeline"][0].update(color_type="color_ignore_orientation") for one in d.datasets])),
    det("no `segmentation` where no masks are trained", together(
        each("annotations", lambda a: a.pop("segmentation")),
        lambda d: [one["pipeline"][1].update(with_mask=False) for one in d.datasets],
        lambda d: d.cfg["test_evaluator"].update(metric="bbox"))),
    det("no labels where none are read", unlabelled),
    det("no labels where empty ones are made up", together(unlabelled, lambda d: [
        one["pipeline"].append(dict(type="LoadEmptyAnnotations")) for one in d.datasets])),
    det("data in a wrapper", wrapped("RepeatDataset", times=3)),
    det("classes in a file", lambda d: (d.root / "classes.txt").write_text("cat\ndog\nbird\n")
        and dataset(metainfo=dict(classes=str(d.root / "classes.txt")))(d)),
    seg("images in grey", picture("images/a.jpg", lambda i: i.convert("L"))),
    seg("images in CMYK", picture("images/a.jpg", lambda i: i.convert("CMYK"))),
    seg("links to images", linked),
    seg("spaces, quotes and umlauts in paths", moved("bilder von 'mir'/\"größe\" 图片")),
    seg("label maps with a palette", with_palette),
    seg("a label map of 16 bits with small values", maps(lambda m: m.astype(np.uint16), "a")),
    seg("a label map of 1 bit", maps(lambda m: m > 0, "a")),
    seg("pixels of no known class", maps(lambda m: np.where(m == 2, 255, m), "a")),
    seg("`reduce_zero_label` with values from 1 on", together(
        dataset(reduce_zero_label=True), maps(lambda m: m + 1))),
    seg("`reduce_zero_label` with a last class that does not occur", together(
        dataset(reduce_zero_label=True), maps(lambda m: np.where(m == 2, 1, m)))),
    seg("a list of names", names_file("a\nb\n")),
    seg("a list of names with CRLF", names_file("a\r\nb\r\n")),
    seg("no labels where none are read", unlabelled),
    seg("images and label maps in one folder", together(
        *(rename(f"maps/{name}.png", f"images/{name}.png") for name in "abc"),
        dataset(data_prefix=dict(img_path="images", seg_map_path="images")))),
    seg("a part of the classes of the data set's type", together(
        dataset(type="ADE20KDataset", metainfo=dict(classes=("wall", "building", "sky"))),
        maps(lambda m: m + 1))),
    seg("a head for edges", model("auxiliary_head", type="STDCHead", num_classes=1)),
]  # fmt: skip


REMARKS: list[Case] = [
    det("one box without size among thousands", many(box(5, 5, 0, 8)), "`bbox` has no size"),
    det("one polygon of two points among thousands", many(mask([[4, 4, 9, 9]])),
        "no polygon of three points"),
    det("a box over the edge", box(-3, 4, 10, 8), "more than a pixel", "annotation id 1"),
    det("a box of less than a pixel", box(5, 5, 0.5, 8), "less than 1 pixel"),
    det("a category that the config leaves out", together(
        classes("cat", "dog"), model("roi_head.bbox_head.0", num_classes=2),
        model("roi_head.mask_head", num_classes=2)), "bird: 2 objects"),
    det("a class without objects", content(lambda c: c.update(
        annotations=[a for a in c["annotations"] if a["category_id"] != 30])),
        "no object of: bird"),
    det("a picture that two images name", put("images", 1, file_name="a.jpg"),
        "a `file_name` that another image has too"),
    det("a picture of 16 bits", sixteen_bits, "a.png: 16 bits and 1 channel",
        "color_type='unchanged'"),
    det("EXIF data that turn a picture by half", turned("images/a.jpg", 3), "orientation 3"),
    seg("a label map without image", remove("images/a.jpg"), "a.png", "no image in"),
    seg("pictures of another kind beside the images",
        lambda d: d.open("images/a.jpg").save(d.root / "images/x.bmp"),
        "x.bmp", "the name does not end in img_suffix"),
    seg("a name that stands in the list twice", names_file("a\na\nb\n"), "names.txt",
        "more than once"),
    seg("a label map of nothing but 255", maps(lambda m: m * 0 + 255, "a"), "maps/a.png",
        "nothing but ignored pixels"),
    seg("an image of four channels", together(four_channels, dataset(img_suffix=".png")),
        "a.png: 8 bits and 4 channels", "color_type='unchanged'"),
    seg("EXIF data that turn an image by half", turned("images/a.jpg", 3), "orientation 3"),
]  # fmt: skip
