"""How long a click takes in the data engine: from the request to the stored mask in the answer.

    cargo build --release --workspace
    python bench/click_latency.py clip.mp4 --masklet target/release/masklet

Starts `masklet annotate` on a new project with the clip, prepares each frame as the page does (so that it
is encoded), and clicks on it, in phase 1 and in phase 3. Standard library alone. The page adds the time of
drawing a picture, a few milliseconds.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

TOKEN = "token-of-the-click-latency"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--masklet", required=True, help="the binary")
    parser.add_argument("--clicks", type=int, default=40, help="in each phase")
    parser.add_argument("--port", type=int, default=38417)
    parser.add_argument("--model", nargs="*", default=[], help="options of masklet that choose a model")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        command = [arguments.masklet, "annotate", project, "--import", arguments.clip.resolve()]
        command += ["--port", arguments.port, "--no-open", *arguments.model]
        server = subprocess.Popen(
            [str(part) for part in command],
            env=os.environ | {"MASKLET_TOKEN": TOKEN},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            for phase in (1, 3):
                report(phase, measure(arguments, phase, server))
        finally:
            server.terminate()
            server.wait()


def measure(arguments, phase, server):
    """Milliseconds of each click: first ones on their frames, and second ones."""
    video = wait_for_video(arguments, server)
    task = call(arguments, "/api/tasks", {"video": video["id"], "phase": phase, "masklets": [{}]})["task"]
    path = f"/api/tasks/{task['id']}"
    call(arguments, f"{path}/claim", {})
    masklet = task["masklets"][0]["id"]
    place = random.Random(phase)
    seconds = {"prepare": [], "first": [], "second": []}
    for number in range(arguments.clicks):
        frame = number * (video["frames"] - 1) // max(arguments.clicks - 1, 1)
        start = time.perf_counter()
        call(arguments, f"{path}/prepare", {"frame": frame})
        seconds["prepare"].append(time.perf_counter() - start)
        prompts = []
        for kind in ("first", "second"):
            x, y = place.uniform(0.2, 0.8) * video["width"], place.uniform(0.2, 0.8) * video["height"]
            prompts.append({"kind": "click", "x": x, "y": y, "positive": True})
            body = {"seen": call(arguments, path)["revision"], "masklet": masklet, "frame": frame, "prompts": prompts}
            start = time.perf_counter()
            call(arguments, f"{path}/prompt", body)
            seconds[kind].append(time.perf_counter() - start)
    return {kind: [1000 * second for second in values] for kind, values in seconds.items()}


def wait_for_video(arguments, server):
    while server.poll() is None:
        try:
            return call(arguments, "/api/videos")[0]
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"the server ended: {server.stderr.read()}")


def call(arguments, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{arguments.port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


def report(phase, milliseconds):
    for kind, values in milliseconds.items():
        values.sort()
        name = {"prepare": "encoding a frame", "first": "first click", "second": "second click"}[kind]
        print(
            f"phase {phase}, {name}: median {statistics.median(values):.0f} ms,"
            f" 95% within {values[int(0.95 * (len(values) - 1))]:.0f} ms, longest {values[-1]:.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
