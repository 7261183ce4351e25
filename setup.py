"""What setup.cfg cannot say: a wheel carries the recipes and tools as `mmfastervit/.mim`.

And the same files give the same sdist, byte for byte, wherever and whenever it is built, and it the
same wheel, with one version of the tools and one umask.
"""

import gzip
import os
import shutil
import tarfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
MIM_FOLDERS = ("configs", "tools")
MIM_FILES = ("model-index.yml",)
# The set-up script belongs to a checkout; from inside a wheel it would act on site-packages.
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "setup_env.sh")
# The time of everything in an archive, unless this is set: 1 January 1980, a zip's first day.
os.environ.setdefault("SOURCE_DATE_EPOCH", "315532800")


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


class ReproducibleSdist(sdist):
    """`sdist` without what the machine adds: times, owners, and the order of a folder's files."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, **owners):
        if format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, **owners)
        path, stamp = f"{base_name}.tar.gz", int(os.environ["SOURCE_DATE_EPOCH"])
        top = Path(root_dir or ".")
        with (
            open(path, "wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=stamp) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as tar,
        ):
            for entry in sorted((top / base_dir).rglob("*")):
                tar.add(entry, entry.relative_to(top), recursive=False, filter=without_machine)
        return path


def without_machine(entry):
    """A tar's entry with the times, owners and rights that it has everywhere."""
    entry.mtime = int(os.environ["SOURCE_DATE_EPOCH"])
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


setup(cmdclass={"build_py": BuildPyWithMim, "sdist": ReproducibleSdist})
