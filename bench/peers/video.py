"""The official video predictor: time per frame with a full memory bank, what a further object
costs, and peak memory."""

import time
from statistics import median

import numpy as np
import torch

import common
import encoders

# Where the objects are clicked, as shares of width and height.
CLICKS = {1: (0.45, 0.55), 2: (0.2, 0.3)}
MEMORY_TOKENS_PER_FRAME, TOKENS_PER_POINTER = 64 * 64, 4
FULL_BANK_TOKENS = 7 * MEMORY_TOKENS_PER_FRAME + 16 * TOKENS_PER_POINTER


def measure(files, precision, threads):
    """Seconds per frame with a full bank, for one object and for a second one on top. Frames with
    one and with two objects alternate."""
    torch.set_num_threads(threads)
    model = encoders.load_model(files)
    seen = watch_memory(model)
    with torch.inference_mode(), encoders.autocast(precision):
        one, two = (tracked(model, files, objects) for objects in (1, 2))
        alone, together = [], []
        for _ in range(common.MEASURED_FRAMES):
            alone.append(timed(one))
            together.append(timed(two))
    if seen[-1] != FULL_BANK_TOKENS:
        raise SystemExit(f"the bank has {seen[-1]} tokens, {FULL_BANK_TOKENS} are expected")
    return {
        "frame_s": median(alone),
        "extra_object_s": median(b - a for a, b in zip(alone, together)),
        "frames_s": alone,
        "frames_two_objects_s": together,
    }


def measure_memory(files, precision, threads):
    """Peak memory in MiB of this process after tracking one object through some frames; nothing is
    copied or left out here. Also the time of the last frame."""
    torch.set_num_threads(threads)
    model = encoders.load_model(files)
    frames = list(np.load(files.frames, mmap_mode="r")[: common.MEMORY_FRAMES])
    with torch.inference_mode(), encoders.autocast(precision):
        state = prompted(model, frames, 1)
        steps = model.propagate_in_video(state)
        seconds = [timed(steps) for _ in frames]
    return {"peak_rss_mb": peak_rss_mb(), "last_frame_s": seconds[-1]}


def tracked(model, files, objects):
    """An iterator over the frames that have a full bank. Reaching them takes 17 frames; here one is
    tracked and its memories stand for those of all others: time does not depend on their values."""
    state = prompted(model, list(np.load(files.frames)), objects)
    for _ in model.propagate_in_video(state, max_frame_num_to_track=1):
        pass
    for outputs in state["output_dict_per_obj"].values():
        kept = outputs["non_cond_frame_outputs"]
        for frame in range(2, common.FULL_BANK):
            kept[frame] = {key: copy(value) for key, value in kept[1].items()}
    return model.propagate_in_video(state, start_frame_idx=common.FULL_BANK)


def copy(value):
    """Its own memory for every frame, except the positions, which the official code shares."""
    return value.clone() if isinstance(value, torch.Tensor) else value


def prompted(model, frames, objects):
    """A state with every object clicked on the first frame."""
    state = common.import_reference().init_state(model, frames)
    height, width = frames[0].shape[:2]
    for identifier in range(1, objects + 1):
        x, y = CLICKS[identifier]
        model.add_new_points_or_box(state, 0, identifier, points=[[x * width, y * height]], labels=[1])
    return state


def watch_memory(model):
    """The number of tokens that each frame attends to, in a list that grows."""
    seen = []
    model.memory_attention.register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.append(kwargs["memory"].shape[0]), with_kwargs=True
    )
    return seen


def timed(steps):
    start = time.perf_counter()
    next(steps)
    return time.perf_counter() - start


def peak_rss_mb():
    """The kernel's high-water mark. `getrusage` would include the parent's memory at the fork."""
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
