"""Who takes part, and how one measurement of one of them is run."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import common
import machine

LIMIT_S = 1800
MASKLET_REPEATS = 3
# Peak memory repeats to a percent; two rounds show that.
MEMORY_ROUNDS = 2
POLL_S = 0.1


@dataclass(frozen=True)
class Peer:
    """An engine in a precision at a task; masklet does all tasks in one process."""

    task: str
    engine: str
    precision: str
    needs: tuple = ("checkpoint", "frames")

    def __str__(self):
        return f"{self.task} {self.engine} {self.precision}"

    def rounds(self, rounds):
        return min(rounds, MEMORY_ROUNDS) if self.task == "memory" else rounds


class Failed(Exception):
    """A peer could not be measured; the text says why."""


FEATURES = ("checkpoint", "frames", "features")
MASKLET = [Peer("bench", "masklet", precision, ("checkpoint",)) for precision in common.PRECISIONS]
PEERS = [
    Peer("encoder", "pytorch", "f32", FEATURES),
    Peer("encoder", "pytorch", "bf16", FEATURES),
    Peer("encoder", "onnxruntime", "f32", (*FEATURES, "onnx")),
    MASKLET[0],
    Peer("encoder", "openvino", "f32", (*FEATURES, "openvino")),
    Peer("encoder", "openvino", "bf16", (*FEATURES, "openvino")),
    MASKLET[1],
    Peer("video", "pytorch", "f32"),
    Peer("video", "pytorch", "bf16"),
    Peer("memory", "pytorch", "f32"),
    Peer("memory", "pytorch", "bf16"),
]
TASKS = ("encoder", "video", "memory")


def measure(peer, arguments):
    """The peer's result, with what the kernel says about its process."""
    command = masklet_command if peer.engine == "masklet" else worker_command
    output, usage = run(command(peer, arguments), arguments.threads)
    try:
        result = json.loads(output if peer.engine == "masklet" else output.splitlines()[-1])
    except (ValueError, IndexError):
        raise Failed("no JSON was printed") from None
    if peer.engine == "masklet":
        check_masklet(result, peer, arguments.threads)
    return result | {"process": usage}


def worker_command(peer, arguments):
    return [sys.executable, Path(__file__).with_name("worker.py"), peer.task, peer.engine, peer.precision,
            *shared_options(arguments)]


def prepare_command(step, arguments):
    return [sys.executable, Path(__file__).with_name("prepare.py"), step, "--data", arguments.data,
            *shared_options(arguments)]


def shared_options(arguments):
    return ["--work", arguments.work, "--preset", arguments.preset, "--threads", str(arguments.threads)]


def masklet_command(peer, arguments):
    checkpoint = common.Files(arguments.work, arguments.preset).checkpoint
    return [arguments.masklet.resolve(), "bench", "--weights", checkpoint, "--precision", peer.precision,
            "--threads", str(arguments.threads), "--rounds", str(MASKLET_REPEATS), "--json"]


def check_masklet(result, peer, threads):
    needed = ("encode_s", "frame_s", "extra_object_s", "peak_rss_mb", "precision", "threads")
    missing = [key for key in needed if result.get(key) is None]
    if missing:
        raise Failed(f"masklet bench --json lacks {', '.join(missing)}")
    if (result["precision"], result["threads"]) != (peer.precision, threads):
        raise Failed(f"masklet ran in {result['precision']} on {result['threads']} threads")


def run(command, threads):
    """Standard output and what the process used. Its peak memory includes this process's at the
    fork, which is why nothing heavy is imported here."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment(threads))
        try:
            status, usage = wait(process.pid, start + LIMIT_S)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode != 0:
            errors.seek(0)
            raise Failed(reason(errors.read(), process.returncode))
        output.seek(0)
        return output.read(), {
            "wall_s": round(wall, 2),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
            "peak_rss_mb": round(usage.ru_maxrss / 1024, 1),
        }


def wait(pid, deadline):
    while time.perf_counter() < deadline:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, usage
        time.sleep(POLL_S)
    raise Failed(f"not finished after {LIMIT_S} s")


def reason(errors, code):
    """The last line that says something, without absolute paths."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return machine.without_paths(lines[-1])[:300] if lines else f"exit code {code}"


def environment(threads):
    """Thread counts for every pool; no GPU."""
    pools = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "RAYON")
    return os.environ | {f"{pool}_NUM_THREADS": str(threads) for pool in pools} | {"CUDA_VISIBLE_DEVICES": ""}
