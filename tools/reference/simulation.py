"""Prints how often the official training model simulates which prompt, over many clips.

The numbers are quoted in crates/train/src/simulation/tests.rs. Run by hand: it takes a minute, and
another build of torch or numpy draws other numbers.
"""

import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import torch
from sam2.modeling.sam2_utils import sample_box_points, sample_random_points_from_errors

# The training package declares its batches with tensordict, which nothing here needs.
sys.modules.setdefault("tensordict", SimpleNamespace(tensorclass=lambda declared: declared))
from training.model.sam2 import SAM2Train  # noqa: E402

CLIPS = 40_000
FRAMES = 8
CLICKS = 20_000


def settings():
    """What `prepare_prompt_inputs` reads, as in sam2.1_hiera_b+_MOSE_finetune.yaml."""
    return SimpleNamespace(
        training=True,
        prob_to_use_pt_input_for_train=0.5,
        prob_to_use_box_input_for_train=0.5,
        num_frames_to_correct_for_train=2,
        rand_frames_to_correct_for_train=True,
        num_init_cond_frames_for_train=2,
        rand_init_cond_frames_for_train=True,
        rng=np.random.default_rng(seed=42),
    )


def plans(frames):
    model = settings()
    masks = torch.zeros(frames, 1, 4, 4, dtype=torch.bool)
    masks[..., 1:3, 1:3] = True
    clip = SimpleNamespace(masks=masks, num_frames=frames)
    for _ in range(CLIPS):
        yield SAM2Train.prepare_prompt_inputs(model, {}, clip)


def frequencies(frames):
    counts = Counter()
    for plan in plans(frames):
        first = plan["init_cond_frames"]
        corrected = plan["frames_to_add_correction_pt"]
        points = plan["point_inputs_per_frame"]
        kind = "mask"
        if plan["use_pt_input"]:
            kind = "box" if points[0]["point_labels"].shape[1] == 2 else "click"
        counts[f"first prompt is a {kind}"] += 1
        counts[f"{kind if kind == 'mask' else 'points'}: {len(first)} prompted, {len(corrected)} corrected"] += 1
        for frame in range(frames):
            counts[f"frame {frame} prompted"] += frame in first
            counts[f"frame {frame} corrected"] += frame in corrected
    print(f"{CLIPS} clips of {frames} frames")
    for what in sorted(counts):
        print(f"  {what}: {counts[what] / CLIPS:.4f}")


def masks(*cells, side=6):
    mask = torch.zeros(1, 1, side, side, dtype=torch.bool)
    for x, y in cells:
        mask[0, 0, y, x] = True
    return mask


def clicks(what, truth, predicted):
    counts = Counter()
    for _ in range(CLICKS):
        points, labels = sample_random_points_from_errors(truth, predicted)
        x, y = points[0, 0].tolist()
        counts[(int(x), int(y), int(labels[0, 0]))] += 1
    print(f"clicks, {what}: (x, y, label): frequency")
    shown = sorted(counts.items())
    for place, count in shown[:8]:
        print(f"  {place}: {count / CLICKS:.4f}")
    labels = Counter()
    for (_, _, label), count in shown:
        labels[label] += count / CLICKS
    print(f"  {len(counts)} places; labels {dict(labels)}")


def boxes(what, mask):
    corners = torch.cat([sample_box_points(mask)[0].reshape(1, 4) for _ in range(CLICKS)])
    print(f"boxes, {what}: x0, y0, x1, y1")
    print(f"  least {corners.amin(0).tolist()}")
    print(f"  most  {corners.amax(0).tolist()}")
    print(f"  mean  {corners.mean(0).tolist()}")


def main():
    torch.manual_seed(0)
    for frames in (1, 2, FRAMES):
        frequencies(frames)
    truth = masks((0, 0), (1, 0), (2, 0))
    predicted = masks((2, 0), (3, 0), (3, 1), (3, 2))
    full, empty = ~masks(), masks()
    clicks("two missed and three false pixels", truth, predicted)
    clicks("no prediction", truth, None)
    clicks("all correct", truth, truth)
    clicks("no object, something predicted", empty, predicted)
    clicks("no object, nothing predicted", empty, empty)
    clicks("no object, no prediction", empty, None)
    clicks("an object everywhere, all correct", full, full)
    wide = torch.zeros(1, 1, 256, 512, dtype=torch.bool)
    wide[..., 10:91, 2:403] = True
    boxes("x 2 to 402, y 10 to 90 of 512x256", wide)
    boxes("one pixel", masks((3, 4)))
    boxes("no object in 512x256", torch.zeros(1, 1, 256, 512, dtype=torch.bool))


if __name__ == "__main__":
    main()
