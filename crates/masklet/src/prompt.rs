//! Prompts in pixels of the user's picture, checked and brought to the network's input.

use masklet_model::{Point, PointLabel};

use crate::{Error, Result};

/// A click on the object or on the background.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Click {
    /// Across, in pixels from the left; fractions allowed.
    pub x: f32,
    /// Down, in pixels from the top.
    pub y: f32,
    /// Whether the object is there (or the background).
    pub positive: bool,
}

impl Click {
    /// A click on the object.
    pub const fn positive(x: f32, y: f32) -> Self {
        Self {
            x,
            y,
            positive: true,
        }
    }

    /// A click on what is not the object.
    pub const fn negative(x: f32, y: f32) -> Self {
        Self {
            x,
            y,
            positive: false,
        }
    }
}

/// Pairs points with labels, as they come in files: 1 on the object, 0 on the background.
///
/// # Errors
/// If there are not as many labels as points, or a label is neither 0 nor 1.
pub fn clicks_from_labels(points: &[[f32; 2]], labels: &[i64]) -> Result<Vec<Click>> {
    if points.len() != labels.len() {
        return Err(Error::LabelCount {
            points: points.len(),
            labels: labels.len(),
        });
    }
    points
        .iter()
        .zip(labels)
        .map(|(&[x, y], &label)| match label {
            0 => Ok(Click::negative(x, y)),
            1 => Ok(Click::positive(x, y)),
            other => Err(Error::UnknownLabel(other)),
        })
        .collect()
}

/// A box around the object: left, top, right, bottom, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxPrompt {
    /// Left edge.
    pub x0: f32,
    /// Top edge.
    pub y0: f32,
    /// Right edge.
    pub x1: f32,
    /// Bottom edge.
    pub y1: f32,
}

impl BoxPrompt {
    /// From its upper left and lower right corners.
    pub const fn new(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self { x0, y0, x1, y1 }
    }
}

/// Maps pixels of a picture to pixels of the network's square input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    width: u32,
    height: u32,
    image_size: usize,
}

impl Frame {
    pub(crate) fn new((width, height): (u32, u32), image_size: usize) -> Self {
        Self {
            width,
            height,
            image_size,
        }
    }

    /// The network's points for a box and clicks, the box first as in training.
    pub(crate) fn points(&self, bounds: Option<BoxPrompt>, clicks: &[Click]) -> Result<Vec<Point>> {
        let mut points = Vec::with_capacity(clicks.len() + 2);
        if let Some(bounds) = bounds {
            points.extend(self.corners(bounds)?);
        }
        for click in clicks {
            let label = if click.positive {
                PointLabel::Positive
            } else {
                PointLabel::Negative
            };
            points.push(self.point(click.x, click.y, label)?);
        }
        Ok(points)
    }

    /// A box may touch the picture's far edges; a click may not.
    fn corners(&self, BoxPrompt { x0, y0, x1, y1 }: BoxPrompt) -> Result<[Point; 2]> {
        let inside = |x: f32, y: f32| {
            (0.0..=self.width as f32).contains(&x) && (0.0..=self.height as f32).contains(&y)
        };
        for (x, y) in [(x0, y0), (x1, y1)] {
            if !inside(x, y) {
                return Err(self.outside(x, y));
            }
        }
        if x0 >= x1 || y0 >= y1 {
            return Err(Error::BoxReversed { x0, y0, x1, y1 });
        }
        Ok([
            self.scaled(x0, y0, PointLabel::BoxTopLeft),
            self.scaled(x1, y1, PointLabel::BoxBottomRight),
        ])
    }

    fn point(&self, x: f32, y: f32, label: PointLabel) -> Result<Point> {
        // Written so that NaN is outside.
        if (0.0..self.width as f32).contains(&x) && (0.0..self.height as f32).contains(&y) {
            Ok(self.scaled(x, y, label))
        } else {
            Err(self.outside(x, y))
        }
    }

    fn scaled(&self, x: f32, y: f32, label: PointLabel) -> Point {
        let size = self.image_size as f32;
        Point {
            x: x / self.width as f32 * size,
            y: y / self.height as f32 * size,
            label,
        }
    }

    fn outside(&self, x: f32, y: f32) -> Error {
        Error::PointOutside {
            x,
            y,
            width: self.width,
            height: self.height,
        }
    }
}
