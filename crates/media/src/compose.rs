//! Objects cut out of their pictures, and put before other backgrounds.

use std::path::Path;

use image::ExtendedColorType;
use rayon::prelude::*;

use crate::rgb_image::{encode_png, write_png};
use crate::{Mask, MediaError, Result, RgbImage, preprocess};

/// What is put behind objects.
#[derive(Clone, Debug, PartialEq)]
pub enum Background {
    /// The picture itself, out of focus.
    Blur,
    /// One colour.
    Colour([u8; 3]),
    /// Another picture, scaled to cover the frame and cut to it around its centre.
    Picture(RgbImage),
}

/// A blur this many times smaller than the picture's shorter side: strong enough that text and
/// faces cannot be made out.
const BLUR_SHARE: u32 = 40;

/// Writes the object alone as an RGBA PNG of the picture's size, complete or not at all:
/// opaque where the mask is, transparent black elsewhere.
///
/// # Errors
/// [`MediaError::SizeMismatch`] if the mask is not of the picture's size; [`MediaError::Write`],
/// naming the file.
pub fn save_cutout(picture: &RgbImage, mask: &Mask, path: &Path) -> Result<()> {
    check(picture, mask)?;
    let pixels = picture.pixels().as_chunks::<3>().0;
    let rgba: Vec<u8> = pixels
        .iter()
        .zip(mask.bits())
        .flat_map(|(&[r, g, b], &inside)| if inside { [r, g, b, 255] } else { [0; 4] })
        .collect();
    let (width, height) = picture.dimensions();
    write_png(
        path,
        encode_png(&rgba, width, height, ExtendedColorType::Rgba8),
    )
}

/// The objects of `picture`, which `mask` covers, before another background.
///
/// # Errors
/// [`MediaError::SizeMismatch`] if the mask is not of the picture's size.
pub fn replace_background(
    picture: &RgbImage,
    mask: &Mask,
    background: &Background,
) -> Result<RgbImage> {
    check(picture, mask)?;
    let mut canvas = match background {
        Background::Blur => blurred(picture),
        Background::Colour(colour) => RgbImage::filled(picture.width(), picture.height(), *colour)?,
        Background::Picture(behind) => covering(behind, picture.dimensions())?,
    };
    let pixels = picture.pixels().as_chunks::<3>().0;
    let below = canvas.pixels_mut().as_chunks_mut::<3>().0;
    for ((below, pixel), &inside) in below.iter_mut().zip(pixels).zip(mask.bits()) {
        if inside {
            *below = *pixel;
        }
    }
    Ok(canvas)
}

fn check(picture: &RgbImage, mask: &Mask) -> Result<()> {
    if mask.dimensions() == picture.dimensions() {
        return Ok(());
    }
    Err(MediaError::SizeMismatch {
        what: "the mask".into(),
        found: mask.dimensions(),
        expected: picture.dimensions(),
    })
}

/// The picture scaled to cover `width` × `height`, and cut to that around its centre.
fn covering(picture: &RgbImage, (width, height): (u32, u32)) -> Result<RgbImage> {
    let (from_width, from_height) = (f64::from(picture.width()), f64::from(picture.height()));
    let scale = (f64::from(width) / from_width).max(f64::from(height) / from_height);
    let scaled = |side: f64, least: u32| ((side * scale).round() as usize).max(least as usize);
    let (wide, high) = (scaled(from_width, width), scaled(from_height, height));
    let pixels = preprocess::resize_like_pillow(picture, wide, high);
    let (left, top) = ((wide - width as usize) / 2, (high - height as usize) / 2);
    let cut = pixels
        .chunks_exact(wide * 3)
        .skip(top)
        .take(height as usize)
        .flat_map(|row| &row[left * 3..][..width as usize * 3])
        .copied()
        .collect();
    RgbImage::from_raw(width, height, cut)
}

/// Three box blurs in each direction, which come close to a Gaussian.
fn blurred(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let radius = (width.min(height) / BLUR_SHARE).max(1) as usize;
    let (width, height) = (width as usize, height as usize);
    let across = blurred_rows(picture.pixels(), width, radius);
    let down = blurred_rows(&transposed(&across, width, height), height, radius);
    let pixels = transposed(&down, height, width);
    RgbImage::from_raw(picture.width(), picture.height(), pixels)
        .expect("a blurred picture has the size of the picture")
}

/// Blurs rows of `width` RGB pixels.
fn blurred_rows(pixels: &[u8], width: usize, radius: usize) -> Vec<u8> {
    let mut result = pixels.to_vec();
    result.par_chunks_mut(width * 3).for_each(|row| {
        let mut line = row.to_vec();
        for _ in 0..3 {
            box_blur(&line, row, radius);
            line.copy_from_slice(row);
        }
    });
    result
}

/// Running means over `2 * radius + 1` pixels, the ends repeated.
fn box_blur(from: &[u8], to: &mut [u8], radius: usize) {
    let (from, to) = (from.as_chunks::<3>().0, to.as_chunks_mut::<3>().0);
    let last = from.len() - 1;
    let count = (2 * radius + 1) as u32;
    for channel in 0..3 {
        let value = |at: usize| u32::from(from[at.min(last)][channel]);
        let mut sum = value(0) * (radius as u32 + 1) + (1..=radius).map(value).sum::<u32>();
        for (at, pixel) in to.iter_mut().enumerate() {
            pixel[channel] = ((sum + count / 2) / count) as u8;
            sum += value(at + radius + 1);
            sum -= value(at.saturating_sub(radius));
        }
    }
}

/// `[height, width, 3]` becomes `[width, height, 3]`.
fn transposed(pixels: &[u8], width: usize, height: usize) -> Vec<u8> {
    let pixels = pixels.as_chunks::<3>().0;
    (0..width)
        .flat_map(|x| (0..height).map(move |y| y * width + x))
        .flat_map(|at| pixels[at])
        .collect()
}
