"""How other packages' configs find the backbone, each in a fresh process from another folder."""

import json
import subprocess
import sys

import pytest

SCOPED = "dict(type='mmfastervit.FasterViT', arch='fastervit_0', out_indices=(0,))"
BARE = "dict(type='FasterViT', arch='fastervit_0', out_indices=(0,))"

# Imports what no case asks about, which takes longest, and then forks for each case.
FORKING = """
import json, os, sys, traceback
import mmengine.config, mmengine.registry, mmengine.utils, timm.layers, torch
for line in sys.stdin:
    code, folder = json.loads(line)
    out, into = os.pipe()
    if os.fork() == 0:
        os.chdir(folder)
        try:
            exec(code, {})
        except BaseException:
            os.write(into, traceback.format_exc()[-3000:].encode())
        os._exit(0)
    os.close(into)
    with open(out) as said:
        print("result", json.dumps(said.read()), flush=True)
"""


@pytest.fixture(scope="module")
def run():
    """Run code in a process of its own that has imported neither this package nor a zoo."""
    command = [sys.executable, "-W", "ignore", "-c", FORKING]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as process:

        def run(code: str, folder) -> None:
            print(json.dumps([code, str(folder)]), file=process.stdin, flush=True)
            answer = next(line for line in process.stdout if line.startswith("result "))
            failure = json.loads(answer.removeprefix("result "))
            assert not failure, failure

        yield run
        process.stdin.close()


@pytest.mark.parametrize("package", ["mmdet", pytest.param("mmseg", marks=pytest.mark.slow)])
def test_scoped_type_resolves_without_an_import(run, tmp_path, package):
    run(f"from {package}.registry import MODELS; MODELS.build({SCOPED})", tmp_path)


@pytest.mark.parametrize("package", ["mmseg", pytest.param("mmdet", marks=pytest.mark.slow)])
def test_bare_type_resolves_after_a_custom_import(run, tmp_path, package):
    config = tmp_path / "config.py"
    config.write_text(f"custom_imports = dict(imports=['mmfastervit'])\nbackbone = {BARE}\n")
    run(
        "from mmengine.config import Config\n"
        "cfg = Config.fromfile('config.py')\n"
        f"from {package}.registry import MODELS; MODELS.build(cfg.backbone)",
        tmp_path,
    )


def test_importing_everything_twice_raises_nothing(run, tmp_path):
    run(
        "import mmdet.models, mmseg.models, mmfastervit\n"
        "from mmengine.utils import import_modules_from_strings as load\n"
        "load(['mmfastervit', 'mmfastervit.models', 'mmfastervit'])\n"
        "import importlib; importlib.reload(mmfastervit)",
        tmp_path,
    )


def test_backbone_imports_without_mmcv(run, tmp_path):
    run(
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('mmcv', 'mmdet', 'mmseg', 'mmpretrain')))\n"
        "import mmfastervit, torch\n"
        "mmfastervit.FasterViT('fastervit_0').eval()(torch.zeros(1, 3, 32, 32))",
        tmp_path,
    )


def test_a_bare_name_that_is_taken_stays_with_whom_has_it(run, tmp_path):
    run(
        "from mmengine.registry import MODELS\n"
        "class FasterViT: pass\n"
        "MODELS.register_module(module=FasterViT)\n"
        "import mmfastervit\n"
        "assert MODELS.get('FasterViT') is FasterViT\n"
        "assert MODELS.get('mmfastervit.FasterViT') is mmfastervit.FasterViT",
        tmp_path,
    )
