//! Contact sheets: small pictures with their objects, in rows.

use crate::{Mask, MediaError, OverlayObject, Result, RgbImage, draw_overlay};

/// A small copy of a picture with its objects tinted and outlined, each in the colour of its
/// number. It fits into `bounds` (width and height in pixels) and keeps the picture's proportions.
///
/// # Errors
/// [`MediaError::SizeMismatch`], naming the object, if a mask is
/// not of the picture's size.
pub fn thumbnail(
    picture: &RgbImage,
    objects: &[(u32, Mask)],
    bounds: (u32, u32),
) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    for (id, mask) in objects {
        if mask.dimensions() != (width, height) {
            return Err(MediaError::SizeMismatch {
                what: format!("the mask of object {id}"),
                found: mask.dimensions(),
                expected: (width, height),
            });
        }
    }
    let scale = f64::from(bounds.0) / f64::from(width);
    let scale = scale.min(f64::from(bounds.1) / f64::from(height));
    let scaled = |side: u32, factor: f64| ((f64::from(side) * factor).round() as u32).max(1);
    // Drawn at twice the size, so that lines become smooth and thin.
    let large = (2.0 * scale).min(1.0);
    let size = (scaled(width, large), scaled(height, large));
    let objects: Vec<(u32, Mask)> = objects
        .iter()
        .map(|(id, mask)| (*id, mask.resized(size)))
        .collect();
    let objects: Vec<OverlayObject> = objects
        .iter()
        .map(|(id, mask)| OverlayObject {
            id: *id,
            mask: Some(mask),
            prompts: &[],
        })
        .collect();
    let drawn = draw_overlay(&picture.resized(size)?, &objects)?;
    drawn.resized((scaled(width, scale), scaled(height, scale)))
}

/// Pictures in rows, one below the other, each as high as its highest picture, with `gap` pixels
/// of `ground` around every picture.
///
/// # Errors
/// [`MediaError::EmptyImage`] if there are no pictures and no gap.
pub fn arrange(rows: &[Vec<RgbImage>], gap: u32, ground: [u8; 3]) -> Result<RgbImage> {
    let row_width = |row: &Vec<RgbImage>| row.iter().map(|picture| picture.width() + gap).sum();
    let row_height =
        |row: &Vec<RgbImage>| row.iter().map(RgbImage::height).max().unwrap_or(0) + gap;
    let width = gap + rows.iter().map(row_width).max().unwrap_or(0u32);
    let height = gap + rows.iter().map(row_height).sum::<u32>();
    let mut sheet = RgbImage::filled(width, height, ground)?;
    let mut top = gap;
    for row in rows {
        let mut left = gap;
        for picture in row {
            paste(&mut sheet, picture, (left, top));
            left += picture.width() + gap;
        }
        top += row_height(row);
    }
    Ok(sheet)
}

/// Copies a picture that lies within the sheet.
fn paste(sheet: &mut RgbImage, picture: &RgbImage, (left, top): (u32, u32)) {
    let width = sheet.width() as usize * 3;
    let rows = picture.pixels().chunks_exact(picture.width() as usize * 3);
    let lines = sheet.pixels_mut().chunks_exact_mut(width);
    for (line, row) in lines.skip(top as usize).zip(rows) {
        line[left as usize * 3..][..row.len()].copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_below_one_another_with_gaps() {
        let picture = |side, level| RgbImage::filled(side, side, [level; 3]).unwrap();
        let rows = [vec![picture(4, 10), picture(2, 20)], vec![picture(3, 30)]];
        let sheet = arrange(&rows, 1, [0; 3]).unwrap();
        assert_eq!(sheet.dimensions(), (1 + 5 + 3, 1 + 5 + 4));
        let level = |x, y| sheet.pixel(x, y).unwrap()[0];
        assert_eq!([level(1, 1), level(4, 4), level(5, 1)], [10, 10, 0]);
        assert_eq!([level(6, 1), level(7, 2), level(6, 3)], [20, 20, 0]);
        assert_eq!([level(1, 6), level(3, 8), level(4, 6)], [30, 30, 0]);
    }

    #[test]
    fn a_thumbnail_fits_and_shows_the_object() {
        let picture = RgbImage::filled(64, 32, [100; 3]).unwrap();
        let mask = Mask::from_fn(64, 32, |x, _| x < 32);
        let small = thumbnail(&picture, &[(1, mask)], (16, 16)).unwrap();
        assert_eq!(small.dimensions(), (16, 8));
        assert_ne!(small.pixel(2, 4), Some([100; 3]));
        assert_eq!(small.pixel(14, 4), Some([100; 3]));
        let wrong = thumbnail(&picture, &[(7, Mask::empty(3, 3))], (16, 16));
        assert!(wrong.unwrap_err().to_string().contains("object 7 is 3x3"));
    }
}
