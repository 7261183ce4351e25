"""What of a published data set is there, what is missing, and what has to be made."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from .finding import Place, find, find_packed, folders_below, unpacking
from .pieces import Layout, Made, Names, Part, Rule, Use

_SHOWN = 3  # names in a message
_COMPARED = 3  # maps that are there already, with what they would be made to
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


@dataclass(frozen=True)
class Task:
    """A label map to write."""

    source: Path
    target: Path
    rule: Rule


@dataclass(frozen=True)
class Look:
    """What was found of one use of a data set.

    Attributes:
        use: Which.
        base: The folder below which its parts lie, or should.
        places: Where the parts are that were found.
        faults: What keeps recipes from running, in words.
        notes: What is odd and does no harm.
        tasks: Label maps that are to be made.
        lists: Lists that are to be made, with their lines.
        is_absent: Nothing of this use was downloaded.
    """

    use: Use
    base: Path
    places: dict[Part, Place]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    lists: tuple[tuple[Path, tuple[str, ...]], ...] = ()
    is_absent: bool = False

    @property
    def is_ready(self) -> bool:
        return not (self.faults or self.tasks or self.lists or self.is_absent)

    @property
    def moved(self) -> dict[str, Path]:
        """The parts that lie elsewhere than recipes look: their names below ``data_root``."""
        return {
            part.name: self.places[part].path
            for part in self.use.parts
            if part in self.places and self.places[part].path != self.base / part.name
        }


def look_at_folder(layout: Layout, roots: Sequence[Path], allow_part: bool = False) -> list[Look]:
    """Look for a data set below some folders.

    Args:
        layout: The data set.
        roots: Where it was unpacked; what is made is written below the first.
        allow_part: Whether fewer files than were published are no fault.

    Returns:
        A look for each use.

    Raises:
        ValueError: Nothing of the data set is there.
    """
    folders = folders_below(roots)
    uses = [_Looker(use, layout, roots, folders, allow_part) for use in layout.uses]
    if not any(use.places or use.packed for use in uses):
        raise ValueError(_nothing(layout, roots, folders))
    return [use.look() for use in uses]


class _Looker:
    """Looks at one use; its attributes are what was found."""

    def __init__(
        self,
        use: Use,
        layout: Layout,
        roots: Sequence[Path],
        folders: Sequence[Path],
        allow_part: bool,
    ):
        self.use, self.folders, self.allow_part = use, folders, allow_part
        sources = [made.source for made in use.made]
        lists = [made.file for made in use.lists]
        wanted = dict.fromkeys([*use.parts, *sources, *layout.others, *lists])
        found = {part: find(part, folders) for part in wanted}
        self.places = {part: place for part, place in found.items() if place}
        self.base = self._base(roots[0])
        near = [*folders, *(root.resolve().parent for root in roots)]
        archives = {part: find_packed(part.archive, near) for part in wanted}
        self.packed = {part: file for part, file in archives.items() if file}

    def _base(self, root: Path) -> Path:
        """The folder in which the most parts lie where recipes look for them."""
        bases: Counter[Path] = Counter()
        for part in self.use.parts:
            depth = len(Path(part.name).parts)
            if part in self.places:
                path = self.places[part].path
                if path.parts[-depth:] == Path(part.name).parts:
                    bases[path.parents[depth - 1]] += 1
        return bases.most_common(1)[0][0] if bases else root

    def look(self) -> Look:
        use = self.use
        tasks = tuple(self._tasks())
        lists = tuple(self._lists())
        is_absent = self._is_absent(tasks)
        faults: list[str] = []
        notes: list[str] = []
        if not is_absent:
            faults = [*self._missing(tasks, lists), *self._cut_off(), *self._unnamed(tasks, lists)]
            faults += [*self._unpaired(tasks), *self._differing(), *self._package()]
            counted = [*self._counted()]
            if self.allow_part:
                notes += [text for text, _ in counted]
            else:
                faults += [f"{text}{advice}" for text, advice in counted]
            notes += [*self._surplus()]
        return Look(
            use, self.base, self.places, tuple(faults), tuple(notes), tasks, lists, is_absent
        )

    def _is_absent(self, tasks: Sequence[Task]) -> bool:
        """Whether the use's own part is neither there, nor packed, nor to be made."""
        sign = self.use.sign
        return not (sign is None or sign in self.places or sign in self.packed or tasks)

    def _tasks(self) -> Iterator[Task]:
        """The maps that are not there, or not whole."""
        covered: set[Path] = set()
        for made in self.use.made:
            source = self.places.get(made.source)
            if source is None:
                continue
            folder = self._folder_of_made(made, source)
            for name in source.names:
                target = folder / f"{name}{made.maps.suffix}"
                if target not in covered and not is_whole(target):
                    yield Task(source.file_of(name), target, made.rule)
                covered.add(target)

    def _folder_of_made(self, made: Made, source: Place) -> Path:
        if made.maps in self.places:
            return self.places[made.maps].path
        return source.path if made.beside else self.base / made.maps.name

    def _lists(self) -> Iterator[tuple[Path, tuple[str, ...]]]:
        names = {part.name: place.names for part, place in self.places.items()}
        for made in self.use.lists:
            lines = None if made.file in self.places else made.work_out(names)
            if lines:
                yield self.base / made.file.name, tuple(lines)

    def _missing(self, tasks: Sequence[Task], lists: Sequence[tuple]) -> Iterator[str]:
        """Parts that are not there and can't be made, by the download that holds them."""
        can_be_made = {made.maps for made in self.use.made if made.source in self.places}
        can_be_made |= {m.file for m in self.use.lists if self.base / m.file.name in dict(lists)}
        missing = [p for p in self.use.parts if p not in self.places and p not in can_be_made]
        for archive in dict.fromkeys(part.archive for part in missing):
            parts = [part for part in missing if part.archive == archive]
            names = ", ".join(part.name for part in parts)
            file = self.packed.get(parts[0])
            how = f"had from {archive.source}; if you have it elsewhere: --root DIR THAT_FOLDER"
            if file:
                how = unpacking(file, self.base / archive.into)
            elif any((self.base / part.name).is_dir() for part in parts):
                how = f"the folder is there, without files that end in {parts[0].suffix}; {how}"
            yield f"missing: {names}: {how}"

    def _cut_off(self) -> Iterator[str]:
        for part in self.use.parts:
            if part in self.places and self.places[part].is_cut_off:
                yield f"{self.places[part].path} is cut off: unpack or download it again"

    def _unnamed(self, tasks: Sequence[Task], lists: Sequence[tuple]) -> Iterator[str]:
        """Files that a list names and that are not there."""
        made = {task.target for task in tasks}
        for rule in self.use.names:
            files = self.places.get(rule.files)
            lines = dict(lists).get(self.base / rule.file.name)
            listed = self._listed(rule) if lines is None else set(lines)
            if listed is None or (files is None and not made):
                continue  # told as missing
            folder = files.path if files else self.base / rule.files.name
            absent = [
                name
                for name in sorted(listed - set(files.names if files else ()))
                if folder / f"{name}{rule.files.suffix}" not in made
            ]
            if absent:
                yield (
                    f"{len(absent)} of the {len(listed)} files that {rule.file.name} names are not "
                    f"in {folder}: {_some(absent, rule.files.suffix)}; had from "
                    f"{rule.files.archive.source}"
                )

    def _listed(self, rule: Names) -> set[str] | None:
        place = self.places.get(rule.file)
        return None if place is None or place.is_cut_off else place.named(rule.only)

    def _unpaired(self, tasks: Sequence[Task]) -> Iterator[str]:
        """Pictures without a map, which end a training."""
        to_be_made = {task.target for task in tasks}
        for pictures, maps in self.use.pairs:
            if pictures not in self.places:
                continue
            folders = {made.source: made for made in self.use.made if made.maps == maps}
            have = set(self.places[maps].names if maps in self.places else ())
            for source, made in folders.items():
                if source in self.places:
                    place = self.places[source]
                    folder = self._folder_of_made(made, place)
                    have |= {n for n in place.names if folder / f"{n}{maps.suffix}" in to_be_made}
            without = sorted(set(self.places[pictures].names) - have)
            if without and have:
                yield (
                    f"{len(without)} pictures of {self.places[pictures].path} have no label map: "
                    f"{_some(without, pictures.suffix)}; had from {maps.archive.source}"
                )

    def _differing(self) -> Iterator[str]:
        """Maps that are there and are not what they would be made to; a few are looked at."""
        for made in self.use.made:
            source, maps = self.places.get(made.source), self.places.get(made.maps)
            if source is None or maps is None or source.part.suffix == ".json":
                continue
            both = sorted(set(source.names) & set(maps.names))
            for name in both[:: max(1, len(both) // _COMPARED)][:_COMPARED]:
                file = maps.file_of(name)
                if is_whole(file) and not _is_made_of(file, source.file_of(name), made.rule):
                    yield (
                        f"{file} is numbered otherwise than {source.file_of(name).name} asks: it "
                        "stays as it is; move such files away to have them made"
                    )
                    break

    def _package(self) -> Iterator[str]:
        package = self.use.package
        if package and find_spec(package) is None:
            yield (
                f"its recipes need the package {package}, which is not installed: "
                f"pip install git+https://github.com/cocodataset/{package}"
            )

    def _counted(self) -> Iterator[tuple[str, str]]:
        """Parts that are fewer than was published, each with what to do."""
        for part, place in self._counts():
            if len(place.names) < part.count:
                yield (
                    f"{part.name}: {len(place.names)} of the {part.count} that were published",
                    f"; the rest is in {part.archive.source}, or --allow-part takes it as it is",
                )

    def _surplus(self) -> Iterator[str]:
        for part, place in self._counts():
            if len(place.names) > part.count:
                yield f"{part.name}: {len(place.names)}, and {part.count} were published"

    def _counts(self) -> Iterator[tuple[Part, Place]]:
        made = {made.maps for made in self.use.made}
        for part in self.use.parts:
            if part.count and part in self.places and part not in made:
                yield part, self.places[part]


def is_whole(path: Path) -> bool:
    """Whether a PNG file is there and ends as such files do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(-min(len(_PNG_END), file.tell()), 2)
        return file.read() == _PNG_END


def _is_made_of(file: Path, source: Path, rule: Rule) -> bool:
    with TemporaryDirectory() as folder:
        target = Path(folder) / file.name
        rule(source, target)
        with Image.open(target) as ours, Image.open(file) as theirs:
            return np.array_equal(np.asarray(ours), np.asarray(theirs))


def _some(names: Iterable[str], suffix: str) -> str:
    listed = [f"{name}{suffix}" for name in names]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def _nothing(layout: Layout, roots: Sequence[Path], folders: Sequence[Path]) -> str:
    """What to say of folders that hold nothing of a data set."""
    where = ", ".join(map(str, roots))
    for pattern, what in layout.not_this:
        for folder in [*folders, *(root.parent for root in roots)]:
            if folder.match(pattern):
                return f"{folder}: {what}"
    first = layout.uses[0]
    parts = [*first.parts, *(made.source for made in first.made)]
    names = ", ".join(dict.fromkeys(part.name for part in parts))
    there = sorted(path.name for root in roots for path in root.iterdir())[:10]
    return (
        f"{where} holds nothing of {layout.name}: expected below it {names}, unpacked or packed; "
        f"there is {', '.join(there) or 'nothing'}"
    )
