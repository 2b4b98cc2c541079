//! What is written: the flags.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use masklet_data::sav::ANNOTATED_EVERY;
use masklet_media::RgbImage;
use masklet_media::compose::Background;

/// Which results are written, and where.
#[derive(clap::Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct ResultArgs {
    /// Formats of the masks; several are separated by commas. `masklets.json`, `masklets.jsonl`
    /// and the contact sheet `sheet.png` are always written.
    #[arg(
        long = "format",
        value_enum,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "png"
    )]
    pub(super) formats: Vec<Format>,
    /// Write the clip with masks, object numbers and prompts as an H.264 video, instead of a
    /// picture for each frame in `overlay/`. Numbers of hidden objects stand crossed out in the
    /// upper left corner.
    #[arg(long, value_name = "FILE.mp4", conflicts_with = "no_overlay")]
    pub(super) overlay: Option<PathBuf>,
    /// Write neither overlay pictures nor an overlay video.
    #[arg(long)]
    pub(super) no_overlay: bool,
    /// Cut the objects out: `cutout/<id>/<frame>.png` (RGBA of the frame's size, transparent
    /// outside the object).
    #[arg(long)]
    pub(super) cutout: bool,
    /// Put all objects together before another background: `blur`, a colour (`#rrggbb`, black,
    /// white, grey, green, blue) or a picture file, scaled to cover the frame. Writes
    /// `background/<frame>.png` and `background.mp4`.
    #[arg(long, value_name = "blur|COLOUR|FILE", value_parser = parse_background)]
    pub(super) background: Option<BackgroundName>,
    /// Of how many frames SA-V annotates one. The data set and its viewer take four.
    #[arg(long, value_name = "N", default_value_t = ANNOTATED_EVERY as u32,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) sav_step: u32,
    /// Also write the logits: `<frame>/<id>/low_res_logits` (side × side) and
    /// `<frame>/<id>/object_score`.
    #[arg(long, value_name = "FILE.safetensors")]
    pub(super) logits: Option<PathBuf>,
    /// Folder for the results; created if need be.
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    pub(super) output: PathBuf,
}

/// Formats of masks.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `masks/<id>/<frame>.png`: a mask for each object and frame, 0 or 255.
    Png,
    /// `davis/<frame>.png`: a palette picture for each frame whose values are object ids, up to
    /// 254. Where objects overlap, the one with the higher logit has the pixel.
    Davis,
    /// `sav/<video>_manual.json` (or `_auto.json`): the fields of the SA-V data set, one frame
    /// in --sav-step.
    Sav,
    /// `coco.json`: COCO instances with compressed run-length encoding, an image for each frame;
    /// `track_id` is the object's id.
    Coco,
    /// `ytvis.json`: YouTube-VIS, an annotation for each object, null where it is hidden.
    Ytvis,
    /// `yolo/labels/<frame>.txt`: a normalised polygon for each object, with holes and separate
    /// parts joined by bridges of no width. The class is the object.
    Yolo,
    /// `masklets.npz`: NumPy arrays `masks` (frames, objects, height, width; bool), `frames`,
    /// `times`, `object_ids`, `occlusion_scores`.
    Npz,
}

/// A background, before a picture is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum BackgroundName {
    Blur,
    Colour([u8; 3]),
    File(PathBuf),
}

impl BackgroundName {
    /// Reads the picture, if it is one.
    pub(super) fn load(&self) -> Result<Background> {
        Ok(match self {
            Self::Blur => Background::Blur,
            Self::Colour(colour) => Background::Colour(*colour),
            Self::File(path) => {
                let picture = RgbImage::open(path).context(
                    "--background takes `blur`, a colour such as #00ff00, or a picture file",
                )?;
                Background::Picture(picture)
            }
        })
    }
}

fn parse_background(text: &str) -> Result<BackgroundName> {
    Ok(match text {
        "blur" => BackgroundName::Blur,
        "black" => BackgroundName::Colour([0; 3]),
        "white" => BackgroundName::Colour([255; 3]),
        "grey" | "gray" => BackgroundName::Colour([128; 3]),
        "green" => BackgroundName::Colour([0, 255, 0]),
        "blue" => BackgroundName::Colour([0, 0, 255]),
        _ => match text.strip_prefix('#') {
            Some(digits) => BackgroundName::Colour(hexadecimal(digits).with_context(|| {
                format!("`{text}` is not a colour: write #rrggbb, such as #00ff00")
            })?),
            None => BackgroundName::File(text.into()),
        },
    })
}

fn hexadecimal(digits: &str) -> Option<[u8; 3]> {
    let hexadecimal = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = hexadecimal.then(|| u32::from_str_radix(digits, 16).ok())??;
    let [_, red, green, blue] = value.to_be_bytes();
    Some([red, green, blue])
}

impl ResultArgs {
    /// The folder for the results.
    pub(crate) fn folder(&self) -> &Path {
        &self.output
    }

    /// Whether pictures with the masks on them are wanted.
    pub(crate) fn draws_overlay(&self) -> bool {
        !self.no_overlay
    }

    /// The first flag that was given and says nothing to a command that works on a picture.
    pub(crate) fn given_for_videos(&self) -> Option<&'static str> {
        let given = [
            (self.formats != [Format::Png], "--format"),
            (self.overlay.is_some(), "--overlay"),
            (self.cutout, "--cutout"),
            (self.background.is_some(), "--background"),
            (self.sav_step != ANNOTATED_EVERY as u32, "--sav-step"),
            (self.logits.is_some(), "--logits"),
        ];
        given
            .into_iter()
            .find(|(given, _)| *given)
            .map(|(_, flag)| flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_background_is_a_blur_a_colour_or_a_file() {
        let parsed = |text| parse_background(text).unwrap();
        assert_eq!(parsed("blur"), BackgroundName::Blur);
        assert_eq!(parsed("#0180fF"), BackgroundName::Colour([1, 128, 255]));
        assert_eq!(
            parsed("beach.jpg"),
            BackgroundName::File("beach.jpg".into())
        );
        for wrong in ["#12345", "#1234567", "#+12345", "#äöü"] {
            assert!(parse_background(wrong).is_err(), "{wrong}");
        }
    }
}
