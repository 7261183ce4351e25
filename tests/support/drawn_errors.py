"""One picture with an error of each kind, made on purpose."""

from mmfastervit.run_reports.boxes import Picture, make_picture

CAT, DOG = 0, 1
NAMES = ("cat", "dog")

TRUTH = {  # name: box, class
    "found": ((0, 0, 20, 20), CAT),
    "of another class": ((100, 0, 120, 20), DOG),
    "neared": ((200, 0, 240, 40), CAT),
    "missed": ((300, 0, 400, 100), DOG),
    "neared as another class": ((0, 100, 40, 140), DOG),
}
FOUND = {  # the kind it is: box, class, score
    "found": ((0, 0, 20, 20), CAT, 0.9),
    "double": ((1, 0, 21, 20), CAT, 0.8),
    "class": ((100, 0, 120, 20), CAT, 0.7),
    "place": ((220, 0, 260, 40), CAT, 0.6),  # half of it: an overlap of 1/3
    "both": ((20, 100, 60, 140), CAT, 0.5),
    "background": ((500, 500, 520, 520), DOG, 0.4),
}


def every_kind(path: str = "drawn.png") -> Picture:
    """All of them, in the order of :data:`FOUND`."""
    boxes, labels, scores = zip(*FOUND.values(), strict=True)
    truth, truth_labels = zip(*TRUTH.values(), strict=True)
    return make_picture(path, truth, truth_labels, [False] * len(truth), boxes, labels, scores)


def picture(truth=(), found=(), ignored=(), path: str = "drawn.png") -> Picture:
    """A picture of ``truth`` as (box, class) and ``found`` as (box, class, score)."""
    boxes, labels, scores = zip(*found, strict=True) if found else ((), (), ())
    regions = [*truth, *ignored]
    return make_picture(
        path,
        [box for box, _ in regions],
        [label for _, label in regions],
        [False] * len(truth) + [True] * len(ignored),
        boxes,
        labels,
        scores,
    )
