"""What a user does in each video fixture: the actions that the predictor replays."""


def points(object_id, frame, *triples, clear_old_points=True):
    return {
        "action": "add_points_or_box",
        "object": object_id,
        "frame": frame,
        "points": [[x, y] for x, y, _ in triples],
        "labels": [label for *_, label in triples],
        "box": None,
        "clear_old_points": clear_old_points,
    }


def box(object_id, frame, corners, *triples):
    return points(object_id, frame, *triples) | {"box": list(corners)}


def mask(object_id, frame, file):
    return {"action": "add_mask", "object": object_id, "frame": frame, "mask": f"masks/{file}.png"}


def propagate(start=None, max_frames=None, reverse=False):
    return {"action": "propagate", "start": start, "max_frames": max_frames, "reverse": reverse}


def remove_object(object_id):
    return {"action": "remove_object", "object": object_id}


def clear_frame(object_id, frame):
    return {"action": "clear_frame", "object": object_id, "frame": frame}


RESET = {"action": "reset"}

DEFAULTS = {
    "non_overlapping_masks": False,
    "clear_memory_around_corrections": False,
    "corrections_are_conditioning": False,
    "max_conditioning_frames": None,
    "temporal_stride": 1,
    "fill_hole_area": 0,
}


def script(frames, actions, occlusion="present", **options):
    return {
        "frames": frames,
        "occlusion": occlusion,
        "options": DEFAULTS | options,
        "actions": actions,
    }


CLICKS = [points(1, 0, (31, 61, 1)), box(2, 0, (128, 10, 173, 62))]

SCRIPTS = {
    # Clicks and a box, all 18 frames, a correction, an object added after tracking began.
    "present": script(
        18,
        [
            points(1, 0, (31, 61, 1)),
            points(1, 0, (12.5, 90.25, 0), clear_old_points=False),
            box(2, 0, (128, 10, 173, 62)),
            propagate(),
            points(1, 9, (118, 80, 1), clear_old_points=False),
            propagate(start=9, max_frames=4),
            mask(7, 6, "red_06"),
            propagate(max_frames=9),
        ],
    ),
    # Objects that come and go; clicking one back where it was lost.
    "varying": script(
        18,
        [
            points(1, 0, (31, 61, 1), (60, 30, 0)),
            mask(2, 0, "blue_00"),
            propagate(),
            points(1, 8, (98, 70, 1)),
            points(2, 12, (98, 130, 1), (120, 30, 0)),
            propagate(start=8),
        ],
        occlusion="varying",
    ),
    # Every order of prompts on one frame, clearing, removing, starting again.
    "editing": script(
        9,
        [
            points(1, 0, (31, 61, 1)),
            points(1, 0, (40, 52, 1), (80, 80, 0)),  # replaces the first click
            box(1, 0, (4, 35, 60, 86), (31, 61, 1)),  # replaces both
            points(1, 0, (90, 100, 0), clear_old_points=False),  # box and click stay
            mask(2, 0, "blue_00"),
            points(2, 0, (158, 40, 1), clear_old_points=False),  # refines the mask given
            points(3, 2, (100, 20, 1)),
            mask(3, 2, "red_02"),  # replaces the click
            propagate(),
            points(2, 4, (140, 70, 1)),  # on a tracked frame
            propagate(start=4, max_frames=2),
            clear_frame(2, 4),
            clear_frame(3, 2),
            points(3, 2, (60, 70, 1)),
            clear_frame(1, 0),
            points(1, 0, (40, 62, 1)),
            propagate(start=1, max_frames=4),
            remove_object(2),
            propagate(start=3, max_frames=2),
            RESET,
            mask(5, 2, "red_02"),
            points(4, 3, (140, 60, 1)),
            propagate(max_frames=3),
            propagate(start=3, reverse=True),
        ],
    ),
    # Backwards, forwards from there, and a correction on a frame that was tracked backwards.
    "reverse": script(
        18,
        [
            points(1, 9, (118, 80, 1)),
            mask(2, 9, "red_09"),
            propagate(reverse=True),
            propagate(start=9, max_frames=5),
            points(1, 5, (80, 70, 1), (20, 20, 0)),
            propagate(start=4, max_frames=3, reverse=True),
            propagate(start=6, max_frames=2),
        ],
    ),
    "non_overlapping": script(
        6,
        [
            *CLICKS,
            points(3, 0, (100, 120, 1)),
            propagate(),
            points(3, 4, (60, 70, 1)),
            propagate(start=4),
        ],
        non_overlapping_masks=True,
    ),
    "clear_memory": script(
        14,
        [*CLICKS, propagate(), points(1, 8, (100, 75, 1)), propagate(start=9), propagate(start=0, max_frames=3)],
        clear_memory_around_corrections=True,
    ),
    "conditioning_corrections": script(
        12,
        [
            *CLICKS,
            propagate(),
            points(1, 6, (85, 75, 1), (20, 20, 0)),
            points(1, 6, (70, 60, 1), clear_old_points=False),
            propagate(start=4),
        ],
        corrections_are_conditioning=True,
    ),
    "nearest_conditioning": script(
        18,
        [
            points(1, 0, (31, 61, 1)),
            mask(1, 4, "red_04"),
            points(1, 8, (98, 70, 1)),
            mask(1, 12, "red_12"),
            propagate(),
            propagate(start=17, max_frames=12, reverse=True),
        ],
        max_conditioning_frames=2,
    ),
    "temporal_stride": script(
        16,
        [points(1, 0, (31, 61, 1)), propagate(), points(1, 14, (180, 60, 1)), propagate(start=14, reverse=True)],
        temporal_stride=2,
    ),
    "hole_filling": script(5, [*CLICKS, propagate()], fill_hole_area=8),
}
