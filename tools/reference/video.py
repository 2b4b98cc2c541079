"""Replays a script on the official video predictor and collects what comes out."""

import numpy as np
import torch
from PIL import Image

import reference


def set_options(model, options):
    model.non_overlap_masks = options["non_overlapping_masks"]
    model.clear_non_cond_mem_around_input = options["clear_memory_around_corrections"]
    model.add_all_frames_to_correct_as_cond = options["corrections_are_conditioning"]
    model.max_cond_frames_in_attn = options["max_conditioning_frames"] or -1
    model.memory_temporal_stride_for_eval = options["temporal_stride"]
    model.fill_hole_area = options["fill_hole_area"]
    model._clear_obj_non_cond_mem_around_input = (
        lambda state, frame, index: reference.clear_memory_around(model, state, frame, index)
    )


def pack(mask):
    """A boolean mask, flattened row by row, eight pixels a byte, the first in the highest bit."""
    return np.packbits(np.asarray(mask, bool).reshape(-1))


class Replay:
    """One run of a script. `outputs` has a dict of tensors, `log` what each action returned."""

    def __init__(self, model, script, frames, root, disturbance=0.0):
        set_options(model, script["options"])
        self.model, self.root = model, root
        self.state = reference.init_state(model, frames[: script["frames"]])
        if disturbance:
            images = self.state["images"]
            images += disturbance * torch.randn(
                images.shape, generator=torch.Generator().manual_seed(0)
            )
            self.state["cached_features"] = {}
        self.outputs, self.log = {}, []
        for number, action in enumerate(script["actions"]):
            self.number, seen = number, []
            for frame, masks in getattr(self, action["action"])(action):
                seen.append({"frame": frame, "objects": list(self.state["obj_ids"])})
                if masks is not None:
                    self.keep_masks(frame, masks)
            self.log.append(seen)

    def keep(self, frame, object_id, name, value):
        self.outputs[f"{self.number:02}/{frame:05}/{object_id}/{name}"] = np.ascontiguousarray(value)

    def keep_masks(self, frame, masks):
        for object_id, mask in zip(self.state["obj_ids"], masks):
            self.keep(frame, object_id, "mask", pack(mask[0] > 0))

    def keep_output(self, frame, object_id, output, everything):
        self.keep(frame, object_id, "object_score", output["object_score_logits"][0].numpy())
        if everything:
            logits = output["pred_masks"][0, 0].numpy()
            self.keep(frame, object_id, "low_res_logits_every_2nd", logits[::2, ::2])
            self.keep(frame, object_id, "object_pointer", output["obj_ptr"][0].numpy())

    def prompted(self, action, result):
        """Keeps what a prompt gave for its own object."""
        frame, _, masks = result
        index = self.state["obj_id_to_idx"][action["object"]]
        held = self.state["temp_output_dict_per_obj"][index]
        # The newest of the two; the first exists only where the frame is a conditioning frame.
        output = held["cond_frame_outputs"].get(frame) or held["non_cond_frame_outputs"][frame]
        self.keep_output(frame, action["object"], output, True)
        return [(frame, masks)]

    def add_points_or_box(self, action):
        return self.prompted(
            action,
            self.model.add_new_points_or_box(
                self.state,
                action["frame"],
                action["object"],
                points=action["points"] or None,
                labels=action["labels"] or None,
                box=action["box"],
                clear_old_points=action["clear_old_points"],
            ),
        )

    def add_mask(self, action):
        mask = np.array(Image.open(self.root / action["mask"])) > 0
        return self.prompted(
            action, self.model.add_new_mask(self.state, action["frame"], action["object"], mask)
        )

    def propagate(self, action):
        """Scores of every frame; masks, logits and pointers of every third frame and the last."""
        steps = self.model.propagate_in_video(
            self.state, action["start"], action["max_frames"], action["reverse"]
        )
        steps = [(frame, masks, self.outputs_on(frame)) for frame, _, masks in steps]
        for step, (frame, masks, outputs) in enumerate(steps):
            everything = step % 3 == 1 or step + 1 == len(steps)
            for object_id, output in outputs.items():
                self.keep_output(frame, object_id, output, everything)
            yield frame, masks if everything else None

    def outputs_on(self, frame):
        found = {}
        for index, object_id in enumerate(self.state["obj_ids"]):
            held = self.state["output_dict_per_obj"][index]
            output = held["cond_frame_outputs"].get(frame)
            found[object_id] = output or held["non_cond_frame_outputs"][frame]
        return found

    def remove_object(self, action):
        _, updated = self.model.remove_object(self.state, action["object"])
        return updated

    def clear_frame(self, action):
        frame, _, masks = self.model.clear_all_prompts_in_frame(
            self.state, action["frame"], action["object"]
        )
        return [(frame, masks)]

    def reset(self, _action):
        self.model.reset_state(self.state)
        return []


class Margins:
    """How far every decision of the mask decoder was from falling the other way."""

    def __init__(self, model):
        self.decoder, self.threshold = model.sam_mask_decoder, 0.98
        self.scores, self.iou_gaps, self.stability, self.best = [], [], [], []
        self.official = self.decoder.predict_masks

    def __enter__(self):
        def watched(*args, **kwargs):
            masks, ious, tokens, scores = self.official(*args, **kwargs)
            self.scores += scores.flatten().tolist()
            first, second = ious[:, 1:].topk(2, dim=1).values.T
            self.iou_gaps += (first - second).tolist()
            self.best += ious[:, 1:].argmax(1).tolist()
            inner = (masks[:, 0] > 0.05).sum((1, 2))
            outer = (masks[:, 0] > -0.05).sum((1, 2))
            self.stability += [
                # In pixels: how many would have to change sides.
                abs(i - self.threshold * o) if o else float("inf")
                for i, o in zip(inner.tolist(), outer.tolist())
            ]
            return masks, ious, tokens, scores

        self.decoder.predict_masks = watched
        return self

    def __exit__(self, *_):
        del self.decoder.predict_masks

    def summary(self):
        return {
            "object_score_closest_to_zero": min(map(abs, self.scores)),
            "object_score_range": [min(self.scores), max(self.scores)],
            "smallest_iou_gap_of_best_two": min(self.iou_gaps),
            "best_mask_counts": [self.best.count(i) for i in range(3)],
            "smallest_stability_margin_in_pixels": min(self.stability),
        }
