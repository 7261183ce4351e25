"""The commands of the pages are read by the real parsers."""

import re

import pytest
from support.pages import ROOT, WRITTEN, code_spans, command_lines, title

from mmfastervit.commands import build_parser, summaries

SHIM = re.compile(r'main\("([\w-]+)"\)')
BEFORE = re.compile(r"[A-Z_]+=|python$|-m$|torchrun$|--n|\d+$")  # what may stand before a command
OF_OTHERS = {"--no-cache-dir", "--nproc-per-node", "--resume"}  # pip's, torchrun's, mmdet's


def arguments_of(words: list[str]) -> tuple[str, list[str]] | None:
    """The command of ours in a command line, and its arguments; None if there is none."""
    for start, word in enumerate(words):
        rest = words[start + 1 :]
        if word == "mmfastervit" and rest and re.fullmatch(r"[a-z][\w-]*", rest[0]):
            return rest[0], rest[1:]
        if word.startswith("tools/") and word.endswith(".py") and (ROOT / word).is_file():
            shim = SHIM.search((ROOT / word).read_text())
            return (shim[1], rest) if shim else None
        if not BEFORE.match(word):
            return None
    return None


@pytest.mark.parametrize("page", WRITTEN, ids=title)
def test_commands_in_blocks_parse(page):
    for words in command_lines(page):
        ours = arguments_of(words)
        if ours is None:
            continue
        command, arguments = ours
        assert command in summaries(), words
        build_parser(command).parse_args(arguments)  # exits at what it does not know


@pytest.mark.parametrize("page", WRITTEN, ids=title)
def test_commands_and_options_in_sentences_exist(page):
    known = {command: build_parser(command).format_help() for command in summaries()}
    for span in code_spans(page):
        words = span.split()
        ours = arguments_of(words)
        helps = " ".join(known.values())
        if ours:
            assert ours[0] in known, span
            helps = known[ours[0]]
        for word in words:
            option = word.partition("=")[0]
            if option.startswith("--") and option not in OF_OTHERS and (ours or words[0] == word):
                assert re.search(rf"{option}\b", f"{helps} --version --help"), span


def test_the_pages_show_every_command():
    shown = {
        ours[0]
        for page in WRITTEN
        for words in command_lines(page)
        if (ours := arguments_of(words))
    }
    named = {
        span.split()[1]
        for page in WRITTEN
        for span in code_spans(page)
        if span.startswith("mmfastervit ")
    }
    assert set(summaries()) <= shown | named


def test_launchers_that_are_named_exist():
    for page in WRITTEN:
        for words in command_lines(page):
            if words[:1] == ["bash"]:
                assert (ROOT / words[1]).is_file()
