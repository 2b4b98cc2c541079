"""How long masklet and the official code take to score the same folders, side by side.

    python tools/checks/metric_speed.py --data DAVIS2016 --davis DAVIS2017_EVALUATION \
        --masklet target/release/masklet

The official code is vos-benchmark, which is also SA-V's evaluator, and davis2017-evaluation (left
out without --davis). All read the same PNG files with as many workers, processes there and threads
in masklet, and apply the same rules as the other side. Predictions are the annotations two frames
late. Rounds alternate; the shortest time of each counts. Beside the time that passed stands that of
the processors, which other work on the machine disturbs less.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from multiprocessing import Pool, Process
from pathlib import Path

import numpy as np
from PIL import Image
from vos_benchmark.benchmark import benchmark

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
from evaluators import davis_functions, davis_scores  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--davis", type=Path, help="checkout of davis2017-evaluation")
    parser.add_argument("--masklet", type=Path, required=True)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    folders = sorted((args.data / "Annotations" / "480p").iterdir())[: args.sequences]
    with tempfile.TemporaryDirectory() as scratch:
        truth, found = Path(scratch) / "truth", Path(scratch) / "found"
        frames = prepare(folders, truth, found)
        official = {"vos-benchmark": partial(run_vos_benchmark, truth, found, args.workers)}
        if args.davis:
            official["davis"] = partial(run_davis, truth, found, args.workers, args.davis)
        print(f"{frames} frames of {len(folders)} sequences, {args.workers} workers each")
        for rules, run_official in official.items():
            run_masklet = partial(score, args.masklet, truth, found, rules, args.workers)
            times = [(timed(run_official), timed(run_masklet)) for _ in range(args.rounds)]
            theirs, ours = (np.min(side, axis=0) for side in zip(*times))
            for who, (passed, processors) in [("official", theirs), ("masklet", ours)]:
                rate = frames / passed
                print(f"{rules}: {who:8} {passed:6.2f} s ({processors:6.2f} s of processors), {rate:.0f} frames/s")
            print(f"{rules}: ratio {theirs[0] / ours[0]:.1f} ({theirs[1] / ours[1]:.1f})")


def prepare(folders, truth, found):
    """Copies the annotations, and those of two frames before as predictions."""
    frames = 0
    for folder in folders:
        files = sorted(folder.glob("*.png"))
        frames += len(files) - 2
        for place in (truth, found):
            (place / folder.name).mkdir(parents=True)
        for at, file in enumerate(files):
            shutil.copy(file, truth / folder.name / file.name)
            shutil.copy(files[max(at - 2, 0)], found / folder.name / file.name)
    return frames


def timed(run):
    """Seconds that passed, and those of all processors, of a process of its own and its children."""
    start, before = time.perf_counter(), processor_seconds()
    process = Process(target=run)
    process.start()
    process.join()
    if process.exitcode != 0:
        sys.exit("a run failed")
    return time.perf_counter() - start, processor_seconds() - before


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_vos_benchmark(truth, found, workers):
    benchmark([str(truth)], [str(found)], num_processes=workers, verbose=False)


def run_davis(truth, found, workers, checkout):
    names = sorted(folder.name for folder in truth.iterdir())
    with Pool(workers) as pool:
        pool.map(partial(score_by_davis, truth, found, checkout), names, chunksize=1)


def score_by_davis(truth, found, checkout, name):
    maps = [np.stack([np.array(Image.open(file)) for file in sorted((root / name).glob("*.png"))])
            for root in (truth, found)]
    davis_scores(davis_functions(checkout), *maps, binary=True, ignore_void=False)


def score(masklet, truth, found, rules, workers):
    command = [masklet, "eval", "score", "--truth", truth, "--pred", found, "--quiet"]
    command += ["--rules", rules, "--threads", workers]
    subprocess.run([str(part) for part in command], check=True)


if __name__ == "__main__":
    main()
