"""The results of a sweep over the zoos, as a page that a person reads."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .running import FAILED, ORIGINAL_FAILS, REFUSED, SWAPPED, UNREADABLE

Record = Mapping[str, Any]
# How far a config that could be swapped came, from the last; the original model's failure apart.
PASSED, ONLY_BUILT, ONLY_SWAPPED = "passed", "built", "swapped"
SAME_AS_ORIGINAL, NEITHER_BUILT = "as original", "not built, as original"
_REACH = {None: 0, "built": 1, "trained": 2, "predicted": 3}

_AS_ORIGINAL = (SAME_AS_ORIGINAL, NEITHER_BUILT, ORIGINAL_FAILS)
_OF_RUNNING = (PASSED, ONLY_BUILT, ONLY_SWAPPED, FAILED)  # configs whose original passes here
_TO_SWAP = (*_OF_RUNNING, *_AS_ORIGINAL)
# Rows of the totals: what they count, and what it is a share of.
_TOTALS: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
    ("configs", (*_TO_SWAP, REFUSED, UNREADABLE), ()),
    ("not readable by mmengine", (UNREADABLE,), ()),
    ("refused, with the reason", (REFUSED,), ()),
    ("**left to swap**", _TO_SWAP, ()),
    ("swapped, but the original model fails in the same steps on this machine", _AS_ORIGINAL, ()),
    ("swapped, built, one training and one inference step passed", (PASSED,), ()),
    ("swapped and built, a step failed", (ONLY_BUILT,), ()),
    ("swapped, not built", (ONLY_SWAPPED,), ()),
    ("not swapped: failed", (FAILED,), ()),
    ("**built, of those left to swap**", (PASSED, ONLY_BUILT, SAME_AS_ORIGINAL), _TO_SWAP),
    ("**passed both steps, of those left to swap**", (PASSED,), _TO_SWAP),
    ("**built, of those whose original passes here**", (PASSED, ONLY_BUILT), _OF_RUNNING),
    ("**passed both steps, of those whose original passes here**", (PASSED,), _OF_RUNNING),
)


def state_of(swap: Record, steps: Mapping[str, Record]) -> str:
    """What became of a config: its own swap's status, or how far its model came."""
    if swap["status"] != SWAPPED:
        return swap["status"]
    step = steps[swap["model"]]
    if not step["reason"]:
        return PASSED
    if step["original_reason"] and _REACH[step["original_reached"]] <= _REACH[step["reached"]]:
        return SAME_AS_ORIGINAL if step["reached"] else NEITHER_BUILT
    return ONLY_BUILT if step["reached"] else ONLY_SWAPPED


def write_report(
    swaps: Sequence[Record], steps: Mapping[str, Record], arch: str, target: Path
) -> None:
    """Write the page.

    Args:
        swaps: A record a config.
        steps: A record a model, by the name that the configs' records call it.
        arch: Architecture of the new backbone.
        target: The Markdown file.
    """
    states = {swap["config"]: state_of(swap, steps) for swap in swaps}
    parts = [
        _introduction(swaps, arch),
        _totals(states),
        _not_passed(swaps, steps, states),
        _refused(swaps),
        _consequences(swaps),
        _folders(states),
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _introduction(swaps: Sequence[Record], arch: str) -> str:
    models = {swap["model"] for swap in swaps if swap["status"] == SWAPPED}
    return f"""# What swapping the backbone does to every config of the installed zoos

Written by `mmfastervit coverage`, with {arch}. Each config was swapped, written, read back, and
audited: both models were built and run, and every head that was seen to make something of a map
must do so of maps of the strides as before. What only a dilated network can cause, a coarser map,
is stated to the user and counted below.

Then each model was built and taken through one training step (with the config's optimizer; every
parameter of the backbone must get a gradient) and one inference step, on generated images and a
CPU. Configs that differ in schedule, optimizer, data, number of classes or test settings have the
same swapped model, and share the steps of the first of them:
{len(swaps)} configs, {len(models)} models. Of trackers, the detector inside is run. To be
quick, points that a loss samples and queries that two-stage detectors choose are fewer than
configured, and batch augmentation is left out. Where a step failed, the original model was tried in
the same way."""


def _totals(states: Mapping[str, str]) -> str:
    counts: dict[str, Counter] = defaultdict(Counter)
    for config, state in sorted(states.items()):
        counts[config.partition("::")[0]][state] += 1
    counts["all"] = sum(counts.values(), Counter())
    rows = [
        [name, *(_share(count, counted, whole) for count in counts.values())]
        for name, counted, whole in _TOTALS
    ]
    return "## Totals\n\n" + _table(["", *counts], rows)


def _share(count: Counter, counted: Sequence[str], whole: Sequence[str]) -> str:
    part, of = (sum(count[state] for state in states) for states in (counted, whole))
    return f"{part} ({100 * part / of:.1f}%)" if of else str(part)


def _not_passed(
    swaps: Sequence[Record], steps: Mapping[str, Record], states: Mapping[str, str]
) -> str:
    groups = defaultdict(list)
    for swap in swaps:
        state = states[swap["config"]]
        if state not in (PASSED, REFUSED):
            step = steps.get(swap.get("model", ""), {})
            reason = swap.get("reason") or step["reason"]
            groups[state, reason, step.get("original_reason")].append(swap["config"])
    rows = [
        [_names(configs), state, _code(reason), _code(original) if original else ""]
        for (state, reason, original), configs in sorted(groups.items(), key=lambda x: x[0][0])
    ]
    header = ["configs", "state", "what failed", "the original model, tried alike"]
    return "## Not passed\n\n" + (_table(header, rows) if rows else "None.")


def _refused(swaps: Sequence[Record]) -> str:
    groups = defaultdict(list)
    for swap in swaps:
        if swap["status"] == REFUSED:
            groups[swap["reason"], swap["nearest"]].append(swap["config"])
    rows = [
        [str(len(configs)), reason, _code(nearest) if nearest else "", _names(configs)]
        for (reason, nearest), configs in sorted(groups.items(), key=lambda x: -len(x[1]))
    ]
    return "## Refused\n\n" + _table(["number", "reason", "nearest that can", "configs"], rows)


def _consequences(swaps: Sequence[Record]) -> str:
    notes = Counter(note for swap in swaps for note in swap.get("notes", ()))
    rows = [[str(number), note] for note, number in notes.most_common()]
    return "## Stated consequences of those swapped\n\n" + _table(["number", "what is said"], rows)


def _folders(states: Mapping[str, str]) -> str:
    counts: dict[str, Counter] = defaultdict(Counter)
    for config, state in sorted(states.items()):
        counts[config.rpartition("/")[0]][state] += 1
    columns = (*_TO_SWAP, REFUSED, UNREADABLE)
    rows = [
        [folder, *(str(count[state] or "") for state in columns)]
        for folder, count in counts.items()
    ]
    return "## By folder\n\n" + _table(["folder", *columns], rows)


def _names(configs: Sequence[str], shown: int = 3) -> str:
    rest = len(configs) - shown
    return ", ".join(f"`{name}`" for name in configs[:shown]) + (
        f" and {rest} more" if rest > 0 else ""
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row).replace("\n", " ") + " |" for row in rows])
