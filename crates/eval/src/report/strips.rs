//! Strips of frames with truth and prediction, so that a person sees where a method fails.

use masklet_data::FrameAnnotation;
use masklet_media::{BoundingBox, Mask, OverlayObject, RgbImage, draw_overlay};

use super::Unit;
use crate::Result;

/// Frames in a strip.
const FRAMES: usize = 6;
/// Pictures are scaled down to at most this width.
const WIDEST: u32 = 300;
const QUALITY: u8 = 78;

/// Frames of a sequence, or segments of an image, of one row of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Strip {
    /// The row's number in the report.
    pub row: usize,
    /// The sequence or image.
    pub unit: String,
    /// From left to right.
    pub frames: Vec<StripFrame>,
}

/// A frame with truth above and prediction below, as JPEG files.
#[derive(Debug, Clone, PartialEq)]
pub struct StripFrame {
    /// The frame's number and score.
    pub caption: String,
    /// The picture with what is annotated.
    pub truth: Vec<u8>,
    /// The picture with what is predicted.
    pub predicted: Vec<u8>,
}

/// The frames to show of a sequence: evenly over those that are scored, the worst among them. Each
/// with its mean score over objects, per cent.
pub fn frames_to_show(unit: &Unit) -> Vec<(usize, f64)> {
    let mut scores: std::collections::BTreeMap<usize, Vec<f64>> = std::collections::BTreeMap::new();
    for frame in unit.objects.iter().flat_map(|object| &object.frames) {
        scores
            .entry(frame.frame)
            .or_default()
            .push((frame.j + frame.f) * 50.0);
    }
    let all: Vec<(usize, f64)> = scores
        .into_iter()
        .map(|(frame, values)| (frame, values.iter().sum::<f64>() / values.len() as f64))
        .collect();
    if all.len() <= FRAMES {
        return all;
    }
    let mut chosen: Vec<usize> = (0..FRAMES)
        .map(|at| at * (all.len() - 1) / (FRAMES - 1))
        .collect();
    let worst = (0..all.len())
        .min_by(|&a, &b| all[a].1.total_cmp(&all[b].1))
        .unwrap_or(0);
    if let Some(nearest) = chosen.iter_mut().min_by_key(|at| at.abs_diff(worst)) {
        *nearest = worst;
    }
    chosen.into_iter().map(|at| all[at]).collect()
}

impl StripFrame {
    /// Draws a frame. Without a picture, masks are drawn on grey.
    ///
    /// # Errors
    /// If masks and picture differ in size.
    pub fn draw(
        caption: String,
        picture: Option<RgbImage>,
        truth: &FrameAnnotation,
        predicted: Option<&FrameAnnotation>,
    ) -> Result<Self> {
        let (width, height) = truth.dimensions();
        let picture = match picture {
            Some(picture) => picture,
            None => RgbImage::filled(width, height, [60, 60, 60])?,
        };
        Ok(Self {
            caption,
            truth: drawn(&picture, &masks_of(truth))?,
            predicted: drawn(&picture, &predicted.map(masks_of).unwrap_or_default())?,
        })
    }

    /// Draws one segment of an image and what is around it, so that small ones are seen too.
    ///
    /// # Errors
    /// If masks and picture differ in size.
    pub fn segment(
        caption: String,
        picture: &RgbImage,
        truth: &Mask,
        predicted: &Mask,
    ) -> Result<Self> {
        let view = truth
            .bounding_box()
            .map(|bounds| view(bounds, picture.dimensions()));
        let seen = match view {
            Some(view) => picture.crop(view)?,
            None => picture.clone(),
        };
        let draw = |mask: &Mask| {
            let (left, top) = view.map_or((0, 0), |view| (view.x0, view.y0));
            let mask = Mask::from_fn(seen.width(), seen.height(), |x, y| {
                mask.contains(left + x, top + y)
            });
            drawn(&seen, &[(1, mask)])
        };
        Ok(Self {
            caption,
            truth: draw(truth)?,
            predicted: draw(predicted)?,
        })
    }
}

/// A part of a picture, of the picture's proportions, in which a segment takes about half a side.
fn view(bounds: BoundingBox, (width, height): (u32, u32)) -> BoundingBox {
    const SMALLEST: f64 = 96.0;
    let share = |length: u32, of: u32| f64::from(length) * 2.0 / f64::from(of);
    let share = share(bounds.width(), width)
        .max(share(bounds.height(), height))
        .max(SMALLEST / f64::from(width))
        .min(1.0);
    let span = |from: u32, to: u32, of: u32| {
        let length = ((f64::from(of) * share).round() as u32).clamp(1, of);
        let start = ((from + to) / 2)
            .saturating_sub(length / 2)
            .min(of - length);
        (start, start + length)
    };
    let (x0, x1) = span(bounds.x0, bounds.x1, width);
    let (y0, y1) = span(bounds.y0, bounds.y1, height);
    BoundingBox { x0, y0, x1, y1 }
}

fn masks_of(annotation: &FrameAnnotation) -> Vec<(u32, Mask)> {
    let mask = |id: u32| Some((id, annotation.mask(id)?));
    annotation
        .object_ids()
        .into_iter()
        .filter_map(mask)
        .collect()
}

fn drawn(picture: &RgbImage, masks: &[(u32, Mask)]) -> Result<Vec<u8>> {
    let factor = picture.width().div_ceil(WIDEST).max(1);
    // What is left over at the right and below is squeezed in.
    let small = picture.resized((picture.width() / factor, (picture.height() / factor).max(1)))?;
    let masks: Vec<(u32, Mask)> = masks
        .iter()
        .map(|(id, mask)| (*id, smaller_mask(mask, small.dimensions(), factor)))
        .collect();
    let objects: Vec<OverlayObject<'_>> = masks
        .iter()
        .map(|(id, mask)| OverlayObject {
            id: *id,
            mask: Some(mask),
            prompts: &[],
        })
        .collect();
    Ok(draw_overlay(&small, &objects)?.to_jpeg(QUALITY)?)
}

/// Whether the object covers a quarter of a block: less would lose what is thin.
fn smaller_mask(mask: &Mask, (width, height): (u32, u32), factor: u32) -> Mask {
    Mask::from_fn(width, height, |x, y| {
        let pixels = (0..factor * factor).map(|at| (at % factor, at / factor));
        let covered = pixels.filter(|&(dx, dy)| mask.contains(x * factor + dx, y * factor + dy));
        4 * covered.count() as u32 >= factor * factor
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_holds_its_segment_and_has_the_pictures_proportions() {
        let bounds = |x0, y0, x1, y1| BoundingBox { x0, y0, x1, y1 };
        for segment in [
            bounds(0, 0, 3, 2),
            bounds(479, 300, 481, 321),
            bounds(10, 20, 400, 60),
            bounds(0, 0, 481, 321),
        ] {
            let view = view(segment, (481, 321));
            assert!(view.x0 <= segment.x0 && view.x1 >= segment.x1, "{view:?}");
            assert!(view.y0 <= segment.y0 && view.y1 >= segment.y1, "{view:?}");
            assert!(view.x1 <= 481 && view.y1 <= 321, "{view:?}");
            let proportions = f64::from(view.width()) / f64::from(view.height());
            assert!((proportions - 481.0 / 321.0).abs() < 0.05, "{view:?}");
        }
    }
}
