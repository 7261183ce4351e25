"""Every known fault of data is told, what is odd is a remark, and what is fine stays silent."""

import pytest
from support.faulty_data import CASES, Case
from support.harmless_data import FINE, REMARKS
from support.small_data import MAKERS

from mmfastervit.inspection import Report, look_at

STAGES = {"train": ("train", "val"), "test": ("test",)}
IN_STAGES = [
    pytest.param(case, stage, id=f"{case.task}-{stage}-{case.name}")
    for case in CASES
    for stage in case.stages
]


def name(case: Case) -> str:
    return f"{case.task}-{case.name}"


def look(case: Case, stage: str, folder) -> Report:
    data = MAKERS[case.task](folder)
    case.damage(data)
    return look_at(data.config(), STAGES[stage])


def test_there_are_many_cases_and_none_stands_there_twice():
    assert len(IN_STAGES) >= 130
    assert len({name(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize(("case", "stage"), IN_STAGES)
def test_a_fault_is_told_by_file_and_field(case, stage, tmp_path):
    report = look(case, stage, tmp_path)
    told = report.told_faults()
    for part in case.says:
        assert part in told
    assert len(report.faults) == case.faults, told
    assert all(fault.remedy for fault in report.faults)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("case", REMARKS, ids=name)
def test_what_trains_right_is_a_line_of_the_summary(case, stage, tmp_path):
    report = look(case, stage, tmp_path)
    assert not report.faults, report.told_faults()
    for part in case.says:
        assert part in report.told()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("case", FINE, ids=name)
def test_what_is_fine_stays_silent(case, stage, tmp_path):
    assert look(case, stage, tmp_path).findings == []


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("task", MAKERS)
def test_the_data_that_are_damaged_are_fine_before(task, stage, tmp_path):
    assert look_at(MAKERS[task](tmp_path).config(), STAGES[stage]).findings == []
