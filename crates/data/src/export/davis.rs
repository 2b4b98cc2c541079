//! DAVIS annotations: one palette PNG for each frame, whose values are the objects' ids.

use std::io;

use masklet_media::Mask;

use crate::davis_colour;

/// The largest id that a palette PNG can hold: 255 means void in DAVIS.
pub const MAX_ID: u32 = 254;

/// A frame's PNG in the palette of DAVIS: 0 is background, any other value an object.
///
/// Where masks overlap, the pixel belongs to the object with the larger of the logits that
/// `logit(object, pixel)` gives for indices into `masks` and the row-major pixels, as the
/// reference resolves overlaps; the first of equals wins.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if an id is 0 or above [`MAX_ID`], or a mask has another size.
pub fn encode(
    (width, height): (u32, u32),
    masks: &[(u32, Mask)],
    logit: impl Fn(usize, usize) -> f32,
) -> io::Result<Vec<u8>> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let mut owners: Vec<Option<usize>> = vec![None; width as usize * height as usize];
    for (object, (id, mask)) in masks.iter().enumerate() {
        if !(1..=MAX_ID).contains(id) {
            return Err(invalid(format!(
                "object {id} does not fit a palette PNG: 1 to {MAX_ID} are accepted; give it \
                 another number or choose another format"
            )));
        }
        if mask.dimensions() != (width, height) {
            return Err(invalid(format!(
                "the mask of object {id} is not {width}x{height}"
            )));
        }
        for (pixel, owner) in owners.iter_mut().enumerate() {
            let stronger = || owner.is_none_or(|first| logit(object, pixel) > logit(first, pixel));
            if mask.bits()[pixel] && stronger() {
                *owner = Some(object);
            }
        }
    }
    let value = |owner: Option<usize>| owner.map_or(0, |object| masks[object].0 as u8);
    let values: Vec<u8> = owners.into_iter().map(value).collect();

    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette((0..=255).flat_map(davis_colour).collect::<Vec<u8>>());
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&values)?;
    writer.finish()?;
    Ok(bytes)
}
