"""Everything that is known to be wrong with data, one case each: how it is made, what is said.

`docs/what-is-checked.md` is written from this table (`python tests/support/checked_page.py`).
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from .small_data import SmallData

BOTH = ("train", "test")
Damage = Callable[[SmallData], None]


@dataclass(frozen=True)
class Case:
    """One thing that is wrong.

    Attributes:
        name: What it is, for the page.
        task: ``"detection"`` or ``"segmentation"``.
        damage: Makes it.
        says: What the message must name: the file, the field, the id, what to do.
        stages: In which it is a fault.
        faults: How many faults it is; more than one where the first leads to others.
    """

    name: str
    task: str
    damage: Damage
    says: tuple[str, ...]
    stages: tuple[str, ...] = BOTH
    faults: int = 1


def det(name: str, damage: Damage, *says: str, **more: Any) -> Case:
    """A case of detection."""
    return Case(name, "detection", damage, says, **more)


def seg(name: str, damage: Damage, *says: str, **more: Any) -> Case:
    """A case of segmentation."""
    return Case(name, "segmentation", damage, says, **more)


# How COCO files are damaged.


def raw(change: Callable[[bytes], bytes]) -> Damage:
    """Change the bytes of the file."""

    def damage(data: SmallData) -> None:
        data.raw = change(json.dumps(data.content).encode())

    return damage


def put(name: str, row: int, /, **values: Any) -> Damage:
    """Write values into an entry of a list."""
    return lambda data: data.content[name][row].update(values)


def drop(name: str, row: int, key: str) -> Damage:
    """Take a key out of an entry of a list."""

    def damage(data: SmallData) -> None:
        del data.content[name][row][key]

    return damage


def box(*values: Any) -> Damage:
    """Write a box into the first annotation."""
    return put("annotations", 0, bbox=list(values))


def mask(value: Any) -> Damage:
    """Write a mask into the first annotation."""
    return put("annotations", 0, segmentation=value)


def each(name: str, change: Callable[[dict], None]) -> Damage:
    """Change all entries of a list."""

    def damage(data: SmallData) -> None:
        for entry in data.content[name]:
            change(entry)

    return damage


def corners(entry: dict) -> None:
    """Write a box as two corners, of an object in the lower right half."""
    entry.update(bbox=[20, 18, 30, 28], segmentation=[[20, 18, 30, 18, 30, 28, 20, 28]])


def fractions(entry: dict) -> None:
    """Write a box in fractions of the image."""
    x, y, w, h = entry["bbox"]
    entry["bbox"] = [x / 40, y / 30, w / 40, h / 30]


def content(change: Callable[[dict], Any]) -> Damage:
    """Change the whole content."""
    return lambda data: change(data.content)


# How configs and files are damaged.


def classes(*names: str, **metainfo: Any) -> Damage:
    """Write other class names into the config."""

    def damage(data: SmallData) -> None:
        for dataset in data.datasets:
            dataset["metainfo"] = dict(classes=names) | metainfo

    return damage


def dataset(**values: Any) -> Damage:
    """Write values into the config of the data sets."""

    def damage(data: SmallData) -> None:
        for one in data.datasets:
            one.update(values)

    return damage


def model(place: str, **values: Any) -> Damage:
    """Write values into a part of the model."""

    def damage(data: SmallData) -> None:
        part = data.cfg["model"]
        for key in place.split("."):
            part = part[int(key) if isinstance(part, list) else key]
        part.update(values)

    return damage


def file(name: str, change: Callable[[bytes], bytes]) -> Damage:
    """Change the bytes of a file."""

    def damage(data: SmallData) -> None:
        path = data.root / name
        path.write_bytes(change(path.read_bytes()))

    return damage


def picture(name: str, change: Callable[[Image.Image], Image.Image], **options: Any) -> Damage:
    """Change a picture."""

    def damage(data: SmallData) -> None:
        change(data.open(name)).save(data.root / name, **options)

    return damage


def turned(name: str, orientation: int) -> Damage:
    """Give a picture EXIF data that turn it."""

    def damage(data: SmallData) -> None:
        exif = Image.Exif()
        exif[274] = orientation
        data.open(name).save(data.root / name, exif=exif)

    return damage


def rename(old: str, new: str) -> Damage:
    """Rename a file."""
    return lambda data: os.rename(data.root / old, data.root / new)


def remove(*names: str) -> Damage:
    """Remove files."""

    def damage(data: SmallData) -> None:
        for name in names:
            (data.root / name).unlink()

    return damage


def maps(change: Callable[[np.ndarray], np.ndarray], *names: str) -> Damage:
    """Change the values of label maps, by default of all."""

    def damage(data: SmallData) -> None:
        for name in names or ("a", "b", "c"):
            path = data.root / "maps" / f"{name}.png"
            values = np.array(Image.open(path))
            path.unlink()
            Image.fromarray(change(values)).save(path)

    return damage


def names_file(text: str, encoding: str = "utf-8") -> Damage:
    """List the names of the images in a file."""

    def damage(data: SmallData) -> None:
        (data.root / "names.txt").write_text(text, encoding=encoding)
        dataset(ann_file="names.txt")(data)

    return damage


def together(*damages: Damage) -> Damage:
    """Do several things."""

    def damage(data: SmallData) -> None:
        for one in damages:
            one(data)

    return damage


def other_metric_file(change: Callable[[dict], Any]) -> Damage:
    """Let the metric read a file of its own."""

    def damage(data: SmallData) -> None:
        copied = json.loads(json.dumps(data.content))
        change(copied)
        (data.root / "metric.json").write_text(json.dumps(copied))
        data.cfg["test_evaluator"]["ann_file"] = str(data.root / "metric.json")

    return damage


def code(size: list[int], counts: Any) -> dict:
    """A run-length code."""
    return dict(size=size, counts=counts)


def _all_renamed(old: str, new: str) -> Damage:
    return together(*(rename(f"{old.format(name)}", f"{new.format(name)}") for name in "abc"))


def _validation_differs(data: SmallData) -> None:
    data.cfg["train_dataloader"]["dataset"]["metainfo"] = dict(classes=("background", "dog", "cat"))
    data.cfg["val_dataloader"] = data.cfg["test_dataloader"]


FIRST = "annotation id 1 (image id 1)"
FILE = "data.json"

JSON_CASES = [
    det("an empty file", raw(lambda b: b""), FILE, "the file is empty"),
    det("a file cut in the middle", raw(lambda b: b[: len(b) // 2]), FILE, "cut", "line 1, column"),
    det("a file cut inside of a word", raw(lambda b: b[: b.index(b"file_") + 3]), FILE, "cut"),
    det("a byte order mark", raw(lambda b: b"\xef\xbb\xbf" + b), FILE, "BOM", "without BOM"),
    det("UTF-16", raw(lambda b: b.decode().encode("utf-16")), FILE, "UTF-16", "save it as UTF-8"),
    det("Latin-1", raw(lambda b: b.replace(b"cat", b"c\xe4t")), FILE, "not text in UTF-8"),
    det("a compressed file", raw(lambda b: b"\x1f\x8b\x08\xff" + b), FILE, "gzip", "unpack it"),
    det("a comma too many", raw(lambda b: b.replace(b'"images": [', b'"images": [,')), FILE,
        "not JSON", "line 1, column"),
    det("JSON lines", raw(lambda b: b + b"\n" + b), FILE, "more than one JSON value", "line 2"),
    det("a list", raw(lambda b: b"[" + b + b"]"), FILE, "a list of objects with 'images'"),
    det("a file of predictions", raw(lambda b: b'[{"image_id": 1, "bbox": [], "score": 0.5}]'),
        FILE, "they look like predictions"),
    det("no object", raw(lambda b: b"null"), FILE, "the value None"),
    det("no `images`", content(lambda c: c.pop("images")), FILE, "there is no `images`"),
    det("no `annotations`", content(lambda c: c.pop("annotations")), FILE,
        "there is no `annotations`"),
    det("no `categories`", content(lambda c: c.pop("categories")), FILE,
        "there is no `categories`"),
    det("`images` is an object", content(lambda c: c.update(images={"1": {}})), FILE,
        "`images` is no list"),
    det("an annotation that is no object", content(lambda c: c["annotations"].append(7)), FILE,
        "1 entry: no object, in `annotations`", "number 6: 7"),
    det("`images` is empty", content(lambda c: c["images"].clear()), FILE, "`images` is empty"),
    det("`annotations` is empty", content(lambda c: c["annotations"].clear()), FILE,
        "no object of the config's classes", "0 annotations"),
]  # fmt: skip

KEY_CASES = [
    *(det(f"an annotation without `{key}`", drop("annotations", 0, key), FILE,
          f"1 annotation: no `{key}`", "id 1" if key != "id" else "number 0 of the list",
          f"add `{key}` to each")
      for key in ("id", "image_id", "category_id", "bbox", "area")),
    det("an annotation without `iscrowd`, which COCO's metric asks for",
        drop("annotations", 0, "iscrowd"), FILE, "no `iscrowd`", FIRST, stages=("test",)),
    det("an annotation without `segmentation` where masks are trained",
        drop("annotations", 0, "segmentation"), FILE, "no `segmentation`", FIRST),
    det("an image without `id`", drop("images", 0, "id"), FILE, "1 image: no `id`", "number 0",
        faults=2),
    *(det(f"an image without `{key}`", drop("images", 0, key), FILE, f"1 image: no `{key}`",
          "image id 1") for key in ("file_name", "width", "height")),
    det("a category without `id`", drop("categories", 0, "id"), FILE, "1 category: no `id`",
        faults=2),
    det("a category without `name`", drop("categories", 0, "name"), FILE,
        "1 category: no `name`", "category id 10", faults=1),
]  # fmt: skip

BOX_CASES = [
    det("a box of three numbers", box(1, 2, 3), FILE, "`bbox` is not four finite numbers", FIRST,
        "[1, 2, 3]", "[x, y, width, height]"),
    det("a box of five numbers", box(1, 2, 3, 4, 5), "`bbox` is not four", "[1, 2, 3, 4, 5]"),
    det("a box of strings", box("1", "2", "3", "4"), "`bbox` is not four", "['1', '2', '3', '4']"),
    det("a box with NaN", box(float("nan"), 2, 3, 4), "`bbox` is not four", "[nan, 2, 3, 4]"),
    det("a box with infinity", box(1, 2, float("inf"), 4), "`bbox` is not four", "inf"),
    det("a box with null", box(1, 2, None, 4), "`bbox` is not four", "None"),
    det("a box with an enormous integer", box(10**400, 2, 3, 4), "`bbox` is not four", FIRST),
    det("a box that is an object", put("annotations", 0, bbox=dict(x=1)), "`bbox` is not four"),
    det("a box of no width", box(5, 5, 0, 8), "`bbox` has no size", FIRST, "[5, 5, 0, 8]"),
    det("a box of negative height", box(5, 5, 8, -3), "`bbox` has no size", FIRST),
    det("a box outside of the image", box(50, 40, 10, 8), "`bbox` lies outside", FIRST,
        "image 40x30"),
    det("a box that is outside by more than half",
        together(box(-8, 4, 10, 8), mask([[0, 4, 2, 4, 2, 12]])), "`bbox` lies outside", FIRST),
    det("boxes as corners", each("annotations", corners), "look like corners [x1, y1, x2, y2]",
        "[x1, y1, x2 - x1, y2 - y1]", "6 annotations", faults=1),
    det("boxes in fractions of the image", each("annotations", fractions), FILE,
        "`bbox` is in fractions of the image", "multiply x and width"),
    det("an area of 0", put("annotations", 0, area=0), "`area` is not above 0", FIRST, "area 0"),
    det("a negative area", put("annotations", 0, area=-80), "`area` is not above 0", "area -80"),
    det("an area that is a string", put("annotations", 0, area="80"), "`area` is no finite number",
        "'80'"),
    det("an area that is NaN", put("annotations", 0, area=float("nan")), "`area` is no finite"),
    det("a width that is a string", put("images", 0, width="40"), FILE,
        "`width` or `height` is no number of pixels", "image id 1", "'40' x 30"),
    det("a height of 0", put("images", 0, height=0), "`width` or `height` is no number", "40 x 0"),
]  # fmt: skip

ID_CASES = [
    det("two images of one id", put("images", 1, id=1), FILE, "2 images: `id` shared",
        "image id 1 ('a.jpg')", faults=2),
    det("two annotations of one id", put("annotations", 1, id=1), FILE,
        "2 annotations: `id` shared", FIRST),
    det("two categories of one id", put("categories", 1, id=10), FILE,
        "2 categories: `id` shared", faults=2),
    det("an id that is null", put("annotations", 0, id=None), FILE, "`id` is no number",
        "annotation id None"),
    det("an id that is a list", put("images", 0, id=[1]), "`id` is no number", faults=2),
    det("an annotation of an image that is not listed", put("annotations", 0, image_id=99), FILE,
        "`image_id` is no id of `images`", "image_id 99", "1, 2, 3"),
    det("an `image_id` that is a string", put("annotations", 0, image_id="1"),
        "`image_id` is no id of `images`", "image_id '1'"),
    det("an `image_id` that is a list", put("annotations", 0, image_id=[1]),
        "`image_id` is no id of `images`", "image_id [1]"),
    det("an annotation of a category that is not listed", put("annotations", 0, category_id=99),
        FILE, "`category_id` is no id of `categories`", "category_id 99", "10, 20, 30"),
    det("a `file_name` that is a number", put("images", 0, file_name=7), FILE,
        "`file_name` is no string", "image id 1 (7)"),
    det("a class `name` that is a number", put("categories", 0, name=7), FILE,
        "`name` is no string", "category id 10: 7"),
    det("an `iscrowd` that is a string", put("annotations", 0, iscrowd="0"), FILE,
        "`iscrowd` is neither 0 nor 1", FIRST, "iscrowd '0'"),
    det("nothing but crowds", each("annotations", lambda a: a.update(iscrowd=1)), FILE,
        "no object of the config's classes", "6 annotations"),
]  # fmt: skip

MASK_CASES = [
    det("a polygon of two points", mask([[4, 4, 9, 9]]), FILE, "no polygon of three points", FIRST,
        "[[4, 4, 9, 9]]"),
    det("a polygon of an odd number of numbers", mask([[4, 4, 9, 4, 9, 9, 4]]),
        "no polygon of three points"),
    det("a polygon of two points beside a good one",
        mask([[4, 4, 14, 4, 14, 12], [4, 4, 9, 9]]), "a polygon of fewer than three points"),
    det("points in pairs", mask([[4, 4], [14, 4], [14, 12]]), "no polygon of three points"),
    det("a flat list of numbers", mask([4, 4, 14, 4, 14, 12]), "one flat list", "one more list"),
    det("a polygon of strings", mask([["4", "4", "14", "4", "14", "12"]]), "than finite numbers"),
    det("a polygon with NaN", mask([[float("nan"), 4, 14, 4, 14, 12]]), "than finite numbers"),
    det("a polygon beside its box", mask([[30, 20, 36, 20, 36, 28]]), "outside of its `bbox`",
        FIRST),
    det("a polygon in fractions of the image", mask([[0.1, 0.1, 0.3, 0.1, 0.3, 0.4]]),
        "outside of its `bbox`"),
    det("`segmentation` is empty", mask([]), "no `segmentation`", FIRST),
    det("`segmentation` is null", mask(None), "no `segmentation`", FIRST),
    det("`segmentation` is a string", mask("4 4 14 4"), "neither polygons nor a run-length code"),
    det("a run-length code without size", mask(dict(counts="a")), "neither polygons nor"),
    det("a run-length code of another size", mask(code([20, 20], [100, 300])),
        "of another size than the image", "'size': [20, 20]"),
    det("a run-length code with height and width swapped", mask(code([40, 30], [600, 600])),
        "height and width swapped"),
    det("a run-length code of too few pixels", mask(code([30, 40], [600, 6])),
        "the run-length code can't be read"),
    det("a run-length code in letters that are none", mask(code([30, 40], "~~~ !")),
        "the run-length code can't be read"),
    det("a run-length code that is cut", mask(code([30, 40], "P")), "can't be read"),
    det("a run-length code where masks are polygons only",
        together(mask(code([30, 40], [600, 600])), lambda data: [
            one["pipeline"][1].update(poly2mask=False) for one in data.datasets]),
        "poly2mask=False takes polygons only"),
]  # fmt: skip

PICTURE_CASES = [
    det("a picture that is not there", remove("images/a.jpg"), FILE, "file not there",
        "image id 1", "images/a.jpg"),
    det("a picture in capitals", rename("images/a.jpg", "images/a.JPG"), "not there",
        "there is a.JPG"),
    det("a name without its suffix", put("images", 0, file_name="a"), "not there",
        "there is a.jpg"),
    det("a name with backslashes", put("images", 0, file_name="x\\a.jpg"), "not there",
        "backslashes"),
    det("a folder written twice", put("images", 0, file_name="images/a.jpg"), "not there",
        "its folder is not there or empty"),
    det("a link that leads nowhere",
        together(remove("images/a.jpg"), lambda d: os.symlink("x", d.root / "images/a.jpg")),
        "file not there"),
    det("a picture that is cut", file("images/a.jpg", lambda b: b[: len(b) // 2]), FILE,
        "can't be read", "image id 1", "is cut"),
    det("a picture that lacks its end", file("images/a.jpg", lambda b: b[:-60]), FILE,
        "can't be read", "image id 1", "is cut"),
    det("a picture that is empty", file("images/a.jpg", lambda b: b""), "can't be read",
        "is empty"),
    det("a picture that is none", file("images/a.jpg", lambda b: b"<html>"), "can't be read",
        "no picture that can be decoded"),
    det("width and height swapped", put("images", 0, width=30, height=40),
        "`width` and `height` are swapped", "30x40 stated, 40x30 read"),
    det("another width than the file's", put("images", 0, width=41),
        "`width` and `height` are not the file's", "41x30 stated, 40x30 read"),
    det("EXIF data that turn a picture after it was labelled", turned("images/a.jpg", 6),
        "EXIF", "40x30 stated, 30x40 read", "color_ignore_orientation"),
]  # fmt: skip

CLASS_CASES = [
    det("a class in the config that the data lack", classes("cat", "dog", "bird", "cow"), FILE,
        "the data lack 1 of the config's classes: 'cow'", "config: cat, dog, bird, cow",
        "data:   cat, dog, bird", faults=2),
    det("a class written in another way", classes("cat", "dog", "birds"),
        "'birds', did you mean 'bird'?"),
    det("classes in another order", classes("dog", "cat", "bird"), "another order",
        "config: dog, cat, bird", "data:   cat, dog, bird", "classes=('cat', 'dog', 'bird')"),
    det("no class in common", classes("a", "b", "c"), "none of the config's classes",
        "config: a, b, c", "data:   cat, dog, bird"),
    det("no class in the config, COCO's by default", dataset(metainfo=None),
        "the data lack 77 of the config's classes", faults=2),
    det("`CLASSES` in capitals", dataset(metainfo=dict(CLASSES=("cat", "dog", "bird"))),
        "`CLASSES` is read by nobody", faults=3),
    det("a class that is a string and no tuple", classes(classes="cat"),
        "`classes` is the string 'cat'", "classes=('cat',)", faults=2),
    det("a class named twice", classes("cat", "dog", "bird", "cat"), "names a class twice: cat",
        faults=3),
    det("a category listed twice", content(lambda c: c["categories"].append(dict(id=40,
        name="cat"))), "the data list a class twice: cat"),
    det("a head of too few classes", model("roi_head.bbox_head.0", num_classes=2),
        "model.roi_head.bbox_head.0.num_classes = 2, of 3", "cat, dog, bird"),
    det("a head of too many classes", model("roi_head.mask_head", num_classes=80),
        "model.roi_head.mask_head.num_classes = 80, of 3", "num_classes=3"),
    det("no `ann_file`", dataset(ann_file=""), "`ann_file` is not given"),
    det("no `data_prefix.img`", dataset(data_prefix=dict(img_path="images")),
        "`data_prefix.img` is not given"),
    det("a metric's file with classes in another order",
        other_metric_file(lambda c: c["categories"].reverse()), "metric.json", "another order",
        stages=("test",)),
    det("a metric's file with other images",
        other_metric_file(lambda c: c["images"][2].update(id=7) or [
            a.update(image_id=7) for a in c["annotations"][4:]]),
        "metric.json", "other images than", "image id 3", "image id 7", stages=("test",)),
    det("a metric's file without `area`",
        other_metric_file(lambda c: c["annotations"][0].pop("area")), "metric.json", "no `area`",
        stages=("test",)),
]  # fmt: skip

SEG_FILE_CASES = [
    seg("an image without label map", remove("maps/a.png"), "maps", "1 label map: not there",
        "maps/a.png"),
    seg("a label map with its suffix in capitals", rename("maps/a.png", "maps/a.PNG"),
        "not there", "there is a.PNG"),
    seg("all label maps with another ending", _all_renamed("maps/{}.png", "maps/{}_mask.png"),
        "3 label maps: not there", "seg_map_path or the suffix"),
    seg("a link that leads nowhere",
        together(remove("maps/a.png"), lambda d: os.symlink("x", d.root / "maps/a.png")),
        "maps/a.png"),
    seg("all images with their suffix in capitals", _all_renamed("images/{}.jpg", "images/{}.JPG"),
        "images", "no file of the folder ends in img_suffix '.jpg'", ".JPG: 3", "img_suffix=.JPG"),
    seg("one image with its suffix in capitals", rename("images/a.jpg", "images/a.JPG"),
        "1 file: would be left out", "img_suffix '.jpg' but for capitals", "a.JPG", "rename"),
    seg("images of another kind", _all_renamed("images/{}.jpg", "images/{}.jpeg"),
        "no file of the folder ends in img_suffix '.jpg'", ".jpeg: 3"),
    seg("an empty folder", remove("images/a.jpg", "images/b.jpg", "images/c.jpg"), "images",
        "it is empty"),
    seg("no `data_prefix.img_path`", dataset(data_prefix=dict(img="images")),
        "`data_prefix.img_path` is not given"),
    seg("a list that names what is not there", names_file("a\nb\nx\n"), "image: not there",
        "x.jpg", faults=2),
    seg("a list of names with their suffix", names_file("a.jpg\nb.jpg\n"),
        "2 images: not there", "there is a.jpg", faults=2),
    seg("a list with a blank line", names_file("a\n\nb\n"), "names.txt", "line 2",
        "1 line: blank"),
    seg("a list that is empty", names_file(""), "names.txt", "the list is empty"),
    seg("a list with a byte order mark", names_file("\ufeffa\nb\n"), "names.txt", "BOM", faults=3),
    seg("a list in UTF-16", names_file("a\nb\n", "utf-16"), "names.txt", "not text in UTF-8"),
    seg("an image that is cut", file("images/a.jpg", lambda b: b[: len(b) // 2]), "images/a.jpg",
        "is cut"),
    seg("an image that is empty", file("images/a.jpg", lambda b: b""), "images/a.jpg: is empty"),
    seg("an image that is none", file("images/a.jpg", lambda b: b"<html>"), "images/a.jpg",
        "no picture that can be decoded"),
    seg("a label map that is cut", file("maps/a.png", lambda b: b[: len(b) // 2]), "maps/a.png",
        "can't be read"),
    seg("a label map that is empty", file("maps/a.png", lambda b: b""), "maps/a.png: is empty"),
    seg("a label map that is none", file("maps/a.png", lambda b: b"<html>"), "maps/a.png"),
]  # fmt: skip

SEG_MAP_CASES = [
    seg("a label map of another size", maps(lambda m: m[:-2], "a"), "maps/a.png: 40x28",
        "its image: 40x30", "of another size"),
    seg("a label map that lies on its side", maps(lambda m: m.T.copy(), "a"),
        "width and height of the image swapped", "maps/a.png: 30x40"),
    seg("EXIF data that turn an image after it was labelled", turned("images/a.jpg", 8),
        "EXIF", "maps/a.png: 40x30, its image: 30x40", "color_ignore_orientation"),
    seg("a label map in colours", maps(lambda m: np.stack([m] * 3, 2), "a"), "maps/a.png",
        "3 channels", "several channels"),
    seg("a label map in colours with alpha", maps(lambda m: np.stack([m] * 4, 2), "a"),
        "4 channels"),
    seg("a label map of 16 bits", maps(lambda m: m.astype(np.uint16) * 200, "a"), "maps/a.png",
        "above 255", "up to 400"),
    seg("a label map of fractions", lambda d: Image.fromarray(
        np.full((30, 40), 0.5, np.float32)).save(d.root / "maps/a.tif") or together(
            dataset(seg_map_suffix=".tif"), remove("images/b.jpg", "images/c.jpg"))(d),
        "maps/a.tif: float32", "no whole numbers"),
    seg("label maps in black and white", maps(lambda m: (m > 0).astype(np.uint8) * 255),
        "3 label maps: only the values 0 and 255", "write 1 for 255"),
    seg("label maps that are JPEGs by name",
        together(dataset(seg_map_suffix=".jpg"), _all_renamed("maps/{}.png", "maps/{}.jpg"),
                 *(picture(f"maps/{n}.jpg", lambda i: i) for n in "abc")),
        "3 label maps: JPEG", "as PNG"),
    seg("a label map that is a JPEG under another name",
        lambda d: d.open("maps/a.png").save(d.root / "maps/a.png", format="JPEG"),
        "maps/a.png", "JPEG, whose"),
    seg("a value that is no class", maps(lambda m: np.where(m == 2, 7, m), "a"), "maps/a.png",
        "value 7 (400 pixels)", "0 to 2 for the 3 classes", "255"),
    seg("values that begin at 1", maps(lambda m: m + 1), "value 3", "reduce_zero_label=True"),
    seg("a value below 255 for what is not known", maps(lambda m: np.where(m == 2, 254, m), "a"),
        "value 254"),
    seg("label maps of nothing but 255", maps(lambda m: m * 0 + 255),
        "3 label maps: nothing but ignored pixels"),
    seg("label maps of nothing but 0 with `reduce_zero_label`",
        together(dataset(reduce_zero_label=True), maps(lambda m: m * 0)),
        "nothing but ignored pixels (reduce_zero_label=True ignores 0)"),
    seg("`reduce_zero_label` where 0 is the background", together(
        dataset(reduce_zero_label=True), maps(lambda m: np.where(m == 1, 0, m), "a")),
        "reduce_zero_label=True, which ignores 0", "`background`", "reduce_zero_label=False"),
    seg("`reduce_zero_label` in the pipeline and not in the data set",
        lambda d: [one["pipeline"][1].update(reduce_zero_label=True) for one in d.datasets],
        "`reduce_zero_label` is False in the data set and True in LoadAnnotations"),
    seg("negative values", lambda d: Image.fromarray(
        np.full((30, 40), -1, np.int32)).save(d.root / "maps/a.tif") or together(
            dataset(seg_map_suffix=".tif"), remove("images/b.jpg", "images/c.jpg"))(d),
        "maps/a.tif", "no whole numbers from 0 on"),
]  # fmt: skip

SEG_CLASS_CASES = [
    seg("no class names", dataset(metainfo=None), "`classes` is not given", "metainfo"),
    seg("`CLASSES` in capitals", dataset(metainfo=dict(CLASSES=("a", "b", "c"))),
        "`CLASSES` is read by nobody", faults=2),
    seg("a class that is a string and no tuple", dataset(metainfo=dict(classes="cat")),
        "`classes` is the string 'cat'", faults=3),
    seg("a class named twice", classes("background", "cat", "cat"), "names a class twice: cat"),
    seg("fewer colours than classes", classes("background", "cat", "dog", palette=[[0, 0, 0]]),
        "`palette` has 1 colours for 3 classes"),
    seg("classes that the data set's type does not have", dataset(type="ADE20KDataset"),
        "names that ADE20KDataset does not have: background, cat", "type=BaseSegDataset",
        faults=2),
    seg("a head of too few classes", model("decode_head", num_classes=2),
        "model.decode_head.num_classes = 2, of 3", "model.decode_head.num_classes=3"),
    seg("a head of too many classes", model("auxiliary_head", num_classes=150),
        "model.auxiliary_head.num_classes = 150, of 3"),
    seg("training and validation name the classes differently", _validation_differs,
        "`classes` are others than those of train_dataloader.dataset", stages=("train",)),
]  # fmt: skip

CASES = [
    *JSON_CASES,
    *KEY_CASES,
    *BOX_CASES,
    *ID_CASES,
    *MASK_CASES,
    *PICTURE_CASES,
    *CLASS_CASES,
    *SEG_FILE_CASES,
    *SEG_MAP_CASES,
    *SEG_CLASS_CASES,
]
