//! Outlines of masks along the edges of pixels.

use crate::Mask;

/// One closed outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contour {
    /// Its corners, as (x, y) of the grid between pixels: pixel (0, 0) has the corners (0, 0) to
    /// (1, 1). The last is joined to the first; only corners are listed, not points between.
    pub points: Vec<(u32, u32)>,
    /// Whether it surrounds a hole (and runs counterclockwise) rather than a part of the object
    /// (clockwise, as seen on the screen).
    pub hole: bool,
}

/// All outlines of a mask, by their uppermost left corners from top to bottom. Pixels that touch
/// at a corner belong together, as in COCO's polygons.
pub fn trace(mask: &Mask) -> Vec<Contour> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    // Every outline goes along the upper edge of some object pixel: outer ones at their top,
    // holes at their bottom. Upper edges that were passed need no outline of their own.
    let mut passed = vec![false; width * height];
    let mut contours = Vec::new();
    for y in 0..mask.height() {
        for x in 0..mask.width() {
            let upper_edge = mask.contains(x, y) && (y == 0 || !mask.contains(x, y - 1));
            if upper_edge && !passed[y as usize * width + x as usize] {
                contours.push(follow(mask, (x, y), &mut passed));
            }
        }
    }
    contours
}

/// A step along an edge, as seen on the screen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heading {
    Right,
    Down,
    Left,
    Up,
}

impl Heading {
    fn turned(self, clockwise: bool) -> Self {
        const ROUND: [Heading; 4] = [Heading::Right, Heading::Down, Heading::Left, Heading::Up];
        ROUND[(self as usize + if clockwise { 1 } else { 3 }) % 4]
    }

    /// The offsets, from a corner, of the pixels ahead to the left and to the right of it.
    fn ahead(self) -> [(i64, i64); 2] {
        match self {
            Self::Right => [(0, -1), (0, 0)],
            Self::Down => [(0, 0), (-1, 0)],
            Self::Left => [(-1, 0), (-1, -1)],
            Self::Up => [(-1, -1), (0, -1)],
        }
    }

    fn step(self, (x, y): (i64, i64)) -> (i64, i64) {
        match self {
            Self::Right => (x + 1, y),
            Self::Down => (x, y + 1),
            Self::Left => (x - 1, y),
            Self::Up => (x, y - 1),
        }
    }
}

/// Goes once around, the object always on the right, from the upper edge of the pixel `from`.
fn follow(mask: &Mask, from: (u32, u32), passed: &mut [bool]) -> Contour {
    let inside = |x: i64, y: i64| match (u32::try_from(x), u32::try_from(y)) {
        (Ok(x), Ok(y)) => mask.contains(x, y),
        _ => false,
    };
    let start = (i64::from(from.0), i64::from(from.1));
    let (mut at, mut heading) = (start, Heading::Right);
    let mut points = Vec::new();
    // Twice the area to the right: positive for outlines of the object.
    let mut doubled_area = 0;
    loop {
        if heading == Heading::Right {
            passed[at.1 as usize * mask.width() as usize + at.0 as usize] = true;
        }
        let next = heading.step(at);
        doubled_area += at.0 * next.1 - next.0 * at.1;
        at = next;
        let [left, right] = heading.ahead().map(|(dx, dy)| inside(at.0 + dx, at.1 + dy));
        let turned = match (left, right) {
            (true, _) => heading.turned(false),
            (false, true) => heading,
            (false, false) => heading.turned(true),
        };
        if turned != heading {
            points.push((at.0 as u32, at.1 as u32));
        }
        heading = turned;
        if at == start && heading == Heading::Right {
            break;
        }
    }
    // The start came last.
    if points.last() == Some(&from) {
        points.rotate_right(1);
    }
    Contour {
        points,
        hole: doubled_area < 0,
    }
}
