"""The packages that are installed here, broken in the ways that they break elsewhere.

A folder that comes first on the path has the real package's files but for the one that is broken.
"""

import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from mmfastervit.diagnosis import builds, gather, helpers, operators

NEEDS_ANOTHER_TORCH = """
void a_function_of_another_torch(void);
void *PyInit__ext(void) { a_function_of_another_torch(); return 0; }
"""


@pytest.fixture
def first(tmp_path, monkeypatch) -> Path:
    """A folder that comes first on the path of what is tried."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def without(folder: Path, package: str, pattern: str) -> Path:
    """Lay a package into a folder without one file."""
    real = Path(find_spec(package).origin).parent
    own = folder / package
    own.mkdir()
    for part in real.iterdir():
        if not part.match(pattern):
            (own / part.name).symlink_to(part)
    for copied in ("__init__.py", "extension.py"):  # they find their folder by their own place
        if (own / copied).exists():
            (own / copied).unlink()
            shutil.copy(real / copied, own / copied)
    return own


@pytest.mark.slow
def test_this_environment_has_what_doctor_asks_of_it():
    environment = gather()
    assert {module: tried.error for module, tried in environment.tried.items() if tried.error} == {}
    assert environment.facts("torch")["version"].startswith(version("torch").partition("+")[0])
    assert environment.facts("torch")["numpy_error"] is None
    assert environment.facts("mmcv.ops")["cpu_error"] is None
    assert environment.facts("mmengine")["finds_packages_error"] is None


@pytest.mark.slow
def test_operators_that_are_missing(first):
    without(first, "mmcv", "_ext.*")
    found = operators.not_loading(gather(("mmcv.ops",)))
    assert "without its operators (mmcv._ext)" in found.told


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler, as mmcv does")
def test_operators_that_were_built_for_another_torch(first):
    own = without(first, "mmcv", "_ext.*")
    source = first / "ext.c"
    source.write_text(NEEDS_ANOTHER_TORCH)
    command = ["cc", "-shared", "-fPIC", str(source), "-o", str(own / "_ext.so")]
    subprocess.run(command, check=True)
    found = operators.not_loading(gather(("mmcv.ops",)))
    assert f"built for another torch than {version('torch')}" in found.told
    assert "undefined symbol: a_function_of_another_torch" in found.told
    assert f"--no-cache-dir mmcv=={version('mmcv')}" in found.mend


@pytest.mark.slow
def test_a_torchvision_whose_operators_torch_does_not_find(first):
    without(first, "torchvision", "_C*.so")
    found = builds.torchvision_broken(gather(("torch", "torchvision")))
    assert "torchvision::nms does not exist" in found.told
    assert f"torchvision=={version('torchvision')}" in found.mend


@pytest.mark.slow
def test_mmengine_without_pkg_resources(first):
    gone = "raise ModuleNotFoundError(\"No module named 'pkg_resources'\", name='pkg_resources')"
    (first / "pkg_resources.py").write_text(gone)
    found = helpers.pkg_resources_gone(gather(("mmengine",)))
    assert "mmengine needs pkg_resources" in found.told
    assert "'setuptools<81'" in found.mend


@pytest.mark.slow
def test_mmseg_without_ftfy(first):
    (first / "ftfy.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'ftfy'\", name='ftfy')"
    )
    environment = gather(("ftfy", "regex", "mmseg.apis"))
    assert environment.tried["mmseg.apis"].missing == "ftfy"
    assert "mmseg needs ftfy" in helpers.mmseg_lacks(environment).told
