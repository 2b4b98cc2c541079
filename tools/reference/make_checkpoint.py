"""Writes a checkpoint of an official preset with random weights, in the official layout.

    python tools/reference/make_checkpoint.py --preset sam2.1-tiny -o FILE.pt

For whoever has no official weights and wants to try commands, measure speed or check that a file
loads. Masks have shapes and both signs, but they are those of a network that has learnt nothing.
"""

import argparse
from pathlib import Path

import torch

import pictures
import reference
from perturb import OCCLUSION_BIAS, calibrate, randomise

# Added to the calibrated bias of the occlusion head: objects are always there.
PRESENT = 9.0


def rehearse(model, frames):
    """Predictions whose statistics the heads are scaled to."""
    height, width = frames[0].shape[:2]
    at = lambda x, y: [x * width, y * height]
    state = reference.init_state(model, frames)
    model.add_new_points_or_box(state, 0, 1, points=[at(0.15, 0.4)], labels=[1])
    model.add_new_points_or_box(state, 0, 2, points=[at(0.7, 0.25), at(0.3, 0.8)], labels=[1, 0])
    model.add_new_points_or_box(state, 0, 3, box=[*at(0.05, 0.26), *at(0.3, 0.55)])
    list(model.propagate_in_video(state))


def make(preset, seed=0, frames=None):
    """A randomised, calibrated official model, and its `state_dict` is the checkpoint."""
    family, size = preset.split("-")
    if frames is None:
        frames = [pictures.video_frame(i)[0] for i in (0, 6, 13)]
    model = reference.build(reference.official_config(family, size))
    randomise(model, seed)
    picture = reference.frame_tensor(frames[0], model.image_size)
    calibrate(model, picture[None], lambda m: rehearse(m, frames))
    with torch.no_grad():
        model.get_parameter(OCCLUSION_BIAS).add_(PRESENT)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=reference.PRESETS, default="sam2.1-tiny")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    reference.set_deterministic(arguments.threads)
    torch.save({"model": make(arguments.preset, arguments.seed).state_dict()}, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
