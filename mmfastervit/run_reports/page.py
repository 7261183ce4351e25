"""The pieces of a report: one HTML file that opens by itself, without network or scripts."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from .confusion import most_confused

NARROW_SPACE = "\u202f"
MOST_CLASSES = 40  # rows of a matrix; of more classes those that are confused most
_QUALITY = 82  # of JPEG

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1f2328; --soft: #59636e; --line: #d6d9dd;
  --card: #f6f7f8; --right: 0, 114, 178; --wrong: 213, 94, 0; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --ink: #e6e8eb; --soft: #a3abb5;
  --line: #3a3f46; --card: #1f2227; --right: 86, 180, 233; --wrong: 230, 120, 40; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 84rem; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .3rem 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { max-width: 46rem; margin: .4rem 0; }
.soft, figcaption, caption { color: var(--soft); }
code { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; max-width: 100%; margin: .5rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
th:first-child, td.words { text-align: left; }
tbody th { position: sticky; left: 0; background: var(--ground); }
tr.sum th, tr.sum td { border-top: 2px solid var(--line); font-weight: 600; }
td.words { overflow-wrap: anywhere; }
td.left { text-align: left; }
dl { max-width: 46rem; margin: .5rem 0; display: grid; grid-template-columns: max-content 1fr;
  gap: .15rem .8rem; }
dt { font-weight: 600; }
dd { margin: 0; min-width: 0; }
td.bar { min-width: 7rem; text-align: left; }
td.bar span { display: block; height: .8rem; border-radius: 2px; }
.right { background: rgb(var(--right)); }
.wrong { background: rgb(var(--wrong)); }
.matrix td { text-align: center; min-width: 3.2rem; border: 1px solid var(--line); }
.matrix small { display: block; color: inherit; font-size: .72rem; }
.matrix thead th { vertical-align: bottom; text-align: center; }
.matrix.many thead th:not(:first-child) { writing-mode: vertical-rl; transform: rotate(180deg);
  text-align: left; padding: .6rem .2rem; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: .5rem 0; }
.key span { white-space: nowrap; }
.key i { display: inline-block; width: .9rem; height: .9rem; margin-right: .35rem;
  vertical-align: -.1rem; border: 1px solid var(--soft); border-radius: 2px; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .8rem; margin: 1rem 0; }
article h3 { margin-top: 0; }
.pair { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
figure { margin: 0; min-width: 0; }
figure img { max-width: 100%; height: auto; display: block; }
@media print { article, tr { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Row:
    """A row of a table: its heading, its cells, and whether it is the sum of those above."""

    heading: str
    cells: Sequence[str]
    is_sum: bool = False


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """The title of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, soft: bool = False) -> str:
    """A paragraph of plain words."""
    return f"<p{' class=soft' if soft else ''}>{escape(text)}</p>"


def table(columns: Sequence[str], rows: Iterable[Row], caption: str = "") -> str:
    """A table, the first of whose columns has the headings of the rows; cells are HTML."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join(
        f"<tr{' class=sum' if row.is_sum else ''}>"
        f'<th scope="row">{escape(row.heading)}</th>{"".join(row.cells)}</tr>'
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def cell(text: str | int) -> str:
    """A cell with a number; whole ones in groups of three digits."""
    return f"<td>{escape(text if isinstance(text, str) else grouped(text))}</td>"


def grouped(count: int) -> str:
    """A whole number in groups of three digits that no line break parts."""
    return f"{count:,}".replace(",", NARROW_SPACE)


def words(text: str) -> str:
    """A cell with a sentence."""
    return f'<td class="words">{escape(text)}</td>'


def name(text: str) -> str:
    """A cell with a name."""
    return f'<td class="left">{escape(text)}</td>'


def bar(share: float, good: bool = False) -> str:
    """A cell with a bar, of a share of its width, in the colour of what is right or wrong."""
    colour = "right" if good else "wrong"
    width = 100 * min(max(share, 0), 1)
    return f'<td class="bar"><span class="{colour}" style="width:{width:.1f}%"></span></td>'


def meanings(terms: Iterable[tuple[str, str]]) -> str:
    """A list of words and what they mean."""
    entries = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in terms)
    return f"<dl>{entries}</dl>"


def number(value: float, digits: int = 3) -> str:
    """A number as it is shown; a dash for one that there is not."""
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def key(items: Iterable[tuple[str, str]]) -> str:
    """What the colours mean, as words and CSS colours."""
    return '<div class="key">' + "".join(
        f'<span><i style="background:{colour}"></i>{escape(text)}</span>' for text, colour in items
    ) + "</div>"  # fmt: skip


def figure(image: Image.Image, caption: str) -> str:
    """A picture inside the file."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure><img alt="{escape(caption)}" width="{image.width}" height="{image.height}" '
        f'src="data:image/jpeg;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def article(title: str, text: str, figures: Iterable[str]) -> str:
    """A picture of the report with its title and its figures beside each other."""
    return (
        f'<article><h3>{escape(title)}</h3><p class="soft">{escape(text)}</p>'
        f'<div class="pair">{"".join(figures)}</div></article>'
    )


def matrix_table(matrix: np.ndarray, names: Sequence[str], ends: Sequence[str] = ()) -> str:
    """A confusion matrix: in each cell the share of its row, and the count.

    Args:
        matrix: Counts, labelled class by predicted class; with ``ends``, both have one more.
        names: Of the classes.
        ends: Names of the last row and the last column, where the matrix has them.
    """
    matrix, names, left_out = _most_confused_part(matrix, names, bool(ends))
    rows, columns = [*names, *ends[:1]], [*names, *ends[1:]]
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = []
    for row, (title, counts) in enumerate(zip(rows, matrix, strict=True)):
        whole = counts.sum()
        cells = "".join(
            _matrix_cell(int(count), count / whole if whole else 0.0, row == place)
            if not (ends and row == place == len(names))
            else "<td></td>"
            for place, count in enumerate(counts)
        )
        body.append(f'<tr><th scope="row">{escape(title)}</th>{cells}{cell(int(whole))}</tr>')
    many = " many" if len(columns) > 8 else ""
    note = paragraph(
        f"The {MOST_CLASSES} classes that are confused most; the other {left_out} are all others."
    ) if left_out else ""  # fmt: skip
    return (
        f'{note}<div class="scroll" tabindex="0"><table class="matrix{many}"><thead><tr>'
        f'<th scope="col">labelled ↓ predicted →</th>{head}<th scope="col">all</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _matrix_cell(count: int, share: float, right: bool) -> str:
    if not count:
        return "<td>0</td>"
    colour = "right" if right else "wrong"
    return (
        f'<td style="background:rgba(var(--{colour}),{0.08 + 0.47 * share:.3f})">'
        f"{100 * share:.1f}%<small>{grouped(count)}</small></td>"
    )


def _most_confused_part(
    matrix: np.ndarray, names: Sequence[str], has_ends: bool
) -> tuple[np.ndarray, list[str], int]:
    """The matrix of the classes with most errors, all others summed; and how many those are."""
    classes = len(names)
    if classes <= MOST_CLASSES:
        return matrix, list(names), 0
    wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    kept = np.sort(np.argsort(-wrong[:classes], kind="stable")[:MOST_CLASSES])
    group = np.full(len(matrix), MOST_CLASSES)
    group[kept] = np.arange(MOST_CLASSES)
    if has_ends:
        group[classes] = MOST_CLASSES + 1
    small = np.zeros((group.max() + 1,) * 2, dtype=matrix.dtype)
    np.add.at(small, (group[:, None], group[None]), matrix)
    return small, [*(names[one] for one in kept), "all others"], classes - MOST_CLASSES


def pairs_table(matrix: np.ndarray, names: Sequence[str], what: str) -> str:
    """The classes that are taken for each other most."""
    rows = [
        Row(names[row], [name(names[column]), cell(count), cell(f"{share:.1%}")])
        for row, column, count, share in most_confused(matrix, len(names))
    ]
    if not rows:
        return paragraph("No class was taken for another.")
    columns = ("labelled", "taken for", what, "share of the labelled")
    return table(columns, rows, "The pairs of classes that are confused most")
