"""One measurement of one peer, in a process of its own. The last line of the output is its result.

    python worker.py TASK ENGINE PRECISION --work DIR --preset NAME --threads N
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from statistics import median

import common

ENCODER_REPEATS = 3


def encoder(files, engine, precision, threads):
    import numpy as np

    import encoders

    image = encoders.image(files)
    run = encoders.ENGINES[engine](files, precision, threads)
    outputs = run(image)
    difference = encoders.largest_difference(outputs, list(np.load(files.features).values()))
    return {"encode_s": median(seconds(run, image) for _ in range(ENCODER_REPEATS)), "difference": difference}


def seconds(run, image):
    start = time.perf_counter()
    run(image)
    return time.perf_counter() - start


def video(files, _engine, precision, threads):
    import video

    return video.measure(files, precision, threads)


def memory(files, _engine, precision, threads):
    import video

    return video.measure_memory(files, precision, threads)


TASKS = {"encoder": encoder, "video": video, "memory": memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("engine")
    parser.add_argument("precision", choices=common.PRECISIONS)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--preset", required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    files = common.Files(arguments.work, arguments.preset)
    result = TASKS[arguments.task](files, arguments.engine, arguments.precision, arguments.threads)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
