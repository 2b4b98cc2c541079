"""Procedural pictures: textured shapes that move over a textured background."""

import numpy as np


def texture(height, width, seed, low, high, scale):
    """Smooth noise between the colours `low` and `high`; `scale` is its coarsest period."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    total = np.zeros((height, width))
    for octave in range(4):
        for _ in range(3):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            period = scale / 2**octave * rng.uniform(0.7, 1.4)
            total += np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period + phase) / (octave + 1)
    total = 0.5 + 0.5 * np.tanh(0.45 * total)
    low, high = np.array(low, float), np.array(high, float)
    return low + (high - low) * total[..., None]


def blob(height, width, cx, cy, rx, ry, angle=0.0, lobes=0, depth=0.2):
    """An ellipse, wavy where `lobes` is not zero, as a boolean mask."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    dx, dy = x - cx, y - cy
    u = (dx * np.cos(angle) + dy * np.sin(angle)) / rx
    v = (-dx * np.sin(angle) + dy * np.cos(angle)) / ry
    limit = 1.0 + (depth * np.cos(lobes * np.arctan2(v, u)) if lobes else 0.0)
    return np.hypot(u, v) < limit


def quantise(picture):
    """Eight bits, in steps of 4: the texture stays, and PNG files stay small."""
    return (np.clip(np.round(picture / 4.0), 0, 63) * 4).astype(np.uint8)


def paste(picture, mask, paint):
    picture[mask] = paint[mask]


def still(which):
    """Picture 0 (wide) or 1 (tall), and the mask of its main object."""
    if which == 0:
        h, w = 196, 300
        picture = texture(h, w, 10, (40, 70, 90), (150, 160, 120), 120)
        mask = blob(h, w, 120, 95, 60, 42, 0.4, 5)
        paste(picture, blob(h, w, 230, 60, 35, 45, 0.2, 3), texture(h, w, 12, (20, 120, 30), (120, 220, 90), 40))
        paste(picture, mask, texture(h, w, 11, (190, 40, 30), (250, 190, 60), 30))
    else:
        h, w = 250, 170
        picture = texture(h, w, 20, (150, 140, 160), (220, 220, 230), 90)
        mask = blob(h, w, 80, 150, 45, 62, -0.3, 4)
        paste(picture, blob(h, w, 120, 50, 30, 26), texture(h, w, 22, (30, 30, 40), (90, 80, 60), 25))
        paste(picture, mask, texture(h, w, 21, (20, 40, 120), (110, 170, 250), 35))
    return quantise(picture), mask


VIDEO_SIZE = (152, 208)  # height, width
VIDEO_FRAMES = 18


def video_frame(index):
    """One frame, and the visible masks of its two objects.

    A red blob walks right and passes behind a pillar (frames 7 to 11); a blue one comes down and
    leaves through the lower edge from frame 12 on. Light falls while they move.
    """
    h, w = VIDEO_SIZE
    t = index
    big = texture(h + 40, w + 60, 30, (60, 80, 60), (170, 170, 140), 100)
    picture = big[t : t + h, 2 * t : 2 * t + w].copy()
    red = blob(h, w, 30 + 9.5 * t, 60 + 12 * np.sin(t / 3), 26, 20, 0.15 * t, 5)
    blue = blob(h, w, 150 - 3 * t, 35 + 8 * t, 22, 25, -0.1 * t, 3, 0.15)
    paint_red = np.roll(texture(h, w, 31, (170, 30, 20), (250, 180, 70), 26), (0, 9 * t), (0, 1))
    paint_blue = np.roll(texture(h, w, 32, (20, 30, 110), (90, 180, 250), 30), (8 * t, -3 * t), (0, 1))
    paste(picture, blue, paint_blue)
    paste(picture, red, paint_red)
    pillar = np.zeros((h, w), bool)
    pillar[:, 106:142] = True
    paste(picture, pillar, texture(h, w, 33, (90, 90, 100), (130, 130, 150), 18))
    light = 1.0 + 0.25 * np.sin(t * 0.9)
    return quantise(picture * light), red & ~pillar, blue & ~red & ~pillar
