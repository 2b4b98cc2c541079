"""Adds to every occlusion score (a logit) that a network gives: below zero makes it say sooner that an object is hidden.

    python tools/lite/occlusion.py average.safetensors -1.5 calibrated.safetensors
"""

import argparse

from safetensors import safe_open
from safetensors.torch import save_file

LAST_BIAS = "sam_mask_decoder.pred_obj_score_head.layers.2.bias"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("shift", type=float)
    parser.add_argument("output")
    args = parser.parse_args()
    with safe_open(args.weights, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        if LAST_BIAS not in tensors:
            parser.error(f"{args.weights} has no occlusion score: {LAST_BIAS} is missing")
        tensors[LAST_BIAS] = tensors[LAST_BIAS] + args.shift
        save_file(tensors, args.output, file.metadata())


if __name__ == "__main__":
    main()
