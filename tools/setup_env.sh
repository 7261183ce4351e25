#!/usr/bin/env bash
# Sets up .venv in the repository root: torch, OpenMMLab and this package, at the versions that
# requirements/ pins. No package outside .venv is touched. The compiled mmcv wheel is
# kept in ~/.cache/mmfastervit, so that the next set-up need not compile it.
#
#   STACK=onedl                 the maintained forks of OpenMMLab's packages, into .venv-onedl
#   PYTHON=/path/to/python3.11  the interpreter, 3.10 to 3.12, with the forks also 3.13
#                               (otherwise 3.11 is looked for first)
#   MMFASTERVIT_MMCV_CPU=1      build mmcv without its CUDA ops, on a machine with a GPU too
#   MAX_JOBS=2                  compilers that run at once (otherwise one for each core)
#   FORCE_CUDA=1                build mmcv with its CUDA ops, on a machine without a GPU too
#   TORCH_CUDA_ARCH_LIST=9.0    GPUs to compile for (otherwise those in this machine)
#
# Interrupt it and run it again as you like. To start over: rm -r .venv (or .venv-onedl)
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
STACK="${STACK:-openmmlab}"
PINS="$ROOT/requirements/$STACK.txt"
COMMON="$ROOT/requirements/common.txt"
case "$STACK" in
    openmmlab) NAME=.venv MMCV=mmcv ;;
    onedl) NAME=.venv-onedl MMCV=onedl-mmcv ;;
    *) echo "error: STACK=$STACK; there are openmmlab and onedl" >&2; exit 2 ;;
esac
[[ "$STACK" == openmmlab ]] && AGAIN="make setup" || AGAIN="make setup STACK=$STACK"
VENV="$ROOT/$NAME"
SCRATCH="$VENV/tmp"
STAMP="$VENV/.setup-finished"
LOG="$VENV/mmcv_build.log"
WHEELS="${XDG_CACHE_HOME:-$HOME/.cache}/mmfastervit/wheels"
DISK_GB=8
job=     # the process group of the step that runs now
locked=  # set once this set-up has .venv to itself
exec 3>&1 4>&2  # a step may have its output in a log

say() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&3; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The version that the constraints files pin for package $1.
pin() { sed -n "s/^$1==\([^ ;]*\).*/\1/p" "$PINS" "$COMMON" | head -n 1; }

# Changes when the set-up has to be made again.
fingerprint() {
    { printf '%s\n' "$ROOT"; cat "$PINS" "$COMMON" "$ROOT/setup.cfg" "$ROOT/tools/setup_env.sh"; } | sha256sum
}

finished() { [[ -x "$VENV/bin/python" && -f "$STAMP" && "$(<"$STAMP")" == "$(fingerprint)" ]]; }

on_exit() {
    local status=$?
    if [[ -n "$job" ]]; then
        kill -TERM -- "-$job" 2>/dev/null || true
        wait "$job" 2>/dev/null || true
    fi
    [[ -z "$locked" ]] || rm -rf "$SCRATCH" || true
    if ((status >= 128)); then
        echo "Interrupted. Run the same command again: it keeps what is done." >&4
    elif ((status > 0)); then
        echo "The set-up is not finished. When the fault above is put right, run the same command" \
            "again: it keeps what is done." >&4
    fi
}

# Runs a command, named $1, and says each minute that it still runs; $2 prints how far it is.
run_long() {
    local name="$1" progress="$2" began=$SECONDS minutes=0 status=0
    shift 2
    set -m  # a process group of its own, so that on_exit can end all of it
    "$@" </dev/null &
    job=$!
    set +m
    while kill -0 "$job" 2>/dev/null; do
        sleep 1
        if ((SECONDS - began >= 60 * (minutes + 1))); then
            minutes=$((minutes + 1))
            say "  still $name: $minutes min$("$progress")"
        fi
    done
    wait "$job" || status=$?
    job=
    return "$status"
}

no_progress() { :; }

compile_progress() {  # from ninja's last "[12/77]"
    local done_of
    done_of="$(grep -oE '^ *\[[0-9]+/[0-9]+\]' "$LOG" | tail -n 1 | tr -d ' []')" || true
    [[ -z "$done_of" ]] || printf ', %s of %s files' "${done_of%/*}" "${done_of#*/}"
}

pip_install() {
    local name="$1"
    shift
    run_long "$name" no_progress \
        "$VENV/bin/python" -m pip install --quiet --constraint "$PINS" "$@"
}

# Says why interpreter $1 cannot be used; says nothing when it can.
python_fault() {
    local version
    command -v "$1" >/dev/null || { echo "not found"; return; }
    version="$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" \
        || { echo "does not run"; return; }
    case "$version/$STACK" in
        3.10/* | 3.11/* | 3.12/* | 3.13/onedl) ;;
        # its setup.py looks for what exec() set in locals(), where 3.13 puts nothing (PEP 667)
        3.13/*) echo "is Python 3.13, where mmcv $(pin mmcv) cannot be built; STACK=onedl takes it"; return ;;
        /*) echo "is not Python"; return ;;
        *) echo "is Python $version"; return ;;
    esac
    "$1" -c 'import ensurepip, venv' 2>/dev/null \
        || echo "lacks the venv module (Debian, Ubuntu: apt install python$version-venv)"
}

find_python() {  # prints the first that can be used
    local candidate fault tried="" candidates=(python3.11 python3 python3.12 python3.13 python3.10)
    local newest=3.12
    [[ "$STACK" != onedl ]] || newest=3.13
    [[ -z "${PYTHON:-}" ]] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        fault="$(python_fault "$candidate")"
        [[ -n "$fault" ]] || { command -v "$candidate"; return; }
        tried+="  $candidate: $fault"$'\n'
    done
    die "no Python 3.10 to $newest that can be used. Tried:
${tried}Install one, say with 'apt install python3.11 python3.11-venv python3.11-dev' (Debian, Ubuntu)
or 'conda create -n py311 python=3.11', or name yours: PYTHON=/path/to/python3.11"
}

check_disk() {
    local free_kb held_kb
    free_kb="$(df -Pk "$VENV" | awk 'NR == 2 { print $4 }')"
    held_kb="$(du -sk "$VENV/." | cut -f 1)"
    ((free_kb + held_kb >= DISK_GB * 1024 * 1024)) || die "$VENV needs about $DISK_GB GB of disk," \
        "but only $((free_kb / 1024 / 1024)) GB are free there. Make room, or let $NAME be a link" \
        "to a folder on a larger disk."
}

# An interrupted `python -m venv`, or a copy of another checkout's, is not usable.
venv_usable() {
    grep -qsF "$VENV/bin/python" "$VENV/bin/pip" \
        && "$VENV/bin/python" -m pip --version >/dev/null 2>&1
}

python_version() { "$1" -c 'import platform; print(platform.python_version())'; }

make_venv() {
    local python wanted held
    # Checked when named, even if it is there: it may be for another version.
    if [[ -n "${PYTHON:-}" ]] || ! venv_usable; then
        python="$(find_python)"
    fi
    if ! venv_usable; then
        [[ ! -e "$VENV/bin" ]] || say "the $NAME that is there is incomplete or from elsewhere"
        say "making $NAME with $python, Python $(python_version "$python")"
        find "$VENV/" -mindepth 1 -maxdepth 1 ! -name .lock -exec rm -rf {} +
        "$python" -m venv "$VENV"
        return
    fi
    held="$(python_version "$VENV/bin/python")"
    wanted="$(python_version "${python:-$VENV/bin/python}")"
    [[ "${held%.*}" == "${wanted%.*}" ]] \
        || die "$NAME holds Python $held, not $wanted: to change, remove it first (rm -r $NAME)."
    say "using the $NAME that is there, Python $held"
}

# What pip was writing when it was interrupted: without this, pip takes it for installed.
drop_half_installed() {
    local site info
    site="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    rm -rf "$site"/~*
    for info in "$site"/*.dist-info; do
        [[ ! -d "$info" || -e "$info/INSTALLER" ]] || rm -r "$info"
    done
}

# Prints "2.12.0 cp311 cpu": what a compiled mmcv fits. The last is cpu, cu130, ... or none.
mmcv_build_kind() {
    "$VENV/bin/python" - <<'PY'
import os
import sys

import torch

cuda = torch.cuda.is_available() or os.getenv("FORCE_CUDA") == "1"
if os.getenv("MMFASTERVIT_MMCV_CPU", "0") != "0" or not cuda:
    ops = "cpu"
else:  # a ROCm build of torch has a GPU and no CUDA version
    ops = "cu" + torch.version.cuda.replace(".", "") if torch.version.cuda else "none"
print(torch.__version__.split("+")[0], "cp%d%d" % sys.version_info[:2], ops)
PY
}

check_compiler() {
    local include
    command -v "${CXX:-c++}" >/dev/null || die "mmcv is compiled here and needs a C++ compiler," \
        "but there is no '${CXX:-c++}' (Debian, Ubuntu: apt install g++)."
    include="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
    [[ -e "$include/Python.h" ]] || die "mmcv is compiled here and needs Python's headers, but" \
        "$include/Python.h is missing (Debian, Ubuntu: apt install $(basename "$include")-dev)."
}

# The folder of the CUDA toolkit: the one that is named, or that nvcc says it is in. torch would take
# the folder above nvcc's, where there are no headers if that nvcc is a script or a link.
cuda_home() {
    local nvcc top
    top="${CUDA_HOME:-${CUDA_PATH:-}}"
    if [[ -z "$top" ]]; then
        nvcc="$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)"
        top="$("$nvcc" --dryrun -x cu /dev/null 2>&1 | sed -n 's/^#\$ TOP=//p')" || true
    fi
    if [[ -d "$top" ]]; then (cd "$top" && pwd -P); else echo "$top"; fi
}

check_nvcc() {  # of the toolkit $1
    local wanted home="$1" found=none
    wanted="$("$VENV/bin/python" -c 'import torch; print(torch.version.cuda)')"
    if [[ -x "$home/bin/nvcc" ]]; then
        found="$("$home/bin/nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')"
    fi
    [[ "${found%%.*}" == "${wanted%%.*}" ]] || die "mmcv's CUDA ops are compiled (for the GPU of this machine, or by FORCE_CUDA=1), which needs nvcc
of CUDA $wanted (any ${wanted%%.*}.x), as torch was built with. Found: $found${home:+ in $home}.
Either install the CUDA toolkit $wanted and set CUDA_HOME to its folder, or build the CPU ops only:
  MMFASTERVIT_MMCV_CPU=1 $AGAIN
Segmentation then trains on the GPU, but detectors do not: their RoIAlign and NMS would lack CUDA."
}

# The headers of CUDA's libraries (cuSPARSE, cuBLAS, ...), which torch's own include and a toolkit
# of compiler and runtime alone lacks. They come with torch's CUDA packages.
cuda_headers() {
    "$VENV/bin/python" - <<'PY'
import sysconfig
from pathlib import Path

import torch

site = Path(sysconfig.get_path("purelib"), "nvidia")
release = torch.version.cuda.split(".")[0]
one_for_all, one_for_each = site / f"cu{release}/include", sorted(site.glob("*/include"))
print(":".join(map(str, [one_for_all] if one_for_all.is_dir() else one_for_each)))
PY
}

# The path of the pinned mmcv's wheel in folder $1; a path with a "*" where there is none.
wheel_in() {
    local found=("$1/${MMCV//-/_}-$(pin "$MMCV")"-*.whl)
    echo "${found[0]}"
}

# Compiles torch's headers once, in $SCRATCH, and prints the CFLAGS with which GCC takes them from
# there: parsing them is most of the work at each of mmcv's files. Prints nothing where the compiler
# is not GCC, or would not take what it made.
headers_compiled_once() {
    "$VENV/bin/python" - "${CXX:-c++}" "$SCRATCH/torch_types.h" <<'PY'
import shlex
import subprocess
import sys
from pathlib import Path

import setuptools  # distutils is its own from here on
from distutils.ccompiler import new_compiler
from distutils.sysconfig import customize_compiler

from torch.utils.cpp_extension import include_paths

cxx, header = shlex.split(sys.argv[1]), Path(sys.argv[2])
if "gcc version" not in subprocess.run([*cxx, "-v"], capture_output=True, text=True).stderr:
    sys.exit(0)
compiler = new_compiler()
customize_compiler(compiler)
# All of them: one setuptools adds CFLAGS to Python's own flags, another takes CFLAGS instead.
flags = [*compiler.compiler_so[1:], "-g0"]
taken = ["-include", str(header), "-Winvalid-pch"]
whole = [*cxx, *flags, "-std=c++17", *(f"-I{path}" for path in include_paths())]
header.write_text("#include <torch/types.h>\n")
made = subprocess.run([*whole, "-x", "c++-header", header, "-o", f"{header}.gch"], stdout=2)
tried = [*whole, *taken, "-Werror=invalid-pch", "-x", "c++", "-fsyntax-only", "/dev/null"]
if made.returncode == 0 and subprocess.run(tried, stdout=2).returncode == 0:
    print(shlex.join(flags + taken))
PY
}

# Compiles mmcv for the ops $1 (cpu or cu130, ...) and puts the wheel into folder $2.
build_mmcv() {
    local ops="$1" folder="$2" status=0 wheel settings command flags toolkit
    settings=("PATH=$VENV/bin:$PATH" PYTHONUNBUFFERED=1 MMCV_WITH_OPS=1
        "MAX_JOBS=${MAX_JOBS:-$(env -u OMP_NUM_THREADS nproc)}")
    check_compiler
    if [[ "$ops" == cpu ]]; then
        settings+=(FORCE_CUDA=0 CUDA_VISIBLE_DEVICES=)  # mmcv compiles for any GPU torch sees
    else
        toolkit="$(cuda_home)"
        check_nvcc "$toolkit"
        settings+=(FORCE_CUDA=1 "CUDA_HOME=$toolkit")
        # The toolkit's own headers first: torch's packages lack some that these include.
        settings+=("CPLUS_INCLUDE_PATH=$toolkit/include:$(cuda_headers):${CPLUS_INCLUDE_PATH:-}")
    fi
    say "compiling $MMCV $(pin "$MMCV") with its $ops ops: 3 to 30 minutes on 2 cores; log: $LOG"
    flags="$(headers_compiled_once 2>"$LOG")" || flags=
    if [[ -n "$flags" ]]; then
        settings+=("CFLAGS=$flags")
    else
        say "  torch's headers are not compiled once for all files, as GCC can: the longer way"
    fi
    # Not from pip's cache, which keeps this wheel without looking at the torch it was built for.
    command=("$VENV/bin/python" -m pip wheel --verbose --no-cache-dir --no-deps
        --no-build-isolation --constraint "$PINS" --wheel-dir "$SCRATCH/wheels" "$MMCV")
    run_long "compiling mmcv" compile_progress env "${settings[@]}" "${command[@]}" \
        >>"$LOG" 2>&1 || status=$?
    if ((status != 0)); then
        # The compiler's own words stand far above the end, which is pip's account of it.
        { grep -m 5 -E 'error: |fatal: ' "$LOG" || true; echo "  [...]"; tail -n 30 "$LOG"; } >&2
        die "mmcv did not compile (pip's exit status: $status, over 128 if something ended it)." \
            "Its first errors and the end of its log stand above; all of it: $LOG"
    fi
    wheel="$(wheel_in "$SCRATCH/wheels")"
    mkdir -p "$folder"
    cp "$wheel" "$folder/.part-$$"
    mv "$folder/.part-$$" "$folder/$(basename "$wheel")"
}

# Sets `mmcv_wheel`, compiling it when no earlier set-up has.
get_mmcv() {
    local kind torch_version python_tag ops folder
    kind="$(mmcv_build_kind)"
    read -r torch_version python_tag ops <<<"$kind"
    [[ "$ops" != none ]] || die "mmcv's GPU ops need a torch that was built with CUDA;" \
        "this one was not. To build the CPU ops only: MMFASTERVIT_MMCV_CPU=1 $AGAIN"
    folder="$WHEELS/torch$torch_version-$python_tag-$ops"
    mmcv_wheel="$(wheel_in "$folder")"
    if [[ -e "$mmcv_wheel" ]]; then
        say "using the mmcv compiled before: $mmcv_wheel"
    else
        build_mmcv "$ops" "$folder"
        mmcv_wheel="$(wheel_in "$folder")"
    fi
}

# On a machine without a display, OpenCV's wheel may miss libGL.so.1. The headless one has the same
# module; laid over it, pip still counts both as installed, so mmengine's requirement is met.
repair_opencv() {
    local fault
    fault="$("$VENV/bin/python" -c 'import cv2' 2>&1)" && return
    [[ "$fault" == *"cannot open shared object file"* ]] || die "OpenCV does not import: $fault"
    say "OpenCV does not import here (${fault##*ImportError: }): laying its headless build over it"
    pip_install "installing headless OpenCV" --no-deps --force-reinstall opencv-python-headless
    "$VENV/bin/python" -c 'import cv2'
}

check_imports() {
    "$VENV/bin/python" - <<'PY'
import warnings

warnings.simplefilter("ignore")
import mmcv.ops
import mmdet.apis
import mmseg.apis
import torch

import mmfastervit.version

for module in torch, mmcv, mmdet, mmseg:
    print(f"  {module.__name__} {module.__version__}")
print(f"  mmfastervit {mmfastervit.version.__version__}")
PY
}

cd "$ROOT"
if finished; then
    say "$VENV is up to date (to make it anew: rm -r $NAME)"
    exit 0
fi

unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_ROOT
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1

trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say "setting up $VENV"
mkdir -p "$VENV"
if command -v flock >/dev/null; then
    exec 9>"$VENV/.lock"
    if ! flock -n 9; then
        say "waiting for another set-up of this folder, which still runs"
        flock 9
        if finished; then
            say "it has finished"
            exit 0
        fi
    fi
fi
locked=yes
rm -f "$STAMP"
check_disk
make_venv
drop_half_installed
rm -rf "$SCRATCH"
mkdir "$SCRATCH"
export TMPDIR="$SCRATCH"  # /tmp is often too small for torch

say "upgrading pip"
pip_install "upgrading pip" --upgrade pip
say "installing torch $(pin torch) and torchvision $(pin torchvision)" \
    "(about 3 GB to download, if not there yet)"
pip_install "installing torch" torch torchvision
say "installing what builds mmcv"
pip_install "installing build tools" setuptools wheel ninja psutil
get_mmcv
say "installing mmcv"
# pip would keep an mmcv of this version that was compiled for another torch.
pip_install "installing mmcv" --no-deps --force-reinstall "$mmcv_wheel"
say "installing OpenMMLab, the test tools and this package"
# PYTHONWARNINGS: setuptools warns at length that an editable install is editable.
PYTHONWARNINGS=ignore pip_install "installing OpenMMLab" --no-build-isolation \
    "$mmcv_wheel" -e ".[$STACK,test]"
repair_opencv
say "checking the packages"
"$VENV/bin/python" -m pip check
say "checking that they import"
check_imports
fingerprint >"$STAMP"
say "done: $NAME is ready"
