//! What can be read: pictures, and videos.

use std::io::Cursor;

use masklet_media::frames::{DecoderInfo, Mp4Video, decoders};
use masklet_media::{FrameSource as _, RgbImage};
use serde_json::json;

use super::check::Check;

/// A picture of 16×16 pixels, red on the left and blue on the right.
const JPEG: &[u8] = include_bytes!("probe.jpg");
/// The same picture for two frames of 64×64 pixels, H.264.
const MP4: &[u8] = include_bytes!("probe.mp4");
const LEFT: [u8; 3] = [200, 40, 40];
const RIGHT: [u8; 3] = [40, 60, 210];

/// Both are lossy: levels by which a pixel may differ.
const TOLERANCE: u8 = 8;

/// The decoders that are built in, each of which has decoded something, and other programs.
pub(super) fn checks() -> Vec<Check> {
    let built_in = [
        verdict("JPEG", jpeg()),
        verdict("PNG", png()),
        verdict("H.264", h264()),
    ];
    let videos = decoders().into_iter().map(video);
    built_in.into_iter().chain(videos).collect()
}

fn verdict(name: &'static str, outcome: Result<(), String>) -> Check {
    match outcome {
        Ok(()) => Check::ok(name, "decodes"),
        Err(what) => Check::fail(
            name,
            what,
            "the program is damaged: build or install it again",
        ),
    }
}

fn video(decoder: DecoderInfo) -> Check {
    let DecoderInfo {
        name,
        reads,
        missing,
    } = decoder;
    let values = json!({ "decoder": name, "reads": reads, "missing": missing });
    let check = match missing {
        None => Check::ok("video", format!("{name}: {reads}")),
        Some(why) => Check::note(
            "video",
            format!("{name} cannot be used ({why}): it would read {reads}"),
            "install it, and have it on the PATH",
        ),
    };
    check.with_values(values)
}

fn jpeg() -> Result<(), String> {
    let picture = RgbImage::decode(JPEG).map_err(|error| error.to_string())?;
    shows_both_colours(&picture)
}

fn h264() -> Result<(), String> {
    let mut video = Mp4Video::from_reader(Cursor::new(MP4), "the built-in test clip")
        .map_err(|error| error.to_string())?;
    for index in 0..2 {
        let frame = video.frame(index).map_err(|error| error.to_string())?;
        let frame = frame.ok_or_else(|| format!("frame {index} of 2 is missing"))?;
        shows_both_colours(&frame)?;
    }
    Ok(())
}

fn shows_both_colours(picture: &RgbImage) -> Result<(), String> {
    let (width, height) = picture.dimensions();
    for (x, expected) in [(width / 4, LEFT), (3 * width / 4, RIGHT)] {
        let found = picture.pixel(x, height / 2).unwrap_or_default();
        let near = |(a, b): (u8, u8)| a.abs_diff(b) <= TOLERANCE;
        if !found.into_iter().zip(expected).all(near) {
            return Err(format!("a pixel of {expected:?} is decoded as {found:?}"));
        }
    }
    Ok(())
}

fn png() -> Result<(), String> {
    let pixels = (0..7 * 5 * 3).map(|i| (i * 37 % 251) as u8).collect();
    let written = RgbImage::from_raw(7, 5, pixels).map_err(|error| error.to_string())?;
    let bytes = written.to_png().map_err(|error| error.to_string())?;
    let read = RgbImage::decode(&bytes).map_err(|error| error.to_string())?;
    if read.pixels() == written.pixels() {
        Ok(())
    } else {
        Err("a picture is not decoded as it was encoded".to_owned())
    }
}
