//! Makes a clip of a picture with a label map, and writes what it looks like.
//!
//! ```sh
//! cargo run --example made_up_clip -- DATASET INDEX SEED OUT.png
//! ```

use masklet_data::clip::{MotionOptions, clip_from_image};
use masklet_data::{Dataset, ReadOptions};
use masklet_media::{OverlayObject, RgbImage, draw_overlay};
use rand::SeedableRng as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, index, seed, out] = arguments.as_slice() else {
        return Err("give a data set, an image's number, a seed and a file to write".into());
    };
    let Dataset::Images(images) = masklet_data::open(path, &ReadOptions::default())? else {
        return Err(format!("{path} is a data set of videos, not of images").into());
    };
    let image = images.open(index.parse()?)?;
    let masks: Vec<_> = image
        .segments()
        .map(|segment| segment.mask.decode())
        .collect();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed.parse()?);
    let options = MotionOptions::default();
    let clip = clip_from_image(&image.name, &image.picture()?, &masks, &options, &mut rng)?;

    // Pictures above, their objects below.
    let (width, height) = clip.dimensions();
    let columns = clip.frames.len() as u32;
    let mut sheet = RgbImage::filled(width * columns, 2 * height, [0; 3])?;
    for (column, frame) in (0..).zip(&clip.frames) {
        let objects: Vec<OverlayObject> = (1..)
            .zip(&frame.masks)
            .map(|(id, mask)| OverlayObject {
                id,
                mask: Some(mask),
                prompts: &[],
            })
            .collect();
        let drawn = draw_overlay(&frame.picture, &objects)?;
        for (row, picture) in [&frame.picture, &drawn].into_iter().enumerate() {
            for y in 0..height as usize {
                let line = &picture.pixels()[y * width as usize * 3..][..width as usize * 3];
                let top = row * height as usize + y;
                let start = (top * (width * columns) as usize + (column * width) as usize) * 3;
                sheet.pixels_mut()[start..start + line.len()].copy_from_slice(line);
            }
        }
    }
    sheet.save_png(out)?;
    Ok(())
}
