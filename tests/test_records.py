"""Records of long work stay readable whenever it is killed."""

from mmfastervit.records import add_record, appended, read_records


def test_the_last_record_of_a_name_counts(tmp_path):
    file = tmp_path / "new" / "x.jsonl"
    assert read_records(file, "name") == {}
    with appended(file) as out:
        add_record(out, dict(name="a", value=1))
        assert read_records(file, "name")["a"]["value"] == 1  # at once
    with appended(file) as out:
        add_record(out, dict(name="b", value=2))
        add_record(out, dict(name="a", value=3))
    found = read_records(file, "name")
    assert {name: record["value"] for name, record in found.items()} == {"a": 3, "b": 2}


def test_a_line_that_is_cut_off_is_no_record_and_spoils_none(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"name": "a"}\n{"name": "b", "val')
    assert set(read_records(file, "name")) == {"a"}
    with appended(file) as out:
        add_record(out, dict(name="c"))
    assert file.read_text() == '{"name": "a"}\n{"name": "c"}\n'
