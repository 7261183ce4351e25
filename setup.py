"""What setup.cfg cannot say: a wheel carries the recipes and tools as `mmfastervit/.mim`."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FOLDERS = ("configs", "tools")
MIM_FILES = ("model-index.yml",)
# The set-up script belongs to a checkout; from inside a wheel it would act on site-packages.
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "setup_env.sh")


class BuildPyWithMim(build_py):
    """`build_py` that ends by copying the recipes and tools to where MIM looks for them.

    The copy goes into the build folder alone; an editable install reads the checkout.
    """

    def run(self):
        super().run()
        if not self.editable_mode:
            self.copy_mim(Path(self.build_lib, "mmfastervit", ".mim"))

    def copy_mim(self, mim):
        shutil.rmtree(mim, ignore_errors=True)  # an earlier build's, maybe with files since removed
        for folder in MIM_FOLDERS:
            shutil.copytree(ROOT / folder, mim / folder, ignore=NOT_SHIPPED)
        for name in MIM_FILES:
            shutil.copy2(ROOT / name, mim / name)


setup(cmdclass={"build_py": BuildPyWithMim})
