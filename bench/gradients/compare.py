"""Training's forward and backward passes on the CPU, masklet beside the official PyTorch modules.

    cargo build --release -p masklet-model --example gradients
    python bench/gradients/compare.py --masklet target/release/examples/gradients

Needs the packages of bench/peers/requirements.txt. sam2.1-tiny with random parameters, f32, gradients
of all parameters and inputs recorded. Every measurement is a process of its own; seconds are medians
of 5 rounds after one that does not count; peak memory is the process's, PyTorch itself included. Both
sides drop out in memory attention (rate 0.1), as in training.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

CASES = ["encoder:256:8", "encoder:512:8", "attention:512:3", "decoder:512:3", "memory:512:3"]
ROUNDS = 5


def main():
    arguments = parse_arguments()
    if arguments.peer:
        print(json.dumps(measure(*arguments.peer.split(":"))))
        return
    environment = os.environ | {"RAYON_NUM_THREADS": str(arguments.threads), "OMP_NUM_THREADS": str(arguments.threads)}
    print(f"| {arguments.threads} threads | forward | ratio | forward and backward | ratio | peak memory |")
    print("|---|---|---|---|---|---|")
    for case in arguments.cases:
        part, side, batch = case.split(":")
        commands = [[arguments.masklet, part, side, batch], [sys.executable, __file__, "--peer", case]]
        ours, peer = (run(command, environment) for command in commands)
        print(
            f"| {part}, {side} px, batch {batch}",
            *(f"{ours[key]:.3f} s, PyTorch {peer[key]:.3f} s | {peer[key] / ours[key]:.2f}×" for key in ("forward", "both")),
            f"{ours['peak_mib']} MiB, PyTorch {peer['peak_mib']} MiB |",
            sep=" | ",
            flush=True,
        )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masklet", help="the example `gradients`")
    parser.add_argument("--cases", type=lambda text: text.split(","), default=CASES, help="PART:SIDE:BATCH,…")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.masklet and not arguments.peer:
        parser.error("--masklet is needed: the built example `gradients`")
    return arguments


def run(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(part, side, batch):
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    torch.manual_seed(0)
    from sam2.build_sam import build_sam2

    side, batch = int(side), int(batch)
    model = build_sam2(
        "configs/sam2.1/sam2.1_hiera_t.yaml", device="cpu", mode="train",
        hydra_overrides_extra=[f"++model.image_size={side}"],
    )
    step = PARTS[part](torch, model, side, batch)
    weights = [torch.randn_like(output) for output in step()]
    forward, both = [], []
    for _ in range(ROUNDS + 1):
        model.zero_grad()
        start = time.perf_counter()
        outputs = step()
        forward.append(time.perf_counter() - start)
        sum((output * weight).sum() for output, weight in zip(outputs, weights)).backward()
        both.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"forward": statistics.median(forward[1:]), "both": statistics.median(both[1:]), "peak_mib": peak}


def encoder(torch, model, side, batch):
    pixels = torch.randn(batch, 3, side, side)
    return lambda: model.forward_image(pixels)["backbone_fpn"]


def attention(torch, model, side, batch):
    """With a full memory bank: seven spatial memories and sixteen pointers of four tokens."""
    tokens, pointers = (side // 16) ** 2, 16 * 4
    current = torch.randn(tokens, batch, 256, requires_grad=True)
    memory = torch.randn(7 * tokens + pointers, batch, 64, requires_grad=True)
    positions, at = torch.randn(tokens, batch, 256), torch.randn_like(memory)
    return lambda: [
        model.memory_attention(
            curr=current, curr_pos=positions, memory=memory, memory_pos=at, num_obj_ptr_tokens=pointers
        )
    ]


def features(torch, side, batch):
    grid = side // 16
    shapes = [(256, grid), (32, 4 * grid), (64, 2 * grid)]
    return [torch.randn(batch, channels, size, size, requires_grad=True) for channels, size in shapes]


def decoder(torch, model, side, batch):
    embedding, stride4, stride8 = features(torch, side, batch)
    points = torch.full((batch, 1, 2), 50.0), torch.ones(batch, 1, dtype=torch.int32)

    def step():
        sparse, dense = model.sam_prompt_encoder(points=points, boxes=None, masks=None)
        masks, iou, _, score = model.sam_mask_decoder(
            image_embeddings=embedding,
            image_pe=model.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
            repeat_image=False,
            high_res_features=[stride4, stride8],
        )
        return masks, iou, score

    return step


def memory(torch, model, side, batch):
    embedding = features(torch, side, batch)[0]
    logits = torch.randn(batch, 1, side // 4, side // 4, requires_grad=True)

    def step():
        mask = torch.nn.functional.interpolate(logits, (side, side), mode="bilinear", align_corners=False)
        mask = torch.sigmoid(mask) * 20.0 - 10.0
        return [model.memory_encoder(embedding, mask, skip_mask_sigmoid=True)["vision_features"]]

    return step


PARTS = {"encoder": encoder, "attention": attention, "decoder": decoder, "memory": memory}

if __name__ == "__main__":
    main()
