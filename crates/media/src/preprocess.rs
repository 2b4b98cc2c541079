//! From a picture to the network's input, in the reference's two ways.
//!
//! The reference prepares pictures differently for its two predictors, and masks depend on
//! it, so both are here:
//!
//! | for | resize to `size` x `size` | arithmetic |
//! |---|---|---|
//! | [image predictor](for_image_predictor) | bilinear with antialiasing (PyTorch) | float |
//! | [video predictor](for_video_predictor) | bicubic (Pillow) | 8-bit fixed point |
//!
//! Both end with the ImageNet normalisation and squash the picture to a square: the aspect
//! ratio is not kept.

mod resample;

use resample::{Filter, Windows};

use crate::{Mask, RgbImage};

/// Mean of each channel (red, green, blue), for values in 0..=1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of each channel (red, green, blue), for values in 0..=1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The reference image predictor's input: `[size, size, 3]`, normalised.
///
/// Equals torchvision's `ToTensor`, `Resize((size, size))` (bilinear, `antialias=True`) and
/// `Normalize`, to within float rounding.
pub fn for_image_predictor(image: &RgbImage, size: usize) -> Vec<f32> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let columns = Windows::new(width, size, Filter::Triangle);
    let rows = Windows::new(height, size, Filter::Triangle);
    let mut tensor = resample::resize_f32::<3, u8>(image.pixels(), &columns, &rows);
    for pixel in tensor.as_chunks_mut::<3>().0 {
        for channel in 0..3 {
            pixel[channel] =
                (pixel[channel] / 255.0 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel];
        }
    }
    tensor
}

/// The reference video predictor's input: `[size, size, 3]`, normalised.
///
/// Equals Pillow's `resize((size, size))` (bicubic) on the 8-bit picture, bit for bit, then
/// division by 255 and the normalisation in 32-bit floats.
///
/// The Pillow meant is 13. Earlier versions give the same for landscape pictures, but for
/// portrait ones that are scaled down they round in another order, which changes some values
/// by a level, rarely two.
pub fn for_video_predictor(image: &RgbImage, size: usize) -> Vec<f32> {
    let table = normalisation_table();
    let resized = resize_like_pillow(image, size, size);
    let mut tensor = Vec::with_capacity(resized.len());
    for pixel in resized.as_chunks::<3>().0 {
        tensor.extend((0..3).map(|channel| table[channel][usize::from(pixel[channel])]));
    }
    tensor
}

/// Pillow's `resize((width, height))` of an RGB picture with its default filter (bicubic),
/// bit for bit: `[height, width, 3]` bytes.
pub fn resize_like_pillow(image: &RgbImage, width: usize, height: usize) -> Vec<u8> {
    let columns = Windows::new(image.width() as usize, width, Filter::CatmullRom);
    let rows = Windows::new(image.height() as usize, height, Filter::CatmullRom);
    resample::resize_u8_fixed_point(image.pixels(), &columns, &rows)
}

/// A mask as soft values in 0..=1 at another size: `[height, width]`, bilinear with
/// antialiasing.
///
/// This is how the reference brings a mask prompt to the network's size; it then calls
/// values of at least 0.5 the object.
pub fn resize_mask(mask: &Mask, width: usize, height: usize) -> Vec<f32> {
    let columns = Windows::new(mask.width() as usize, width, Filter::Triangle);
    let rows = Windows::new(mask.height() as usize, height, Filter::Triangle);
    resample::resize_f32::<1, bool>(mask.bits(), &columns, &rows)
}

/// The normalised value of each of the 256 levels, per channel: the reference divides in
/// double precision and normalises in single.
fn normalisation_table() -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|level| {
            let value = (level as f64 / 255.0) as f32;
            (value - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel]
        })
    })
}
