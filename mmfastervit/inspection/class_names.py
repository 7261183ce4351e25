"""Are the config's classes those of the data, under the same labels?"""

import os.path
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmfastervit.signatures import nearest

from .findings import SHOWN, Finding
from .sources import FOLDERS, Source

_BACKGROUNDS = ("background", "_background_", "bg")
_LABELS_SHIFT = (
    "mmdet numbers the classes as the file lists them, whatever the order in the config: a class"
    " would be learned under another's name"
)


@dataclass(frozen=True)
class ClassNames:
    """The names that a config gives to the labels 0, 1, ..., and those that the data have.

    Attributes:
        config: The config's.
        data: The data's, in the order in which the library numbers them.
    """

    config: tuple[str, ...]
    data: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the config that the data don't have."""
        return tuple(name for name in self.config if name not in self.data)

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of the data that the config doesn't have; their objects are left out."""
        return tuple(name for name in self.data if name not in self.config)

    @property
    def learned(self) -> tuple[str, ...]:
        """The data's names, in the order of the labels that the library gives them."""
        return tuple(name for name in self.data if name in self.config)

    @property
    def fault(self) -> str:
        """What is wrong with them; '' if each label means the same on both sides."""
        if not self.learned:
            return "none of the config's classes is in the data"
        if self.missing:
            hints = [f"{name!r}{nearest(name, self.unused)}" for name in self.missing[:SHOWN]]
            more = "; ..." if len(self.missing) > SHOWN else ""
            count = len(self.missing)
            return f"the data lack {count} of the config's classes: {'; '.join(hints)}{more}"
        if len(self.learned) > len(self.config):
            twice = sorted({name for name in self.learned if self.learned.count(name) > 1})
            return f"the data list a class twice: {', '.join(twice)}"
        if self.learned != self.config:
            return "the classes stand in another order"
        return ""

    def both(self) -> tuple[str, str]:
        """Both lists, to be compared by eye."""
        return f"config: {_listed(self.config)}", f"data:   {_listed(self.data)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "(none)"


def check_categories(source: Source, names: Sequence[str], place: str) -> Iterator[Finding]:
    """Compare the classes of a COCO data set with the categories of its file.

    Args:
        source: The data set.
        names: The file's, in the order of the file.
        place: The file, for the message.
    """
    if source.classes is None or isinstance(_written(source), str):
        return
    compared = ClassNames(source.classes, tuple(names))
    if compared.fault:
        yield Finding(
            place,
            f"`categories` and the classes of {source.key}: {compared.fault}",
            examples=compared.both(),
            accepted=f"the same names in the same order; {_LABELS_SHIFT}",
            remedy=f"write {source.key}.metainfo=dict(classes={compared.learned or names!r}), or"
            " change the categories; num_classes of the heads goes with them",
        )


def check_metainfo(source: Source) -> Iterator[Finding]:
    """Look at what a data set's config says of its classes."""
    place, metainfo = f"{source.key}.metainfo", source.cfg.get("metainfo") or {}
    written = _written(source)
    if isinstance(written, str) and not os.path.isfile(written):
        yield Finding(
            place,
            f"`classes` is the string {written!r}, and there is no file of this name",
            accepted="a tuple of names, or a file with a name in each line",
            remedy=f"one class is a tuple with a comma: classes=({written!r},)",
        )
    if "classes" not in metainfo and "CLASSES" in metainfo:
        yield Finding(
            place,
            "`CLASSES` is read by nobody: the class names of the data set's type hold instead",
            accepted="metainfo=dict(classes=(...))",
            remedy="write classes in small letters, as mmdet 3.x and mmseg 1.x have it",
        )
    names = source.classes or ()
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield Finding(
            place,
            f"`classes` names a class twice: {', '.join(twice)}",
            accepted="each name once",
            remedy="name each class once",
        )
    if source.format == FOLDERS:
        yield from _check_folder_classes(source, place)


def _written(source: Source) -> object:
    """The classes as the config has them."""
    return (source.cfg.get("metainfo") or {}).get("classes")


def _check_folder_classes(source: Source, place: str) -> Iterator[Finding]:
    """What mmseg makes of the classes of a folder: a subset of those of its type, and colours."""
    of_type = (getattr(source.kind, "METAINFO", None) or {}).get("classes")
    compared = ClassNames(source.classes or (), tuple(of_type or ()))
    if of_type and compared.missing:
        name = source.kind.__name__ if source.kind else ""
        yield Finding(
            place,
            f"`classes` has names that {name} does not have: {', '.join(compared.missing)}",
            examples=compared.both(),
            accepted=f"classes of {name}, any number of them in any order",
            remedy=f"for classes of your own write {source.key}.type=BaseSegDataset",
        )
    palette = (source.cfg.get("metainfo") or {}).get("palette")
    is_subset = of_type is not None and len(palette or ()) > len(source.classes or ())
    if source.classes and palette and len(palette) != len(source.classes) and not is_subset:
        yield Finding(
            place,
            f"`palette` has {len(palette)} colours for {len(source.classes)} classes",
            accepted="one colour [red, green, blue] for each class",
            remedy="leave palette out, or give each class its colour",
        )
    if source.classes is None:
        yield Finding(
            place,
            "`classes` is not given, and the data set's type has none",
            accepted="a tuple of names, one for each value of the label maps from 0 on",
            remedy="write metainfo=dict(classes=('background', ...))",
        )


def check_agreement(sources: Sequence[Source]) -> Iterator[Finding]:
    """Compare the class names of all data sets of a config with those of the first."""
    named = [source for source in sources if source.classes is not None]
    for source in named[1:]:
        first = named[0]
        if source.classes != first.classes:
            yield Finding(
                f"{source.key}.metainfo",
                f"`classes` are others than those of {first.key}",
                examples=(
                    f"{first.key}: {_listed(first.classes or ())}",
                    f"{source.key}: {_listed(source.classes or ())}",
                ),
                accepted="the same names in the same order: a model has one list",
                remedy="write one list, and name it in each data set",
            )


def names_background(source: Source) -> bool:
    """Whether the first class of a data set is what is left beside the others."""
    return bool(source.classes and source.classes[0].lower() in _BACKGROUNDS)
