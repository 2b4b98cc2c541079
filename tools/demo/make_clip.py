"""Makes the clip of `masklet demo`, a cup of coffee that flies past a rocket and behind a brick pillar.

The pictures come with scikit-image and carry no limits: `coffee` (Rachel Michetti, CC0), `rocket`
(SpaceX, CC0) and `brick` (CC0Textures, CC0).

    pip install scikit-image opencv-python-headless
    python tools/demo/make_clip.py -o crates/cli/assets       # demo.mp4; needs ffmpeg
"""

import argparse
import math
import subprocess
from pathlib import Path

import cv2
import numpy as np
import skimage

WIDTH, HEIGHT, RATE, SECONDS = 480, 320, 24, 4
PICTURES = Path(skimage.__file__).parent / "data"


def picture(name: str) -> np.ndarray:
    return cv2.imread(str(PICTURES / name))


def cup() -> tuple[np.ndarray, np.ndarray]:
    """The cup on its saucer, and how opaque each pixel is (0 to 1)."""
    coffee = picture("coffee.png")
    mask = np.full(coffee.shape[:2], cv2.GC_BGD, np.uint8)
    # The saucer and the cup's rim, marked by hand; what is well inside them is certain.
    cv2.ellipse(mask, (279, 234), (206, 164), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(mask, (290, 112), (122, 98), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(mask, (279, 234), (180, 138), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.ellipse(mask, (288, 118), (104, 84), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.setRNGSeed(0)
    cv2.grabCut(coffee, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    inside = cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    return coffee, cv2.GaussianBlur(inside.astype(np.float32), (5, 5), 0)


def cup_at(time: float):
    """Where the cup is at a time between 0 and 1: it comes from the left, swings, turns and grows."""
    x = 90 + 310 * time
    y = 165 + 45 * math.sin(2 * math.pi * time)
    turn = cv2.getRotationMatrix2D((279, 210), 25 * math.sin(2 * math.pi * time), 0.33 + 0.1 * time)
    turn[:, 2] += np.array([x - 279, y - 210])
    return turn


def opacity_at(time: float, alpha: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(alpha, cup_at(time), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)


def frame_at(time: float, cutout, background, pillar) -> np.ndarray:
    """The picture at a time between 0 and 1."""
    coffee, alpha = cutout
    pan = 60 * time
    scene = cv2.warpAffine(
        background, np.float32([[1, 0, -pan], [0, 1, -40]]), (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR
    ).astype(np.float32)
    over = cv2.warpAffine(coffee, cup_at(time), (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
    scene += opacity_at(time, alpha)[..., None] * (over.astype(np.float32) - scene)
    left = int(330 - 1.6 * pan)
    scene[:, left : left + pillar.shape[1]] = pillar
    return np.clip(scene, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    output = parser.parse_args().output
    cutout = cup()
    background = cv2.resize(picture("rocket.jpg"), (600, 400), interpolation=cv2.INTER_AREA)
    pillar = cv2.resize(picture("brick.png"), (320, 320), interpolation=cv2.INTER_AREA)[:, :32] * 0.9
    count = RATE * SECONDS
    encode = subprocess.Popen(
        ["ffmpeg", "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "bgr24"]
        + ["-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "-"]
        + ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "26", "-preset", "veryslow"]
        + ["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart"]
        + [str(output / "demo.mp4")],
        stdin=subprocess.PIPE,
    )
    for number in range(count):
        frame = frame_at(number / (count - 1), cutout, background, pillar.astype(np.float32))
        encode.stdin.write(frame.tobytes())
    encode.stdin.close()
    if encode.wait() != 0:
        raise SystemExit("ffmpeg failed")


if __name__ == "__main__":
    main()
