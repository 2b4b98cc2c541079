"""How long masklet and vos-benchmark take to score the same folders, side by side.

    python tools/checks/metric_speed.py --data DAVIS2016 --masklet target/release/masklet

vos-benchmark is the code of the official evaluators of DAVIS 2017 (its F) and SA-V (all of it). It
scores in two processes, masklet in two threads; both read the same PNG files. Predictions are the
annotations two frames late. Rounds alternate; the shortest time of each counts.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from vos_benchmark.benchmark import benchmark


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--masklet", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    folders = sorted((args.data / "Annotations" / "480p").iterdir())[: args.sequences]
    with tempfile.TemporaryDirectory() as scratch:
        truth, found = Path(scratch) / "truth", Path(scratch) / "found"
        frames = 0
        for folder in folders:
            files = sorted(folder.glob("*.png"))
            frames += len(files) - 2
            for place in (truth, found):
                (place / folder.name).mkdir(parents=True)
            for at, file in enumerate(files):
                shutil.copy(file, truth / folder.name / file.name)
                shutil.copy(files[max(at - 2, 0)], found / folder.name / file.name)
        ours, official = [], []
        for _ in range(args.rounds):
            official.append(time_official(truth, found, args.workers))
            ours.append(time_masklet(args.masklet, truth, found, args.workers))
    print(f"{frames} frames of {len(folders)} sequences, {args.workers} workers each")
    print(f"vos-benchmark {min(official):8.2f} s  {frames / min(official):8.1f} frames/s  {official}")
    print(f"masklet       {min(ours):8.2f} s  {frames / min(ours):8.1f} frames/s  {ours}")
    print(f"ratio {min(official) / min(ours):.1f}")


def time_official(truth, found, workers):
    start = time.perf_counter()
    benchmark([str(truth)], [str(found)], num_processes=workers, verbose=False)
    return time.perf_counter() - start


def time_masklet(masklet, truth, found, workers):
    command = [masklet, "eval", "score", "--truth", truth, "--pred", found, "--quiet"]
    command += ["--rules", "vos-benchmark", "--threads", workers]
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
