"""What COCO, ADE20K, Cityscapes and Pascal VOC are made of, as published.

The numbers of files are those of the data sets' own pages.
"""

from .pieces import Archive, Layout, Made, MadeList, Names, Part, Use
from .rules import draw_cityscapes, number_cityscapes, number_coco_stuff, unpack_sbd

_COCO_PAGE = "https://cocodataset.org/#download"
_CITYSCAPES_PAGE = "https://www.cityscapes-dataset.com/downloads/"
_VOC_PAGE = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
_NUMBERED = "_labelTrainIds.png"
_COCO_COUNTS = {"train2017": 118_287, "val2017": 5_000}


def _coco() -> Layout:
    counts = _COCO_COUNTS
    instances, panoptic, stuff = (
        Archive(f"{name}_trainval2017.zip", f"{_COCO_PAGE} ({name}_trainval2017.zip)", into)
        for name, into in (("annotations", "."), ("panoptic_annotations", "."), ("stuffthingmaps",
                           "stuffthingmaps"))
    )  # fmt: skip
    pictures = {
        split: Part(split, Archive(f"{split}.zip", f"{_COCO_PAGE} ({split}.zip)"), ".jpg", count)
        for split, count in counts.items()
    }
    files = {split: Part(f"annotations/instances_{split}.json", instances) for split in counts}
    segments = {split: Part(f"annotations/panoptic_{split}.json", panoptic) for split in counts}
    inner = f"{_COCO_PAGE} (panoptic_annotations_trainval2017.zip, in which it is a zip of its own)"
    masks = {
        split: Part(
            f"annotations/panoptic_{split}",
            Archive(f"panoptic_{split}.zip", inner, "annotations"),
            ".png",
            count,
        )
        for split, count in counts.items()
    }
    same = {
        split: Part(f"images/{split}", part.archive, ".jpg", part.count, split)
        for split, part in pictures.items()
    }
    maps, raw = (
        {
            split: Part(f"annotations/{split}", stuff, suffix, count, split, but_not)
            for split, count in counts.items()
        }
        for suffix, but_not in ((_NUMBERED, "\0"), (".png", _NUMBERED))
    )
    return Layout(
        "COCO 2017",
        (
            Use(
                "boxes and masks",
                "det/*_coco.py",
                "data/coco/",
                (*pictures.values(), *files.values()),
                names=tuple(Names(files[s], pictures[s], ".jpg") for s in counts),
            ),
            Use(
                "panoptic labels",
                "det/*_coco-panoptic.py",
                "data/coco/",
                (*pictures.values(), *segments.values(), *masks.values()),
                names=(
                    *(Names(segments[s], pictures[s], ".jpg") for s in counts),
                    *(Names(segments[s], masks[s], ".png") for s in counts),
                ),
                sign=segments["train2017"],
                package="panopticapi",
            ),
            Use(
                "COCO-Stuff's label maps",
                "seg/*_coco-stuff164k-*.py",
                "data/coco_stuff164k",
                (*same.values(), *maps.values()),
                pairs=tuple((same[s], maps[s]) for s in counts),
                made=tuple(Made(maps[s], raw[s], number_coco_stuff) for s in counts),
                sign=maps["train2017"],
            ),
        ),
    )


def _ade20k() -> Layout:
    page = "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip"
    archive = Archive("ADEChallengeData2016.zip", page)
    counts = {"training": 20_210, "validation": 2_000}
    pictures, maps = (
        {split: Part(f"{kind}/{split}", archive, suffix, n) for split, n in counts.items()}
        for kind, suffix in (("images", ".jpg"), ("annotations", ".png"))
    )
    return Layout(
        "ADE20K, as of the scene parsing challenge of 2016",
        (
            Use(
                "label maps of 150 classes",
                "seg/*_ade20k-*.py",
                "data/ade/ADEChallengeData2016",
                (*pictures.values(), *maps.values()),
                pairs=tuple((pictures[s], maps[s]) for s in counts),
            ),
        ),
        not_this=(
            (
                "ADE20K_20*",
                "this is the full ADE20K, whose maps are numbered otherwise; the recipes read the "
                f"release of the challenge, {page}",
            ),
        ),
    )


def _cityscapes() -> Layout:
    counts = {"train": 2_975, "val": 500}
    images, fine = (
        Archive(name, f"{_CITYSCAPES_PAGE} ({name}, with an account)")
        for name in ("leftImg8bit_trainvaltest.zip", "gtFine_trainvaltest.zip")
    )
    pictures = {
        split: Part(f"leftImg8bit/{split}", images, "_leftImg8bit.png", n)
        for split, n in counts.items()
    }
    maps, ids, polygons = (
        {s: Part(f"gtFine/{s}", fine, f"_gtFine{end}", n) for s, n in counts.items()}
        for end in (_NUMBERED, "_labelIds.png", "_polygons.json")
    )
    made = [
        Made(maps[split], source[split], rule)
        for source, rule in ((ids, number_cityscapes), (polygons, draw_cityscapes))
        for split in counts
    ]
    return Layout(
        "Cityscapes",
        (
            Use(
                "label maps of 19 classes",
                "seg/*_cityscapes-*.py",
                "data/cityscapes/",
                (*pictures.values(), *maps.values()),
                pairs=tuple((pictures[s], maps[s]) for s in counts),
                made=tuple(made),
            ),
        ),
    )


def _voc() -> Layout:
    devkit = Archive("VOCtrainval_11-May-2012.tar", f"{_VOC_PAGE} (VOCtrainval_11-May-2012.tar)")
    sbd = Archive(
        "benchmark*.tgz",
        "the Semantic Boundaries Dataset, benchmark.tgz of "
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/",
    )
    pictures = Part("JPEGImages", devkit, ".jpg", 17_125)
    labels = Part("SegmentationClass", devkit, ".png", 2_913)
    train, val, aug, trainaug = (
        Part(f"ImageSets/Segmentation/{name}.txt", archive, count=count)
        for name, archive, count in (
            ("train", devkit, 1_464), ("val", devkit, 1_449), ("aug", sbd, 9_118),
            ("trainaug", sbd, 10_582),
        )
    )  # fmt: skip
    added = Part("SegmentationClassAug", sbd, ".png")
    mats = Part("dataset/cls", sbd, ".mat")
    theirs = [Part(f"dataset/{s}.txt", sbd) for s in ("train", "val")]

    def added_names(found: dict[str, list[str]]) -> list[str] | None:
        """Names that the Semantic Boundaries Dataset adds to VOC's; neither train nor val."""
        if train.name not in found or val.name not in found:
            return None
        more = {name for part in theirs for name in found.get(part.name, [])}
        more |= set() if more else {*found.get(added.name, []), *found.get(mats.name, [])}
        left = more - {*found[train.name], *found[val.name]}
        return sorted(left) or None

    def all_names(found: dict[str, list[str]]) -> list[str] | None:
        names = added_names(found)
        return names and sorted({*names, *found[train.name]})

    return Layout(
        "Pascal VOC 2012 with the labels that the Semantic Boundaries Dataset adds",
        (
            Use(
                "label maps of 21 classes",
                "seg/*_voc12aug-*.py",
                "data/VOCdevkit/VOC2012",
                (pictures, labels, train, val, added, aug),
                names=(
                    *(Names(one, pictures) for one in (train, val, aug)),
                    *(Names(one, labels) for one in (train, val)),
                    Names(aug, added),
                ),
                made=(Made(added, mats, unpack_sbd, beside=False),),
                lists=(MadeList(aug, added_names), MadeList(trainaug, all_names)),
            ),
        ),
        others=(mats, *theirs),
    )


LAYOUTS = dict(coco=_coco(), ade20k=_ade20k(), cityscapes=_cityscapes(), voc=_voc())
