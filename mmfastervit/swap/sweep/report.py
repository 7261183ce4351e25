"""The results of a sweep over the zoos, as a page that a person reads."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .running import FAILED, ORIGINAL_FAILS, REFUSED, SWAPPED, UNREADABLE

Record = Mapping[str, Any]
# How far a config came, from the last; the first four are of swapped ones.
PASSED, ONLY_BUILT, ONLY_SWAPPED, SAME_AS_ORIGINAL = "passed", "built", "swapped", "as original"
_STATES = (PASSED, SAME_AS_ORIGINAL, ONLY_BUILT, ONLY_SWAPPED, FAILED, ORIGINAL_FAILS)
_BUILT, _BUILT_OF_RUNNING = "any, built", "original passes, built"  # counted beside the states
_REACH = {None: 0, "built": 1, "trained": 2, "predicted": 3}


def state_of(swap: Record, steps: Mapping[str, Record]) -> str:
    """What became of a config: its own swap's status, or how far its model came."""
    if swap["status"] != SWAPPED:
        return swap["status"]
    step = steps[swap["model"]]
    if not step["reason"]:
        return PASSED
    if step["original_reason"] and _REACH[step["original_reached"]] <= _REACH[step["reached"]]:
        return SAME_AS_ORIGINAL
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
    parts = [
        _introduction(swaps, steps, arch),
        _totals(swaps, steps),
        _not_passed(swaps, steps),
        _refused(swaps),
        _consequences(swaps),
        _folders(swaps, steps),
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _introduction(swaps: Sequence[Record], steps: Mapping[str, Record], arch: str) -> str:
    return f"""# What swapping the backbone does to every config of the installed zoos

Written by `mmfastervit coverage`, with {arch}. Each config was swapped, written, read back, and
audited: both models were built and run, and every head that was seen to make something of a map
must do so of maps of the strides as before. What only a dilated network can cause, a coarser map,
is stated to the user and counted below.

Then each model was built and taken through one training step (with the config's optimizer; every
parameter of the backbone must get a gradient) and one inference step, on generated images and a
CPU. Configs that differ in schedule, optimizer, data, number of classes or test settings have the
same swapped model, and share the steps of the first of them:
{len(swaps)} configs, {len(_used(swaps))} models. Of trackers, the detector inside is run. To be
quick, points that a loss samples and queries that two-stage detectors choose are fewer than
configured, and batch augmentation is left out. Where a step failed, the original model was tried in
the same way."""


def _used(swaps: Sequence[Record]) -> set[str]:
    return {swap["model"] for swap in swaps if swap["status"] == SWAPPED}


def _totals(swaps: Sequence[Record], steps: Mapping[str, Record]) -> str:
    packages = sorted({swap["config"].partition("::")[0] for swap in swaps})
    counts: dict[str, Counter] = {package: Counter() for package in (*packages, "all")}
    for swap in swaps:
        for key in (swap["config"].partition("::")[0], "all"):
            counts[key][state_of(swap, steps)] += 1
            counts[key][_BUILT] += _is_built(swap, steps)
            counts[key][_BUILT_OF_RUNNING] += (
                _is_built(swap, steps) and state_of(swap, steps) != SAME_AS_ORIGINAL
            )
    rows = {
        "configs": lambda count: sum(count[state] for state in (*_STATES, REFUSED, UNREADABLE)),
        "not readable by mmengine": lambda count: count[UNREADABLE],
        "refused, with the reason": lambda count: count[REFUSED],
        "**left to swap**": _to_swap,
        "swapped, but the original model fails in the same steps on this machine": lambda count: (
            count[SAME_AS_ORIGINAL] + count[ORIGINAL_FAILS]
        ),
        "swapped, built, one training and one inference step passed": lambda c: c[PASSED],
        "swapped and built, a step failed": lambda count: count[ONLY_BUILT],
        "swapped, not built": lambda count: count[ONLY_SWAPPED],
        "not swapped: failed": lambda count: count[FAILED],
        "**built, of those left to swap**": lambda count: _share(count[_BUILT], _to_swap(count)),
        "**passed both steps, of those left to swap**": lambda count: _share(
            count[PASSED], _to_swap(count)
        ),
        "**built, of those whose original passes here**": lambda count: _share(
            count[_BUILT_OF_RUNNING], _running(count)
        ),
        "**passed both steps, of those whose original passes here**": lambda count: _share(
            count[PASSED], _running(count)
        ),
    }
    body = [[name, *(str(of(counts[key])) for key in counts)] for name, of in rows.items()]
    return "## Totals\n\n" + _table(["", *counts], body)


def _is_built(swap: Record, steps: Mapping[str, Record]) -> bool:
    """Whether the swapped model was built, whatever became of the steps after it."""
    return swap["status"] == SWAPPED and steps[swap["model"]]["reached"] is not None


def _to_swap(count: Counter) -> int:
    return sum(count[state] for state in _STATES)


def _running(count: Counter) -> int:
    """Those left to swap but for the ones whose original fails as well."""
    return _to_swap(count) - count[SAME_AS_ORIGINAL] - count[ORIGINAL_FAILS]


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f}%)" if whole else "-"


def _not_passed(swaps: Sequence[Record], steps: Mapping[str, Record]) -> str:
    groups = defaultdict(list)
    for swap in swaps:
        state = state_of(swap, steps)
        if state in (PASSED, REFUSED):
            continue
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


def _folders(swaps: Sequence[Record], steps: Mapping[str, Record]) -> str:
    counts: dict[str, Counter] = defaultdict(Counter)
    for swap in swaps:
        counts[swap["config"].rsplit("/", 1)[0]][state_of(swap, steps)] += 1
    header = ["folder", *_STATES, REFUSED, UNREADABLE]
    rows = [
        [folder, *(str(count[state] or "") for state in header[1:])]
        for folder, count in sorted(counts.items())
    ]
    return "## By folder\n\n" + _table(header, rows)


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
