//! `masklet everything`: masks of all there is on a picture, masklets of all there is in a video.

pub(crate) mod options;
mod picture;
mod video;

use anyhow::anyhow;
use masklet_media::RgbImage;

use crate::Global;
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::results::ResultArgs;
use crate::video_input::VideoInput;
use options::{DiscoveryArgs, GeneratorArgs};

/// What to do when nothing is found.
const NOTHING_FOUND: &str = "nothing was found; lower --pred-iou-thresh or \
    --stability-score-thresh to get masks that the model is less sure of";

const INPUT_HELP: &str = "A picture; or a video: a file, a folder of images (one a frame), or `-` \
    for frames on standard input";

/// Find everything on a picture, or in a video and track it.
///
/// Of a picture, writes masks.json (the records of the reference's automatic mask generator, in
/// the layout of SA-1B's files), `masks/<k>.png` (0/255) and overlay.png into the output folder. Of
/// a video, what `masklet video` writes: the masks of the first frame become objects that are
/// tracked, and every so many frames what is new is added to them.
#[derive(clap::Args)]
#[command(mut_arg("input", |input| input.help(INPUT_HELP).long_help(INPUT_HELP)))]
#[command(after_help = "Examples:
  A picture:
    masklet everything truck.jpg --weights sam2.1_hiera_tiny.pt -o out/
  Small things too, from four crops with a quarter of the clicks each:
    masklet everything truck.jpg --weights FILE --crop-n-layers 1 \\
        --crop-n-points-downscale-factor 2 -o out/
  A video, fewer clicks, looking for new objects every 50 frames:
    masklet everything clip.mp4 --weights FILE --points-per-side 16 --every 50 -o out/")]
pub(crate) struct Args {
    #[command(flatten)]
    input: VideoInput,
    #[command(flatten)]
    model: ModelArgs,
    /// How masks are written into masks.json [default: coco_rle]. For pictures.
    #[arg(long, value_enum, value_name = "MODE")]
    output_mode: Option<OutputMode>,
    #[command(flatten)]
    generator: GeneratorArgs,
    #[command(flatten)]
    discovery: DiscoveryArgs,
    #[command(flatten)]
    results: ResultArgs,
}

/// Forms of a mask in JSON, by the reference's names.
#[derive(clap::ValueEnum, Clone, Copy, Default)]
#[value(rename_all = "snake_case")]
enum OutputMode {
    /// COCO run-length encoding, compressed.
    #[default]
    CocoRle,
    /// COCO run-length encoding as a list of lengths.
    UncompressedRle,
    /// Rows of 0 and 1.
    BinaryMask,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let path = args.input.path()?;
    let is_picture = !args.input.is_stream() && !path.is_dir() && RgbImage::recognises(path)?;
    let misplaced = if is_picture {
        let for_videos = args.input.given();
        for_videos
            .or(args.discovery.given())
            .or(args.results.given_for_videos())
    } else {
        args.output_mode.map(|_| "--output-mode")
    };
    match (misplaced, is_picture) {
        (Some(flag), true) => Err(Failure::usage(anyhow!(
            "{flag} is for videos, and {} is a picture",
            path.display()
        ))),
        (Some(flag), false) => Err(Failure::usage(anyhow!(
            "{flag} is for pictures, and {} is none",
            path.display()
        ))),
        (None, true) => picture::run(args, path, global),
        (None, false) => video::run(args, global),
    }
}
