#!/usr/bin/env python3
"""Answers as `masklet bench --json` does, with made-up numbers, to try the flow without a binary."""

import argparse
import json
import random

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", action="version", version="masklet fake")
    parser.add_argument("command", choices=["bench"])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    scale = random.uniform(0.95, 1.05) * (1.0 if arguments.precision == "f32" else 0.6)
    print(json.dumps({
        "model": "sam2.1-tiny", "precision": arguments.precision, "threads": arguments.threads,
        "encode_s": 0.8 * scale, "frame_s": 1.7 * scale, "extra_object_s": 0.8 * scale, "peak_rss_mb": 800.0 * scale,
    }))
