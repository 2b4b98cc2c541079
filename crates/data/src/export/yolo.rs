//! YOLO segmentation labels: a text file for each frame, a polygon for each object.
//!
//! A line is `class x1 y1 x2 y2 …`, the coordinates divided by the frame's width and height.
//! Polygons follow the edges of pixels, so that filling one (even-odd) gives the mask exactly.
//! The format knows one outline for an object and neither holes nor several parts: all outlines
//! of a mask, holes included, are joined into one by bridges of no width, each passed once there
//! and once back. Nor does it know tracks: the class is the object's place among
//! [`Records::objects`], named in `data.yaml`. Frames without any mask have an empty file.

use std::fmt::Write as _;

use masklet_media::contours::{self, Contour};

use crate::record::{FrameRecord, Records};

/// The label file of a frame; `classes` are the objects' ids in the order of their classes.
pub fn labels(record: &FrameRecord, classes: &[u32]) -> String {
    let mut text = String::new();
    for object in record.objects.iter().filter(|object| object.area > 0) {
        let Some(class) = classes.iter().position(|&id| id == object.id) else {
            continue;
        };
        let mask = object.segmentation.decode();
        let (width, height) = mask.dimensions();
        let _ = write!(text, "{class}");
        for (x, y) in joined(&contours::trace(&mask)) {
            let (x, y) = (
                f64::from(x) / f64::from(width),
                f64::from(y) / f64::from(height),
            );
            let _ = write!(text, " {x:.6} {y:.6}");
        }
        text.push('\n');
    }
    text
}

/// The data set file that names the classes; pictures are expected in `images` beside `labels`.
pub fn data_file(records: &Records) -> String {
    let mut text = String::from("path: .\ntrain: images\nval: images\nnames:\n");
    for (class, object) in records.objects().iter().enumerate() {
        let _ = writeln!(text, "  {class}: object {}", object.id);
    }
    text
}

/// One outline of all outlines: through the first points of each to the last, and back.
fn joined(contours: &[Contour]) -> Vec<(u32, u32)> {
    let mut points = Vec::new();
    for contour in contours {
        points.extend(&contour.points);
        if contours.len() > 1 {
            points.extend(contour.points.first());
        }
    }
    let back = contours.iter().skip(1).rev().skip(1);
    points.extend(back.filter_map(|contour| contour.points.first()));
    points
}

#[cfg(test)]
mod tests {
    use masklet_media::{Mask, Rle};
    use proptest::prelude::*;

    use super::*;
    use crate::record::ObjectRecord;

    /// Fills a polygon by the even-odd rule, sampled at the centres of pixels.
    fn fill(points: &[(f64, f64)], width: u32, height: u32) -> Mask {
        Mask::from_fn(width, height, |x, y| {
            let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
            let next = points.iter().cycle().skip(1);
            let crossings = points.iter().zip(next).filter(|&(a, b)| {
                (a.1 > y) != (b.1 > y) && x < (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0
            });
            crossings.count() % 2 == 1
        })
    }

    fn record(mask: &Mask) -> FrameRecord {
        FrameRecord {
            frame: 0,
            time: None,
            objects: vec![ObjectRecord {
                id: 7,
                segmentation: Rle::encode(mask),
                occlusion_score: 1.0,
                area: mask.area(),
                bbox: [0; 4],
                stability_score: 1.0,
                prompted: false,
            }],
        }
    }

    #[test]
    fn a_rectangle_has_four_corners() {
        let mask = Mask::from_fn(8, 4, |x, y| (2..6).contains(&x) && (1..3).contains(&y));
        assert_eq!(
            labels(&record(&mask), &[3, 7]),
            "1 0.250000 0.250000 0.750000 0.250000 0.750000 0.750000 0.250000 0.750000\n"
        );
    }

    #[test]
    fn an_empty_mask_has_no_line() {
        assert_eq!(labels(&record(&Mask::empty(8, 4)), &[7]), "");
    }

    proptest! {
        #[test]
        fn filling_the_polygon_gives_the_mask(
            bits in proptest::collection::vec(any::<bool>(), 9 * 7),
        ) {
            let mask = Mask::from_bits(9, 7, bits).unwrap();
            let text = labels(&record(&mask), &[7]);
            let numbers: Vec<f64> = text.split_whitespace().skip(1)
                .map(|number| number.parse().unwrap()).collect();
            let points: Vec<(f64, f64)> = numbers.chunks(2)
                .map(|p| ((p[0] * 9.0).round(), (p[1] * 7.0).round())).collect();
            prop_assert_eq!(fill(&points, 9, 7), mask);
        }
    }
}
