"""How fast the official mask decoder learns to draw a disk around a click on noise, from nothing.

    python tools/lite/disks.py                        # as the reference begins, the paper's losses
    python tools/lite/disks.py --alike                # attention.py
    python tools/lite/disks.py --alike --gamma 0 --alpha 0.75 --focal 5

Needs the official package (`pip install sam2`). Prints the IoU of the masks, mean over 50 steps.
"""

import argparse

import torch
import torch.nn.functional as F
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.prompt_encoder import PromptEncoder
from sam2.modeling.sam.transformer import TwoWayTransformer

import attention

WIDTH, GRID, SIZE, OBJECTS = 128, 8, 128, 10
LOW = 4 * GRID


def decoder() -> MaskDecoder:
    return MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=512, num_heads=8),
        transformer_dim=WIDTH,
        iou_head_hidden_dim=WIDTH,
        use_high_res_features=True,
        iou_prediction_use_sigmoid=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        use_multimask_token_for_obj_ptr=True,
    )


def disks(generator):
    """Clicks in pixels and disks around them, `[objects, LOW, LOW]`."""
    clicks = SIZE * torch.rand(OBJECTS, 2, generator=generator)
    radii = 4 + 4 * torch.rand(OBJECTS, 1, 1, generator=generator)
    places = torch.arange(LOW) + 0.5
    across, down = (clicks * LOW / SIZE)[:, :, None, None].unbind(1)
    return clicks, ((places - across) ** 2 + (places[:, None] - down) ** 2 < radii**2).float()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alike", action="store_true")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--focal", type=float, default=20.0)
    parser.add_argument("--alpha", type=float, default=0.25)
    parser.add_argument("--gamma", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    torch.manual_seed(1)
    prompts, masks = PromptEncoder(WIDTH, (GRID, GRID), (SIZE, SIZE), 16), decoder()
    if args.alike:
        prefix = "sam_mask_decoder."
        begin = attention.beginning(WIDTH, 64, 2, 2).items()
        begin = {name.removeprefix(prefix): value for name, value in begin if name.startswith(prefix)}
        masks.load_state_dict(masks.state_dict() | begin)
    parameters = [*prompts.parameters(), *masks.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=args.learning_rate)
    generator = torch.Generator().manual_seed(3)

    def noise(channels, side):
        return 0.5 * torch.randn(1, channels, side, side, generator=generator).expand(OBJECTS, -1, -1, -1)

    found = []
    for step in range(1, args.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * min(1, step / 50)
        picture = noise(WIDTH, GRID)
        skipped = [noise(WIDTH // 8, LOW), noise(WIDTH // 4, LOW // 2)]
        clicks, truth = disks(generator)
        sparse, dense = prompts((clicks[:, None], torch.ones(OBJECTS, 1)), None, None)
        logits = masks(picture, prompts.get_dense_pe(), sparse, dense, True, False, skipped)[0].flatten(2)
        truth = truth.flatten(1)[:, None].expand_as(logits)
        entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        inside = logits.sigmoid()
        wrong = inside + truth - 2 * inside * truth
        weight = args.alpha * truth + (1 - args.alpha) * (1 - truth)
        focal = (weight * entropy * wrong**args.gamma).mean(2)
        areas = inside.sum(2) + truth.sum(2)
        dice = 1 - (2 * (inside * truth).sum(2) + 1) / (areas + 1)
        total = args.focal * focal + dice
        optimizer.zero_grad()
        total.amin(1).mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 0.1)
        optimizer.step()

        best = logits.detach()[torch.arange(OBJECTS), total.argmin(1)] > 0
        both, either = best & (truth[:, 0] > 0), best | (truth[:, 0] > 0)
        found.append((both.sum(1) / either.sum(1)).mean().item())
        if step % 50 == 0:
            print(f"step {step}: IoU {sum(found[-50:]) / 50:.3f}", flush=True)


if __name__ == "__main__":
    main()
