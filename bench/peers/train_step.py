"""A training step of masklet next to one of the official package on PyTorch, in turns.

    python bench/peers/train_step.py --masklet target/release/masklet --size 256 --frames 8

Both train sam2.1-tiny from random weights in f32 on the same clip: one object, prompted with its mask
on the first frame, tracked through the others, forwards and backwards, and a step of AdamW. Dropout
in memory attention is off in both unless asked for; fine-tuning has 0.1. The first step of a process
is not counted. Ratios are taken round by round.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "tools" / "reference"))

CONFIG = """
steps = {steps}
clips_per_step = 1
[model]
preset = "sam2.1-tiny"
image_size = {size}
drop_path = 0.0
dropout = {dropout}
[data.sample]
frames = {frames}
objects = 1
reverse = 0.0
[data.augmentation]
flip = 0.0
mosaic = 0.0
grey = 0.0
[prompts]
points = 0.0
prompted_frames = 1
corrected_frames = 1
[validation]
every = 0
[checkpoints]
every = 1000000
[monitor]
samples_every = 0
curves_every = 0
"""


def run_masklet(arguments, data, work):
    config = work / "config.toml"
    config.write_text(CONFIG.format(**vars(arguments)))
    out = work / "run"
    shutil.rmtree(out, ignore_errors=True)
    command = [arguments.masklet, "train", config, "--data", data, "-o", out, "--quiet"]
    command += ["--threads", str(arguments.threads)]
    subprocess.run([str(part) for part in command], check=True)
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [record for record in records if record["kind"] == "step"]
    return {
        "seconds": statistics.median(step["seconds"] for step in steps[1:]),
        "peak_mib": steps[-1]["peak_memory_bytes"] / 2**20,
    }


def run_pytorch(arguments, work):
    command = [sys.executable, __file__, "--worker", "--size", arguments.size]
    command += ["--frames", arguments.frames, "--steps", arguments.steps]
    command += ["--threads", arguments.threads, "--dropout", arguments.dropout, "--masklet", "-"]
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
    output = subprocess.run(
        [str(part) for part in command], check=True, capture_output=True, text=True, env=environment
    )
    return json.loads(output.stdout.splitlines()[-1])


def worker(arguments):
    """The official training code's model and loss."""
    from types import SimpleNamespace

    import pictures
    import reference
    import torch
    from training.loss_fns import MultiStepMultiMasksAndIous

    torch.set_num_threads(arguments.threads)
    size = arguments.size
    config = reference.official_config("sam2.1", "tiny")
    model = reference.build_training(config, reference.input_size(size), arguments.dropout)
    criterion = MultiStepMultiMasksAndIous(
        {"loss_mask": 20, "loss_dice": 1, "loss_iou": 1, "loss_class": 1},
        supervise_all_iou=True,
        iou_use_l1_loss=True,
        pred_obj_scores=True,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-6, weight_decay=0.1)
    frames = [pictures.video_frame(index) for index in range(arguments.frames)]
    masks = [torch.from_numpy(red)[None, None].float() for _, red, _ in frames]
    masks = torch.stack([torch.nn.functional.interpolate(m, (size, size))[0] > 0 for m in masks])
    clip = SimpleNamespace(
        masks=masks,
        num_frames=len(frames),
        flat_img_batch=torch.stack([reference.frame_tensor(f[0], size) for f in frames]),
        flat_obj_to_img_idx=torch.arange(len(frames))[:, None],
    )
    seconds = []
    for _ in range(arguments.steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = criterion(model(clip), clip.masks.float())["core_loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": statistics.median(seconds[1:]), "peak_mib": peak}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masklet", type=Path, required=True, help="the binary")
    parser.add_argument("--size", type=int, default=256, help="side of the network's input")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4, help="in each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.0, help="rate in memory attention")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return worker(arguments)
    import clip

    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clip.write(work / "data", arguments.frames, objects=1)
        for number in range(arguments.rounds):
            turns = [
                ("pytorch", lambda: run_pytorch(arguments, work)),
                ("masklet", lambda: run_masklet(arguments, work / "data", work)),
            ]
            results = {name: turn() for name, turn in turns[:: 1 if number % 2 == 0 else -1]}
            ratios.append(results["pytorch"]["seconds"] / results["masklet"]["seconds"])
            for name, result in sorted(results.items()):
                print(f"round {number + 1}: {name}: {result['seconds']:.3f} s a step, {result['peak_mib']:.0f} MiB")
    print(f"masklet is {statistics.median(ratios):.2f}x as fast (rounds {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
