//! `masklet demo`: an object tracked in a clip that is part of the program.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use clap::Parser as _;
use masklet_media::atomic;

use super::video;
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::output::print_line;
use crate::{Cli, Command, Global};

/// A cup of coffee flies past a rocket and behind a pillar. `tools/demo` made it of pictures
/// without limits (CC0).
const CLIP: &[u8] = include_bytes!("../../assets/demo.mp4");

/// A click on the cup, on the first frame, and two that correct where the cup comes out from behind the
/// pillar, which the small model alone goes on tracking in its place: on the cup, and on what is not the
/// cup. As `masklet video` takes them.
const CLICKS: [&str; 3] = ["0:80,170", "70:318,120", "70:283,120,0"];

/// See it work: track an object in a clip that is part of this program.
///
/// Somebody clicks on the object on the first frame, and again where it was lost; nothing is fetched.
/// Writes the clip, the clip with the object's mask (demo.mp4) and a contact sheet (sheet.png) into the
/// output folder, beside all that `masklet video` writes.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Folder for the results; created if need be.
    #[arg(short, long, value_name = "DIR", default_value = "demo")]
    output: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: Args, global: &Global) -> Result<(), Failure> {
    let folder = args
        .output
        .to_str()
        .ok_or_else(|| Failure::usage(anyhow!("the folder's name has to be UTF-8")))?;
    fs::create_dir_all(&args.output).with_context(|| format!("cannot create {folder}"))?;
    let [clip, movie, sheet] =
        ["clip.mp4", "demo.mp4", "sheet.png"].map(|name| format!("{folder}/{name}"));
    atomic::write(clip.as_ref(), CLIP)?;

    let clicks = CLICKS.iter().flat_map(|click| ["--point", click]);
    let words = ["masklet", "video", &clip].into_iter().chain(clicks);
    let words = words.chain(["--overlay", &movie, "-o", folder]);
    let command = words.clone().collect::<Vec<_>>().join(" ");
    let Ok(Cli {
        command: Command::Video(video),
        ..
    }) = Cli::try_parse_from(words)
    else {
        unreachable!("the words are those of `masklet video`")
    };
    let start = Instant::now();
    let frames = video::track(&video.with_model(args.model), global)?;
    if global.json || global.quiet {
        return Ok(());
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = frames as f64 / seconds;
    print_line(&format!(
        "\
{frames} frames in {seconds:.1} s, {rate:.1} a second, decoding and drawing included

watch         {movie}
or look at    {sheet}
what was run  {command}

Try next:
  masklet video YOUR.mp4 --point 0:X,Y      your video: the object at pixel X,Y of its first frame
  masklet everything YOUR.jpg               every object on a picture
  masklet demo --model sam2.1-tiny          the same with a strong model, which is fetched once"
    ))
}
