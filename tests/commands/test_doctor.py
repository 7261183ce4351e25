"""``mmfastervit doctor``, run over stand-ins of which one is broken at a time."""

import json
import shlex
import sys

import pytest
from support.stub_stack import ROOT, StubStack, bare_python

from mmfastervit.commands import build_parser

OLD_NUMPY = "raise ImportError('numpy.core.multiarray failed to import')"
H200 = ("NVIDIA H200", (9, 0))
SEGFAULT = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return bare_python(tmp_path_factory.mktemp("bare") / "venv")


@pytest.fixture
def stack(python, tmp_path) -> StubStack:
    return StubStack(python, tmp_path)


def part_of(text: str, subject: str) -> tuple[str, str]:
    """The state of a subject, and the lines below its own."""
    lines = text.splitlines()
    subjects = ["" if line[0] == " " else line[8:19].strip() for line in lines]
    start = subjects.index(subject)
    below = []
    for line in lines[start + 1 :]:
        if not line.startswith("        "):
            break
        below.append(line)
    return lines[start][:8].strip(), "\n".join(below)


def test_an_environment_that_works_is_told_in_a_line_for_each_subject(stack):
    done = stack.doctor()
    assert done.returncode == 0, done.stdout + done.stderr
    *subjects, outcome = done.stdout.splitlines()
    assert len(subjects) == 10
    assert {line[:8].strip() for line in subjects} == {"ok"}
    assert outcome == "This environment will work."
    assert done.stderr == ""


def _no_torch(stack):
    stack.remove("torch", "torch.py")


def _old_torch(stack):
    stack.distribution("torch", "2.4.1")
    stack.distribution("torchvision", "0.19.1", "torch==2.4.1")


def _broken_torch(stack):
    stack.write("torch.py", "raise OSError('libcudart.so.13: cannot open shared object file')")


def _crashing_opencv(stack):
    stack.write("cv2.py", SEGFAULT)


def _no_libgl(stack):
    stack.write("cv2.py", "raise ImportError('libGL.so.1: cannot open shared object file')")


def _two_opencv(stack):
    stack.distribution("opencv-python-headless", "4.12.0.88")


def _other_torchvision(stack):
    stack.distribution("torchvision", "0.26.0", "numpy", "torch==2.11.0")


def _torchvision_of_other_tag(stack):
    stack.distribution("torch", "2.12.0+cu130")
    stack.distribution("torchvision", "0.27.0+cpu", "torch==2.12.0")


def _torchvision_without_operators(stack):
    told = "operator torchvision::nms does not exist"
    stack.write("torchvision.py", f"raise RuntimeError({told!r})")


def _torchvision_without_cuda(stack):
    stack.torch(gpus=[H200])
    stack.operators(cuda="13.0")
    stack.write("torchvision.py", "class version: pass\nclass ops: nms = lambda *of: None")


def _no_timm(stack):
    stack.remove("timm", "timm.py")


def _old_numpy(stack):
    stack.write("cv2.py", OLD_NUMPY)


def _torch_of_old_numpy(stack):
    stack.torch(numpy="raise RuntimeError('Numpy is not available')")


def _two_mmcv(stack):
    stack.distribution("mmcv-lite", "2.1.0")


def _mmcv_of_both_families(stack):
    stack.distribution("onedl-mmcv", "2.3.6")


def _mixed_families(stack):
    stack.remove("mmcv")
    stack.distribution("onedl-mmcv", "2.3.6")


def _new_mmcv(stack):
    stack.distribution("mmcv", "2.2.0")


def _old_mmdet(stack):
    stack.distribution("mmdet", "2.28.2")


def _no_mmengine(stack):
    stack.remove("mmengine", "mmengine/__init__.py", "mmengine/utils.py")
    (stack.site / "mmengine").rmdir()


def _mmdet_lacks_a_package(stack):
    stack.write("mmdet/apis.py", "import sklearn")


def _mmseg_alone(stack):
    stack.remove("mmdet", "mmdet/__init__.py", "mmdet/apis.py")
    (stack.site / "mmdet").rmdir()


def _no_extension(stack):
    stack.write("mmcv/ops.py", "import mmcv._ext")


def _other_extension(stack):
    told = "_ext.so: undefined symbol: _ZN3c106detail14torchCheckFail"
    stack.write("mmcv/ops.py", f"raise ImportError({told!r})")


def _operators_without_cuda(stack):
    stack.torch(gpus=[H200])


def _operators_for_another_gpu(stack):
    stack.torch(gpus=[H200])
    stack.operators(cuda="13.0", does="raise RuntimeError('no kernel image is available')")


def _no_pkg_resources(stack):
    stack.distribution("setuptools", "82.0.0")
    (stack.site / "pkg_resources.py").unlink()


def _no_ftfy(stack):
    stack.remove("ftfy", "ftfy.py")
    stack.write("mmseg/apis.py", "import ftfy")


def _not_installed(stack):
    stack.remove("mmfastervit", "mmfastervit.py")


def _broken_mmfastervit(stack):
    stack.write("mmfastervit.py", "import safetensors")


def _torch_for_cpus(stack):
    stack.torch(version="2.12.0+cpu", cuda=None)
    stack.driver(cuda="13.0")


def _old_driver(stack):
    stack.driver(cuda="12.4")


def _unseen_gpu(stack):
    stack.driver()


def _new_gpu(stack):
    stack.torch(gpus=[("NVIDIA Next", (15, 0))])
    stack.operators(cuda="13.0")


def _old_gpu(stack):
    stack.torch(gpus=[("Tesla K80", (3, 7))])
    stack.operators(cuda="13.0")


def _hub_not_writable(stack):
    stack.env["TORCH_HOME"] = "/proc/torch"  # not even root can


# These stand-ins have operators for CPUs, which is a fault of its own where there is a GPU.
OF_TWO_SUBJECTS = (_torch_for_cpus, _old_driver, _unseen_gpu)


@pytest.mark.parametrize(
    ("provoke", "subject", "told", "mend"),
    [
        (_no_torch, "torch", "torch is not installed", "install torch torchvision"),
        (_old_torch, "torch", "torch 2.4.1 is too old", "--upgrade torch"),
        (_broken_torch, "torch", "libcudart.so.13", "--force-reinstall --no-cache-dir torch=="),
        (_crashing_opencv, "OpenCV", "SIGSEGV", "opencv-python==5.0.0.93"),
        (_no_libgl, "OpenCV", "libGL.so.1", "opencv-python-headless==5.0.0.93"),
        (_two_opencv, "OpenCV", "opencv-python-headless 4.12.0.88", "uninstall -y opencv-python"),
        (_other_torchvision, "vision", "built for torch 2.11.0", "torchvision==0.27.0"),
        (_torchvision_of_other_tag, "vision", "built for cpu", "whl/cu130"),
        (_torchvision_without_operators, "vision", "nms does not exist", "torchvision==0.27.0"),
        (_torchvision_without_cuda, "vision", "built without CUDA", "torchvision==0.27.0"),
        (_no_timm, "vision", "timm is not installed", "timm>=1.0"),
        (_old_numpy, "numpy", "cv2 was compiled for another numpy than 2.4.6", "'numpy<2'"),
        (_torch_of_old_numpy, "numpy", "torch was compiled for another numpy", "'numpy<2'"),
        (_two_mmcv, "OpenMMLab", "mmcv 2.1.0 and mmcv-lite 2.1.0", "uninstall -y mmcv mmcv-lite"),
        (_mmcv_of_both_families, "OpenMMLab", "both the module mmcv", "-y mmcv onedl-mmcv"),
        (_mixed_families, "OpenMMLab", "two families", "uninstall -y onedl-mmcv"),
        (_new_mmcv, "OpenMMLab", "mmcv>=2.0.1,<2.2", "--no-cache-dir mmcv==2.1.0"),
        (_old_mmdet, "OpenMMLab", "mmdet 2.28.2", "'mmdet>=3.3,<3.4'"),
        (_no_mmengine, "OpenMMLab", "mmengine not installed", "'mmengine>=0.10.7,<0.11'"),
        (_mmdet_lacks_a_package, "OpenMMLab", "'sklearn'", "install scikit-learn"),
        (_no_extension, "operators", "without its operators (mmcv._ext)", "MMCV_WITH_OPS=1"),
        (_other_extension, "operators", "another torch than 2.12.0", "--no-cache-dir mmcv==2.1.0"),
        (_operators_without_cuda, "operators", "has NVIDIA H200", "FORCE_CUDA=1"),
        (_operators_for_another_gpu, "operators", "no kernel image", "mmcv==2.1.0"),
        (_no_pkg_resources, "helpers", "setuptools 82.0.0 has none", "'setuptools<81'"),
        (_no_ftfy, "helpers", "mmseg needs ftfy", "install ftfy"),
        (_not_installed, "helpers", "mmfastervit is not installed", f"-e {shlex.quote(str(ROOT))}"),
        (_broken_mmfastervit, "helpers", "safetensors", "install safetensors"),
        (_torch_for_cpus, "GPU", "built without CUDA, and this machine has NVIDIA", "whl/cu130"),
        (_old_driver, "GPU", "the driver runs CUDA 12.4 at most", "whl/cu126"),
        (_unseen_gpu, "GPU", "torch finds no GPU", "torch.zeros(1).cuda()"),
        (_new_gpu, "GPU", "newer than what torch 2.12.0+cu130 was built for", "--upgrade torch"),
        (_old_gpu, "GPU", "older than what torch", "whl/cu126"),
        (_hub_not_writable, "disk", "/proc/torch/hub", "export TORCH_HOME="),
    ],
)
def test_a_fault_is_told_with_what_mends_it(stack, provoke, subject, told, mend):
    provoke(stack)
    done = stack.doctor()
    assert done.returncode == 1, done.stdout + done.stderr
    state, below = part_of(done.stdout, subject)
    assert state == "FAULT", done.stdout
    assert told in below.splitlines()[0]
    assert mend in below.splitlines()[1]
    if provoke not in OF_TWO_SUBJECTS:  # told once, and not by all that stand on it
        assert done.stdout.count("FAULT") == 1, done.stdout
        assert done.stdout.endswith("1 fault: mend from the top, and look again.\n")


def test_what_cannot_be_looked_at_is_not_called_good(stack):
    _broken_torch(stack)
    state, _ = part_of(stack.doctor().stdout, "operators")
    assert state == "?"


def test_a_task_without_its_package_is_a_warning(stack):
    _mmseg_alone(stack)
    done = stack.doctor()
    assert done.returncode == 0
    state, below = part_of(done.stdout, "OpenMMLab")
    assert state == "warning"
    assert "nothing detects here" in below
    assert "'mmdet>=3.3,<3.4'" in below


def test_hidden_gpus_are_a_warning(stack):
    stack.driver()
    stack.env["CUDA_VISIBLE_DEVICES"] = ""
    done = stack.doctor()
    assert done.returncode == 0, done.stdout
    state, below = part_of(done.stdout, "GPU")
    assert state == "warning"
    assert "unset CUDA_VISIBLE_DEVICES" in below


def test_a_folder_that_cannot_be_written_to_is_told(stack):
    done = stack.doctor(cwd="/proc")
    assert done.returncode == 1
    assert "/proc (this folder, for work_dirs) can't be written to" in done.stdout


def forks(stack):
    for name, version in (("mmengine", "0.10.12"), ("mmcv", "2.3.6"), ("mmpretrain", "1.3.6")):
        stack.remove(name)
        stack.distribution(f"onedl-{name}", version)
    stack.remove("mmdet")
    stack.distribution("onedl-mmdetection", "3.5.1")
    stack.remove("mmsegmentation")
    stack.distribution("onedl-mmsegmentation", "1.4.2")


def test_among_forks_the_fork_is_kept(stack):
    forks(stack)
    stack.distribution("mmcv", "2.1.0")
    _, below = part_of(stack.doctor().stdout, "OpenMMLab")
    assert "uninstall -y mmcv onedl-mmcv" in below
    assert "'onedl-mmcv>=2.3.6'" in below


def test_the_forks_work_by_themselves(stack):
    forks(stack)
    done = stack.doctor()
    assert done.returncode == 0, done.stdout
    assert "onedl-mmdetection 3.5.1" in done.stdout


def test_nothing_installed_is_mended_from_the_top(python, tmp_path):
    stack = StubStack(python, tmp_path)
    stack.site.rename(tmp_path / "away")
    done = stack.doctor()
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    without_mmcv = sys.version_info >= (3, 13)
    openmmlab = "mmcv 2.1.0 cannot be built" if without_mmcv else "mmengine, mmcv, mmdet"
    assert done.stdout.index("torch is not installed") < done.stdout.index(openmmlab)


def test_json_is_printed_or_written(stack):
    _other_extension(stack)
    printed = stack.doctor("--json")
    report = json.loads(printed.stdout)
    assert printed.returncode == 1
    assert report["works"] is False
    states = {one["subject"]: one["state"] for one in report["subjects"]}
    assert states["operators"] == "fault"
    assert "undefined symbol" in report["environment"]["tried"]["mmcv.ops"]["error"]
    written = stack.doctor("--json", "report.json")
    assert "undefined symbol" in written.stdout
    assert json.loads((stack.here / "report.json").read_text()).keys() == report.keys()


def test_json_into_no_folder_is_status_2(stack):
    done = stack.doctor("--json", "nowhere/x.json")
    assert done.returncode == 2
    assert "no folder nowhere" in done.stderr
    assert not list(stack.here.iterdir())


def test_nothing_is_left_behind(stack):
    stack.doctor()
    assert not list(stack.here.iterdir())


def test_the_parser_takes_no_other_argument(capsys):
    with pytest.raises(SystemExit):
        build_parser("doctor").parse_args(["now"])
    assert "'now'" in capsys.readouterr().err
