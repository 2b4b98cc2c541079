"""The official evaluators, called on arrays. Their functions are imported, none is copied.

DAVIS: `davis2017.metrics` and `davis2017.utils.db_statistics` of a checkout of
davisvideochallenge/davis2017-evaluation, applied as its semi-supervised evaluation does.
SA-V: its evaluator is `vos_benchmark.Evaluator`, applied to each object's own frames.
"""

import sys

import numpy as np

VOID = 255


def davis_functions(checkout):
    """`db_eval_iou`, `db_eval_boundary` and `db_statistics` of the checkout."""
    if not hasattr(np, "bool"):
        np.bool = bool  # the code was written for NumPy before 1.24
    sys.path.insert(0, str(checkout))
    from davis2017.metrics import db_eval_boundary, db_eval_iou
    from davis2017.utils import db_statistics

    return db_eval_iou, db_eval_boundary, db_statistics


def objects_of_first_frame(truth):
    first = truth[0][truth[0] != VOID]
    return range(1, int(first.max(initial=0)) + 1)


def davis_scores(functions, truth, found, binary, ignore_void):
    """By object: each frame's J and F, and mean, recall and decay of both."""
    db_eval_iou, db_eval_boundary, db_statistics = functions
    void = (truth == VOID)[1:-1] if ignore_void and not binary else None
    scores = {}
    for label in [1] if binary else objects_of_first_frame(truth):
        masks = [(maps > 0) if binary else (maps == label) for maps in (truth, found)]
        truth_masks, found_masks = (mask[1:-1] for mask in masks)
        with np.errstate(invalid="ignore"):
            j = db_eval_iou(truth_masks, found_masks, void)
        f = db_eval_boundary(truth_masks, found_masks, void)
        scores[str(label)] = {
            "j": [float(value) for value in j],
            "f": [float(value) for value in f],
            "j_statistics": [float(value) for value in db_statistics(j)],
            "f_statistics": [float(value) for value in db_statistics(f)],
        }
    return scores


def vos_benchmark_scores(truth, found):
    """By object: mean J and F in per cent."""
    from vos_benchmark.evaluator import Evaluator

    evaluator = Evaluator()
    for truth_map, found_map in list(zip(truth, found))[1:-1]:
        evaluator.feed_frame(mask=found_map, gt=truth_map)
    iou, boundary = evaluator.conclude()
    return {str(label): [float(iou[label]), float(boundary[label])] for label in sorted(iou)}


def sav_scores(truth, found):
    """By object, each a folder of binary masks of its own: mean J and F in per cent.

    As in SA-V, an object has annotations from its first appearance on.
    """
    from vos_benchmark.evaluator import Evaluator

    scores = {}
    for label in sorted(set(np.unique(truth).tolist()) - {0, VOID}):
        present = np.flatnonzero((truth == label).any((1, 2)))
        frames = range(present[0], len(truth))
        evaluator = Evaluator()
        for frame in list(frames)[1:-1]:
            evaluator.feed_frame(mask=found[frame] == label, gt=truth[frame] == label)
        iou, boundary = evaluator.conclude()
        if iou:
            scores[str(label)] = [float(iou[True]), float(boundary[True])]
    return scores
