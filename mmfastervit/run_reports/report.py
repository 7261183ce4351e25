"""The report on where a model errs: what stands in it, in which order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image

from mmfastervit.palettes import palette_for

from . import page
from .boxes import Picture
from .confusion import Tally, detection_confusion, tally_by_class, tally_by_size
from .maps import MapTally, class_iou
from .matching import ERRORS, MEANINGS, OF_DETECTIONS, OF_OBJECTS, Kind, Sorting, sort_errors
from .page import Row, cell
from .painting import KIND_COLOURS, paint_boxes, paint_maps
from .precision import measure_gains

WORST = 20  # pictures that are shown


@dataclass(frozen=True)
class About:
    """What a report is about.

    Attributes:
        title: Its first line.
        facts: Config, checkpoint, date, versions: what a reader must know, by name.
        metrics: What the config's own evaluator found, by name.
    """

    title: str
    facts: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)


def detection_report(
    about: About, pictures: Sequence[Picture], names: Sequence[str], score: float
) -> str:
    """The report on a detector, as HTML.

    Args:
        about: What it is about.
        pictures: All pictures of the test with all their detections.
        names: Of the classes.
        score: What is counted and shown has at least this score; average precision, and what it
            gains, take all detections.
    """
    sortings = [sort_errors(picture.above(score)) for picture in pictures]
    return page.page(
        about.title,
        [
            *_introduction(about),
            *_gains(pictures, len(names)),
            *_tallies(sortings, names, score),
            *_detection_confusion(sortings, names, score),
            *_worst_boxes(sortings, names, score),
        ],
    )


def segmentation_report(
    about: About,
    tally: MapTally,
    names: Sequence[str],
    palette: Sequence[Sequence[int]] | None = None,
) -> str:
    """The report on a segmentor, as HTML.

    Args:
        about: What it is about.
        tally: What was counted.
        names: Of the classes.
        palette: The data set's. Colours are chosen from it as ``mmfastervit infer`` chooses them.
    """
    return page.page(
        about.title,
        [
            *_introduction(about),
            *_map_classes(tally, names),
            page.heading("Which classes are taken for which"),
            page.paragraph(
                "Counted in pixels, of all pictures together. A row is a labelled class, a cell the"
                " share of its pixels that were given the class of the column."
            ),
            page.matrix_table(tally.matrix, names),
            page.pairs_table(tally.matrix, names, "pixels"),
            *_worst_maps(tally, names, palette_for(names, palette)),
        ],
    )


def _introduction(about: About) -> Iterator[str]:
    yield page.table(
        ("", ""),
        [Row(name, [page.words(value)]) for name, value in about.facts.items()],
    )
    if about.metrics:
        yield page.heading("Metrics")
        yield page.paragraph("As the config's own evaluator found them.", soft=True)
        yield page.table(
            ("metric", "value"),
            [Row(name, [cell(_plain(value))]) for name, value in about.metrics.items()],
        )


def _plain(value: float) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float, np.number)) else str(value)


def _gains(pictures: Sequence[Picture], classes: int) -> Iterator[str]:
    gains = measure_gains(pictures, classes)
    yield page.heading("What each kind of error costs")
    yield page.paragraph(
        f"Average precision of the boxes at an IoU of 0.5 is {page.number(gains.mean)}. A row says"
        " what it would be without the errors of one kind. Gains do not add up: mending one kind"
        " changes what the others cost. All detections are taken, whatever their score, up to 100"
        " of a class on a picture."
    )
    largest = max([gains.gain(kind) for kind in ERRORS if gains.gain(kind) > 0], default=1.0)
    yield page.table(
        ("kind", "AP50 without", "gain", ""),
        [
            Row(
                kind.value,
                [
                    cell(page.number(gains.mended[kind])),
                    cell(_signed(gains.gain(kind))),
                    page.bar(np.nan_to_num(gains.gain(kind) / largest)),
                ],
            )
            for kind in ERRORS
        ],
    )
    yield page.paragraph("A detection, or for missed an object, is of a kind if it is:")
    yield page.meanings((kind.value, MEANINGS[kind]) for kind in (*OF_DETECTIONS, Kind.MISSED))
    yield page.paragraph(
        "Mended means: doubles, detections of the background and those of the kind both are taken"
        " out; one of the wrong class is given the class of its object, one that is only near its"
        " object is given the object's box, and of several for an object the surest stays, none"
        " where it is found already; missed objects are taken out of the count. Where a detection"
        " fits several kinds, it is the first of: found, ignored, double, class, place, both,"
        " background. Kinds after Bolya et al., TIDE (ECCV 2020).",
        soft=True,
    )


def _signed(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:+.3f}"


def _tallies(sortings: Sequence[Sorting], names: Sequence[str], score: float) -> Iterator[str]:
    yield page.heading("How many, by class and by size")
    yield page.paragraph(
        f"Detections with a score of at least {score:g}. Each is of one kind, and each labelled"
        " object too: found, or taken for another class, or only neared by a detection, or missed."
    )
    by_class, by_size = tally_by_class(sortings, names), tally_by_size(sortings)
    for tally, what in ((by_class, "class"), (by_size, "size")):
        yield _tally_table(tally, what, tally.detections, OF_DETECTIONS, "detections")
        yield _tally_table(tally, what, tally.objects, OF_OBJECTS, "objects")
    yield page.paragraph(
        "Sizes are COCO's: small below 32² pixels, medium below 96², large from there on, here by"
        " the area of the labelled box (COCO's AP of small objects takes the area of the mask where"
        " there is one). A detection has the size of the object that it belongs to; where there is"
        " none, that of its own box. By class, a detection stands with the class that it was"
        " given.",
        soft=True,
    )


def _tally_table(
    tally: Tally,
    what: str,
    counts: Mapping[Kind, np.ndarray],
    kinds: Sequence[Kind],
    counted: str,
) -> str:
    shown = [kind for kind in kinds if kind is not Kind.IGNORED or counts[kind].any()]
    table = np.stack([counts[kind] for kind in shown], axis=1)
    rows = [
        Row(name, [*map(cell, row.tolist()), cell(int(row.sum()))])
        for name, row in zip(tally.rows, table, strict=True)
    ]
    sums = table.sum(axis=0)
    rows.append(Row("all", [*map(cell, sums.tolist()), cell(int(sums.sum()))], is_sum=True))
    titles = [kind.value for kind in shown]
    return page.table((what, *titles, "all"), rows, f"{counted.capitalize()} by {what}")


def _detection_confusion(
    sortings: Sequence[Sorting], names: Sequence[str], score: float
) -> Iterator[str]:
    matrix = detection_confusion(sortings, len(names))
    yield page.heading("Which classes are taken for which")
    yield page.paragraph(
        f"Detections with a score of at least {score:g}, each paired with at most one object that"
        " it overlaps with an IoU of at least 0.5, whatever the classes. The last row has"
        " detections without an object, the last column objects without a detection. A cell has"
        " the share of its row, and the count."
    )
    yield page.matrix_table(matrix, names, ("no object", "not found"))
    yield page.pairs_table(matrix, names, "objects")


def _worst_boxes(sortings: Sequence[Sorting], names: Sequence[str], score: float) -> Iterator[str]:
    faulty = [one for one in sortings if one.f1 < 1]
    worst = sorted(faulty, key=lambda one: (one.f1, -one.wrong - one.not_found))[:WORST]
    yield page.heading(_worst_title(len(worst)))
    yield page.paragraph(
        f"Of {len(sortings)} pictures, {len(sortings) - len(faulty)} are without an error. These"
        f" have the lowest F1 of detections with a score of at least {score:g}: twice the objects"
        " found over the sum of objects and detections; of equal ones, those with more errors come"
        " first."
    )
    yield page.key([(kind.value, KIND_COLOURS[kind]) for kind in (Kind.FOUND, *ERRORS)])
    for one in worst:
        text = _counts(one)
        title = f"{_short(one.picture.path)}: F1 {one.f1:.2f}"
        yield _shown(title, text, ("labelled", "predicted"), partial(paint_boxes, one, names))


def _worst_title(count: int) -> str:
    return "The worst pictures" if count != 1 else "The worst picture"


def _counts(one: Sorting) -> str:
    """What became of the objects of a picture, and which errors its detections are."""
    missed = int((one.truth_kinds == Kind.MISSED).sum())
    objects = f"{one.right} of {one.right + one.not_found} objects found"
    if missed:
        objects += f", {missed} missed"
    counts = ((kind.value, int((one.kinds == kind).sum())) for kind in OF_DETECTIONS[2:])
    wrong = ", ".join(f"{count} {kind}" for kind, count in counts if count)
    return f"{objects}; wrong detections: {wrong}" if wrong else objects


def _short(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _shown(
    title: str, text: str, captions: Sequence[str], paint: Callable[[], Sequence[Image.Image]]
) -> str:
    """A picture of the report; where its file can't be opened, its words alone."""
    try:
        images = paint()
    except OSError as error:
        return page.article(title, f"{text}. Not shown: {error}", [])
    return page.article(title, text, map(page.figure, images, captions))


def _map_classes(tally: MapTally, names: Sequence[str]) -> Iterator[str]:
    iou, labelled, predicted = (
        class_iou(tally.matrix),
        tally.matrix.sum(axis=1),
        tally.matrix.sum(axis=0),
    )
    right = np.diag(tally.matrix)
    whole = max(int(labelled.sum()), 1)
    yield page.heading("The classes")
    known = iou[~np.isnan(iou)]
    mean = float(known.mean()) if known.size else float("nan")
    yield page.paragraph(
        f"{tally.pictures} pictures, all pixels together; pixels that the labels leave out do not"
        f" count. Mean IoU {page.number(mean)}, of the {known.size} classes that are labelled or"
        " predicted."
    )
    yield page.table(
        ("class", "IoU", "", "found", "right when said", "of all pixels"),
        [
            Row(
                name,
                [
                    cell(page.number(iou[place])),
                    page.bar(np.nan_to_num(iou[place]), good=True),
                    cell(_share(right[place], labelled[place])),
                    cell(_share(right[place], predicted[place])),
                    cell(f"{labelled[place] / whole:.1%}"),
                ],
            )
            for place, name in enumerate(names)
        ],
    )
    yield page.paragraph(
        "Found: the share of a class's labelled pixels that were given it (recall). Right when"
        " said: the share of the pixels that were given it and have it (precision).",
        soft=True,
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _worst_maps(
    tally: MapTally, names: Sequence[str], palette: Sequence[Sequence[int]]
) -> Iterator[str]:
    worst = list(tally.worst())
    yield page.heading(_worst_title(len(worst)))
    left = f"; {tally.unlabelled} have no labelled pixel" if tally.unlabelled else ""
    yield page.paragraph(
        f"Of {tally.pictures} pictures{left}, those with the lowest mean IoU of the classes that"
        " their labels have. Black: pixels that the labels leave out. Wrong pixels are vermilion in"
        " the last picture."
    )
    for one in worst:
        present = [
            place
            for place in range(len(names))
            if one.matrix[place].any() or one.matrix[:, place].any()
        ]
        colours = page.key((names[place], f"rgb{tuple(palette[place])}") for place in present)
        title = f"{_short(one.path)}: mean IoU {one.iou:.3f}"
        text = f"{one.accuracy:.1%} of the labelled pixels are right"
        captions = ("labelled", "predicted", "wrong")
        shown = _shown(title, text, captions, partial(paint_maps, one, palette))
        yield shown.replace('<div class="pair">', f'{colours}<div class="pair">', 1)
