//! Binary masks.

mod png;
mod set;
mod stability;

pub use stability::stability_score;

use crate::{MediaError, Result, preprocess};

/// A binary mask, `[height, width]`, row-major: `true` where the object is.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    bits: Vec<bool>,
}

/// A rectangle of whole pixels: columns `x0..x1` and rows `y0..y1`. The left and top edges are
/// included, the right and bottom ones are not, so a single pixel at (3, 4) is (3, 4, 4, 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct BoundingBox {
    /// First column.
    pub x0: u32,
    /// First row.
    pub y0: u32,
    /// One past the last column.
    pub x1: u32,
    /// One past the last row.
    pub y1: u32,
}

impl BoundingBox {
    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.x1.saturating_sub(self.x0)
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.y1.saturating_sub(self.y0)
    }

    /// The number of pixels.
    pub fn area(&self) -> u64 {
        u64::from(self.width()) * u64::from(self.height())
    }

    /// The corners, for [`boxes`](crate::boxes).
    pub fn corners(&self) -> [f32; 4] {
        [self.x0, self.y0, self.x1, self.y1].map(|side| side as f32)
    }

    /// The form COCO uses: `[x, y, width, height]`, equal to pycocotools' `toBbox`.
    pub fn to_coco(&self) -> [u32; 4] {
        [self.x0, self.y0, self.width(), self.height()]
    }
}

impl Mask {
    /// A mask with no object in it. A side may be zero.
    pub fn empty(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            bits: vec![false; width as usize * height as usize],
        }
    }

    /// A mask over `bits`, `[height, width]`, `true` where the object is.
    ///
    /// # Errors
    /// [`MediaError::BufferLength`] if `bits` is not `width * height` long.
    pub fn from_bits(width: u32, height: u32, bits: Vec<bool>) -> Result<Self> {
        check_length("mask", width, height, bits.len())?;
        Ok(Self {
            width,
            height,
            bits,
        })
    }

    /// A mask that holds where `logits`, `[height, width]`, are above `threshold` (the
    /// reference's is 0). NaN counts as background.
    ///
    /// # Errors
    /// [`MediaError::BufferLength`] if `logits` is not `width * height` long.
    pub fn from_logits(width: u32, height: u32, logits: &[f32], threshold: f32) -> Result<Self> {
        check_length("mask", width, height, logits.len())?;
        Ok(Self {
            width,
            height,
            bits: logits.iter().map(|&logit| logit > threshold).collect(),
        })
    }

    /// A mask that holds at column `x`, row `y` where `inside(x, y)` says so.
    pub fn from_fn(width: u32, height: u32, mut inside: impl FnMut(u32, u32) -> bool) -> Self {
        let bits = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            width,
            height,
            bits: bits.map(|(x, y)| inside(x, y)).collect(),
        }
    }

    /// The mask at another width and height: what is covered by at least one half after the
    /// antialiased linear filter, as the reference brings a mask prompt to the network's size.
    pub fn resized(&self, (width, height): (u32, u32)) -> Self {
        let soft = preprocess::resize_mask(self, width as usize, height as usize);
        let bits = soft.iter().map(|&share| share >= 0.5).collect();
        Self {
            width,
            height,
            bits,
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The mask, `[height, width]`.
    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// The mask, `[height, width]`, to change in place.
    pub fn bits_mut(&mut self) -> &mut [bool] {
        &mut self.bits
    }

    /// The mask, `[height, width]`, without a copy.
    pub fn into_bits(self) -> Vec<bool> {
        self.bits
    }

    /// Whether the object covers column `x`, row `y`; `false` outside the mask.
    pub fn contains(&self, x: u32, y: u32) -> bool {
        x < self.width && y < self.height && self.row(y)[x as usize]
    }

    /// The number of pixels the object covers.
    pub fn area(&self) -> u64 {
        self.bits.iter().filter(|&&bit| bit).count() as u64
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        !self.bits.contains(&true)
    }

    /// The smallest box around the object, or `None` if there is none.
    pub fn bounding_box(&self) -> Option<BoundingBox> {
        let mut found: Option<BoundingBox> = None;
        for y in 0..self.height {
            let row = self.row(y);
            let Some(first) = row.iter().position(|&bit| bit) else {
                continue;
            };
            let last = row.iter().rposition(|&bit| bit).unwrap_or(first);
            let (x0, x1) = (first as u32, last as u32 + 1);
            found = Some(match found {
                None => BoundingBox {
                    x0,
                    y0: y,
                    x1,
                    y1: y + 1,
                },
                Some(b) => BoundingBox {
                    x0: b.x0.min(x0),
                    y0: b.y0,
                    x1: b.x1.max(x1),
                    y1: y + 1,
                },
            });
        }
        found
    }

    /// Row `y`, which must be inside the mask.
    fn row(&self, y: u32) -> &[bool] {
        &self.bits[y as usize * self.width as usize..][..self.width as usize]
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Mask({}x{}, area {})",
            self.width,
            self.height,
            self.area()
        )
    }
}

/// Checks that a buffer of `found` values can be `[height, width]`.
pub(crate) fn check_length(
    what: &'static str,
    width: u32,
    height: u32,
    found: usize,
) -> Result<()> {
    let expected = (width as usize).saturating_mul(height as usize);
    if found != expected {
        return Err(MediaError::BufferLength {
            what,
            width,
            height,
            expected,
            found,
        });
    }
    Ok(())
}
