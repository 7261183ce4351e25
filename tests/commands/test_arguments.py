"""Reading the values of a command line."""

import pytest

from mmfastervit.commands.arguments import CommandParser, add_config_options
from mmfastervit.commands.config_options import read_value


@pytest.fixture
def parser():
    parser = CommandParser("tool", None)
    add_config_options(parser)
    return parser


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("None", None),
        ("name", "name"),
        ("[1,2]", [1, 2]),
        ("(1,2)", (1, 2)),
        ("1,2", [1, 2]),
        ("dict(b=1,c=2)", dict(b=1, c=2)),
        ("dict(b=dict(c=[1, dict()]), d='x')", dict(b=dict(c=[1, {}]), d="x")),
        ("[dict(type='A'),dict(type='B')]", [dict(type="A"), dict(type="B")]),
        ("{'a': 1}", dict(a=1)),
    ],
)
def test_a_value_is_read(parser, text, value):
    assert read_value(text) == value
    assert parser.parse_args(["--cfg-options", f"x={text}"]).cfg_options == dict(x=value)


def test_a_value_may_hold_an_equals_sign(parser):
    options = parser.parse_args(["--cfg-options", "a.b=k=v", "c=2"]).cfg_options
    assert options == {"a.b": "k=v", "c": 2}


@pytest.mark.parametrize(
    "word",
    ["no_value", "=3", "a=[1,(2]", "a=dict(1)", "a=dict(b=", "a=dict(b=open('x'))", "a=dict(b=c)"],
)
def test_what_cannot_be_read_is_a_usage_error(parser, word, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--cfg-options", word])
    assert f"takes KEY=VALUE pairs, got {word!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["config", "checkpoint", "--out", "x", "--loud"],
        ["config", "--out", "x", "checkpoint", "--loud"],
        ["--loud", "config", "--out", "x", "checkpoint"],
    ],
)
def test_an_argument_that_may_be_left_out_may_stand_behind_options(words):
    parser = CommandParser("tool", None)
    parser.add_argument("config")
    parser.add_argument("checkpoint", nargs="?")
    parser.add_argument("--out", required=True)
    parser.add_argument("--loud", action="store_true")
    found = parser.parse_args(words)
    assert vars(found) == dict(config="config", checkpoint="checkpoint", out="x", loud=True)
    words.remove("checkpoint")
    assert parser.parse_args(words).checkpoint is None
