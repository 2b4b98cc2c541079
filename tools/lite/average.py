"""Averages the weights of two files of the same network: `first` times its share, and `second` times the rest.

    python tools/lite/average.py runs/lite/12/last.safetensors runs/lite/11/last.safetensors 0.6 lite.safetensors
"""

import argparse

from safetensors import safe_open
from safetensors.torch import save_file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("share", type=float, help="of the first file, 0 to 1")
    parser.add_argument("output")
    args = parser.parse_args()
    if not 0 <= args.share <= 1:
        parser.error(f"the share is {args.share}; 0 to 1 is accepted")
    with safe_open(args.first, "pt") as first, safe_open(args.second, "pt") as second:
        if set(first.keys()) != set(second.keys()):
            parser.error(f"{args.first} and {args.second} are not of the same network: their tensors differ")
        averaged = {}
        for name in first.keys():
            one, other = first.get_tensor(name), second.get_tensor(name)
            averaged[name] = (args.share * one + (1 - args.share) * other).to(one.dtype)
        # The configuration is that of the first.
        save_file(averaged, args.output, first.metadata())


if __name__ == "__main__":
    main()
