"""Walking, rebuilding and looking up in a config's tree."""

import pytest
from mmengine.config import ConfigDict

from mmfastervit.config.tree import ABSENT, dict_at, dotted, plain, rebuild, value_at, walk

TREE = dict(a=[dict(b=1), 2], c=dict(d=dict(e=None), f=(3,)))


def test_walking_yields_a_holder_before_what_it_holds():
    places = [dotted(path) for path, _ in walk(TREE)]
    assert places == ["", "a", "a.0", "a.0.b", "a.1", "c", "c.d", "c.d.e", "c.f", "c.f.0"]
    assert dict(walk(TREE))[("c", "f", 0)] == 3


def test_walking_leaves_out_what_is_below_a_skipped_key():
    assert [path for path, _ in walk(TREE, ("top",), skip=("a", "d"))] == [
        ("top",),
        ("top", "c"),
        ("top", "c", "f"),
        ("top", "c", "f", 0),
    ]


def test_rebuilding_changes_the_inner_dicts_first_and_keeps_the_original():
    def count(node):
        return {**node, "size": sum(isinstance(value, dict) for value in node.values())}

    built = rebuild(TREE, count)
    assert built["c"]["size"] == 1
    assert built["c"]["d"]["size"] == 0
    assert built["c"]["f"] == (3,)
    assert "size" not in TREE["c"]


def test_plain_has_pythons_own_types_and_no_scope_marks():
    found = plain(ConfigDict(a=dict(_scope_="mmdet", b=[dict(c=1)])))
    assert found == dict(a=dict(b=[dict(c=1)]))
    assert type(found["a"]) is dict


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), TREE),
        (("a", 0, "b"), 1),
        (("a", 5), ABSENT),
        (("c", "d", "e"), None),
        (("c", "d", "e", "x"), ABSENT),
        (("x",), ABSENT),
    ],
)
def test_looking_up_a_place(path, value):
    assert value_at(TREE, path) == value
    assert dict_at(TREE, path) == (value if isinstance(value, dict) else {})
