"""The results of exporting many models, as a page that a person reads."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .shrinking import RULE
from .subjects import OWN
from .trying import FAILED, FAILS_ITSELF, MATCHING, REFUSED

Record = Mapping[str, Any]
STATES = (MATCHING, REFUSED, FAILED, FAILS_ITSELF)
_TOLD = {
    MATCHING: "**exported, and matching**",
    REFUSED: "refused, with the reason",
    FAILED: "failed",
    FAILS_ITSELF: "can't be built, or does not predict itself, exported or not",
}


def write_report(
    found: Sequence[Record],
    tried: Mapping[str, Record],
    arch: str,
    about: str,
    target: Path,
    only: Sequence[str] = (),
) -> None:
    """Write the page.

    Args:
        found: A record a config, whose ``model`` is a name in ``tried`` or None.
        tried: A record a model. One that is not there was not tried yet.
        arch: Architecture of the new backbone.
        about: When and with which versions it was done.
        target: The Markdown file.
        only: Texts of which each config's name has one; none where all were taken.
    """
    models = _models(found)
    done = {key: tried[key] for key in models if key in tried}
    parts = [
        _introduction(found, models, done, arch, about, only),
        _totals(models, done),
        _families(done),
        _not_matching(FAILED, "Failed", models, done),
        _not_matching(REFUSED, "Refused", models, done),
        _not_matching(FAILS_ITSELF, "Without a prediction of their own", models, done),
        _matching(models, done),
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _models(found: Sequence[Record]) -> dict[str, list[str]]:
    """The configs of each model."""
    models: dict[str, list[str]] = defaultdict(list)
    for record in found:
        if record["model"]:
            models[record["model"]].append(record["config"])
    return models


def _introduction(
    found: Sequence[Record],
    models: Mapping[str, Sequence[str]],
    done: Mapping[str, Record],
    arch: str,
    about: str,
    only: Sequence[str],
) -> str:
    own = sum(configs[0].startswith(OWN) for configs in models.values())
    left = len(models) - len(done)
    waiting = f" {left} of them were not tried yet." if left else ""
    seconds = sorted(record["seconds"] for record in done.values() if "seconds" in record)
    texts = ", ".join(f"`{text}`" for text in only)
    part = (
        f" **A part of them**, of configs with one of these in the name: {texts}." if only else ""
    )
    took = ""
    if seconds:
        middle = seconds[len(seconds) // 2]
        took = (
            f" A model took {middle:.0f} s of one core in the middle, {seconds[-1]:.0f} s at most, "
            f"all together {sum(seconds) / 3600:.1f} h."
        )
    without = sum(record["model"] is None for record in found)
    none = f" {without} configs have none: they can't be swapped or read." if without else ""
    told = part + none + waiting + took
    return f"""# Which models can be exported whole

Written by `mmfastervit export-coverage`, {about}. Every model that a config of mmdet and mmseg has
after its backbone was swapped for {arch} ([what swapping does](swap-coverage.md)) was exported by
itself, as `mmfastervit export --part model --uint8 --one-size` does: traced, written, and compared
by ONNX Runtime with the model's own predictions on drawn pictures, one and two at once
([what is compared](deploy.md#a-whole-model)). So was every recipe of our own.
Configs that differ in schedule, optimizer, data, number of classes or test settings have the same
model: {len(found)} configs, {len(models)} models, {own} of them of our recipes.{told}

Nobody trained these models. Their layers after the backbone are scaled so that scores and boxes
differ from place to place as those of a trained model do, so that there is something to compare.
{RULE}"""


def _totals(models: Mapping[str, Sequence[str]], done: Mapping[str, Record]) -> str:
    counts: dict[str, Counter] = defaultdict(Counter)
    for key, record in done.items():
        counts[models[key][0].partition("::")[0]][record["status"]] += 1
    packages = sorted(counts, key=lambda name: (name == OWN, name))
    zoos = sum((counts[name] for name in packages if name != OWN), Counter())
    columns = {**{name: counts[name] for name in packages if name != OWN}, "zoos together": zoos}
    if OWN in counts:
        columns["our recipes"] = counts[OWN]
    rows = [["models that were tried", *(str(sum(count.values())) for count in columns.values())]]
    rows += [
        [_TOLD[state], *(_share(count, state) for count in columns.values())] for state in STATES
    ]
    return "## Totals\n\n" + _table(["", *columns], rows)


def _share(count: Counter, state: str) -> str:
    total = sum(count.values())
    return f"{count[state]} ({100 * count[state] / total:.1f}%)" if total else "0"


def _families(done: Mapping[str, Record]) -> str:
    counts: dict[str, Counter] = defaultdict(Counter)
    for record in done.values():
        if record["family"]:
            counts[record["family"]][record["status"]] += 1
    rows = [
        [family, *(str(count[state] or "") for state in (MATCHING, FAILED, FAILS_ITSELF))]
        for family, count in sorted(counts.items(), key=lambda item: -sum(item[1].values()))
    ]
    header = ["family", "matching", "failed", "does not predict itself"]
    return "## By family\n\nOf the models that an adapter takes.\n\n" + _table(header, rows)


def _not_matching(
    state: str, title: str, models: Mapping[str, Sequence[str]], done: Mapping[str, Record]
) -> str:
    groups = defaultdict(list)
    for key, record in done.items():
        if record["status"] == state:
            groups[record["reason"]].append(models[key][0])
    rows = [
        [str(len(names)), _code(reason), _names(names)]
        for reason, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    if not rows:
        return f"## {title}\n\nNone."
    return f"## {title}\n\n" + _table(["models", "reason", "the first config of each"], rows)


def _matching(models: Mapping[str, Sequence[str]], done: Mapping[str, Record]) -> str:
    rows = [
        [
            f"`{models[key][0]}`",
            str(len(models[key])),
            record["sizes"],
            str(record["compared"]),
            str(record["shaky"]),
            f"{record['seconds']:.0f}",
        ]
        for key, record in sorted(done.items(), key=lambda item: models[item[0]][0])
        if record["status"] == MATCHING
    ]
    header = [
        "first config",
        "configs",
        "the file takes",
        "compared",
        "left out, hang on rounding",
        "s",
    ]
    text = "## Matching\n\nWhat was compared are detections, or pixels of class maps.\n\n"
    return text + _table(header, rows)


def _names(configs: Sequence[str], shown: int = 6) -> str:
    rest = len(configs) - shown
    return ", ".join(f"`{name}`" for name in sorted(configs)[:shown]) + (
        f" and {rest} more" if rest > 0 else ""
    )


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells])
