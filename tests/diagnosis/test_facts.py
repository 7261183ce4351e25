"""What no test can make of a machine: diagnoses of facts that are written down."""

from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path

import pytest

from mmfastervit.diagnosis import SUBJECTS, Environment, Finding, Folder, Package, Tried, verdicts
from mmfastervit.diagnosis.builds import OLDEST, PYTHON, python_outside
from mmfastervit.diagnosis.environment import STANDS_ON, release
from mmfastervit.diagnosis.gpu import runs_on
from mmfastervit.diagnosis.machine import GB, disk_full
from mmfastervit.diagnosis.openmmlab import RANGES, TESTED_MMCV, not_for_this_python, within
from mmfastervit.diagnosis.operators import rebuild

ROOT = Path(__file__).resolve().parents[2]
EMPTY = Environment(python=(3, 11, 7), interpreter="python", packages={}, tried={})


def of_openmmlab(environment: Environment) -> tuple[Finding, ...]:
    return {one.subject: one for one in verdicts(environment)}["OpenMMLab"].findings


def setup() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_the_ranges_are_those_that_the_package_declares():
    extras = setup()["options.extras_require"]
    declared = {
        name: line[len(name) :]
        for line in f"{extras['openmmlab']}\n{extras['onedl']}".split()
        if (name := line.partition(">")[0]) != line
    }
    assert declared == RANGES
    required = setup()["options"]["install_requires"].split()
    assert {f"{name}>={oldest}" for name, oldest in OLDEST.items()} <= set(required)
    assert setup()["options"]["python_requires"] == ">=" + ".".join(map(str, PYTHON[0]))


@pytest.mark.parametrize(
    ("python", "fault"), [((3, 9, 18), True), ((3, 14, 0), False), ((4, 0, 0), False)]
)
def test_a_python_outside_what_was_tried(python, fault):
    found = python_outside(replace(EMPTY, python=python))
    assert found.fault is fault
    assert "3.10 to 3.13" in found.told


@pytest.mark.parametrize("python", [(3, 10, 0), (3, 13, 9)])
def test_a_python_that_was_tried(python):
    assert python_outside(replace(EMPTY, python=python)) is None


@pytest.mark.parametrize(("free", "state"), [(0.5, True), (5, False), (50, None)])
def test_a_disk_that_is_full(free, state):
    roomy = Folder("/data", "downloaded weights", 900 * GB)
    small = Folder("/somewhere", "this folder, for work_dirs", int(free * GB))
    found = disk_full(replace(EMPTY, folders=(roomy, small)))
    assert (found.fault if found else None) is state
    if found:
        assert f"{free:.1f} GB are free at /somewhere" in found.told


@pytest.mark.parametrize(
    ("capability", "built_for", "runs"),
    [
        ((9, 0), ["sm_80", "sm_90"], True),
        ((8, 9), ["sm_80", "sm_90"], True),  # within a major version
        ((8, 0), ["sm_86"], False),
        ((12, 0), ["sm_90", "sm_100"], False),
        ((12, 0), ["sm_90", "compute_90"], True),  # compiled where it runs
        ((12, 1), ["sm_120a"], True),
        ((7, 0), ["sm_75", "compute_90"], False),
        ((9, 4), ["gfx942"], True),  # ROCm names its GPUs otherwise
    ],
)
def test_which_gpus_a_build_runs_on(capability, built_for, runs):
    assert runs_on(capability, built_for) is runs


@pytest.mark.parametrize(
    ("version", "wanted", "inside"),
    [
        ("2.1.0", ">=2.0.1,<2.2", True),
        ("2.2.0", ">=2.0.1,<2.2", False),
        ("2.0.0rc4", ">=2.0.1,<2.2", False),
        ("0.10.7+local", ">=0.10.7,<0.11", True),
        ("3", ">=1.2", True),
    ],
)
def test_versions_in_ranges(version, wanted, inside):
    assert within(version, wanted) is inside


def test_the_mmcv_that_is_advised_is_the_tested_one():
    pins = (ROOT / "requirements/openmmlab.txt").read_text().splitlines()
    assert f"mmcv=={TESTED_MMCV}" in pins


@pytest.mark.parametrize(("there", "advised"), [("2.2.0", TESTED_MMCV), ("2.0.1", "2.0.1")])
def test_mmcv_is_built_again_at_a_version_that_goes_with_the_others(there, advised):
    environment = replace(EMPTY, packages={"mmcv": (Package(there, "/site"),)})
    assert rebuild(environment).endswith(f" mmcv=={advised}")


def test_a_fork_is_built_again_as_a_fork():
    environment = replace(EMPTY, packages={"onedl-mmcv": (Package("2.0.0", "/site"),)})
    assert rebuild(environment).endswith(" 'onedl-mmcv>=2.3.6'")


def test_mmcv_is_not_advised_where_it_cannot_be_built():
    there = {"mmengine": (Package("0.10.7", "/"),), "mmcv-lite": (Package("2.1.0", "/"),)}
    for packages, removed in [({}, ""), (there, "uninstall -y mmengine mmcv-lite && ")]:
        (found,) = of_openmmlab(replace(EMPTY, python=(3, 13, 0), packages=packages))
        assert "mmcv 2.1.0 cannot be built on Python 3.13" in found.told
        assert removed in found.mend
        assert "onedl-mmcv" in found.mend
        assert f"mmcv=={TESTED_MMCV}" not in found.mend
        assert rebuild(replace(EMPTY, python=(3, 13, 0), packages=packages)) == found.mend
        assert not_for_this_python(replace(EMPTY, packages=packages)) is None


@pytest.mark.parametrize("name", ["mmcv", "onedl-mmcv"])
def test_an_mmcv_that_was_built_there_all_the_same(name):
    packages = {name: (Package("2.1.0", "/site"),)}
    assert not_for_this_python(replace(EMPTY, python=(3, 13, 0), packages=packages)) is None


def test_numbers_of_a_version():
    assert release("2.12.0+cu130") == (2, 12, 0)
    assert release("unknown") == ()


def test_two_records_of_one_package_in_one_folder_are_two_packages():
    """Half of an upgrade that was interrupted."""
    packages = {"mmcv": (Package("2.1.0", "/site"), Package("2.0.1", "/site"))}
    found = of_openmmlab(replace(EMPTY, packages=packages))
    assert "mmcv 2.1.0 and mmcv 2.0.1" in found[0].told


def test_one_package_in_two_folders_is_a_venv_over_another():
    packages = {"mmcv": (Package("2.1.0", "/venv"), Package("2.0.1", "/usr"))}
    assert "both the module" not in str(of_openmmlab(replace(EMPTY, packages=packages)))


def test_every_module_that_breaks_makes_a_fault():
    """Of what is tried, none may fail unnoticed; mmpretrain is there for those who want it."""
    working = {module: Tried(facts=FACTS.get(module, {})) for module in STANDS_ON}
    packages = {name: (Package(number, "/site"),) for name, number in PACKAGES.items()}
    healthy = replace(EMPTY, tried=working, packages=packages)
    assert {verdict.state for verdict in verdicts(healthy)} == {"ok"}
    for module in STANDS_ON:
        broken = replace(healthy, tried=working | {module: Tried("ImportError: broken")})
        assert "fault" in {verdict.state for verdict in verdicts(broken)}, module


def test_a_line_for_each_subject():
    assert [verdict.subject for verdict in verdicts(EMPTY)] == [one.name for one in SUBJECTS]


FACTS = {
    "torch": dict(
        version="2.12.0", cuda=None, numpy_error=None, gpus=[], capabilities=[], built_for=[]
    ),
    "torchvision": dict(cuda=False),
    "mmengine": dict(finds_packages_error=None),
    "mmcv.ops": dict(cuda="not available", cpu_error=None, gpu_error=None),
}
PACKAGES = {
    "torch": "2.12.0",
    "torchvision": "0.27.0",
    "timm": "1.0.31",
    "mmengine": "0.10.7",
    "mmcv": "2.1.0",
    "mmdet": "3.3.0",
    "mmsegmentation": "1.2.2",
    "mmpretrain": "1.2.0",
}
