"""What the numbers were measured on: no names, no paths."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version

FLAGS = ("avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16",
         "avx_vnni", "amx_tile", "amx_bf16", "amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve")
PACKAGES = ("torch", "sam2", "onnxruntime", "openvino", "onnx", "onnxscript", "numpy")
# Settings from outside that change what the peers do.
VARIABLES = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "LD_PRELOAD", "MALLOC_CONF")


def describe():
    fields = cpuinfo()
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    numbers = [fields[name] for name in ("cpu family", "model", "stepping") if name in fields]
    return {
        "cpu": fields.get("model name", platform.machine()),
        "family_model_stepping": "/".join(numbers),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def versions(masklet):
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    answer = subprocess.run([masklet, "--version"], capture_output=True, text=True, check=False)
    found["masklet"] = answer.stdout.strip().removeprefix("masklet ") or "unknown"
    return found


def cpuinfo():
    """The first processor's entries of /proc/cpuinfo."""
    with open("/proc/cpuinfo") as file:
        lines = file.read().split("\n\n")[0].splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def without_paths(text):
    """File names instead of absolute paths."""
    return re.sub(r"(?<![\w.])/(?:[^\s/'\":]+/)+", "", text)
