//! Checks a video against ffmpeg: every frame of it, pixel by pixel.
//!
//! ```text
//! cargo run --release -p masklet-media --example compare_with_ffmpeg -- clip.mp4 …
//! ```
//!
//! For each file it prints the decoder that was chosen, the number of frames, the largest and
//! the mean difference of a channel (0 to 255) from `ffmpeg -pix_fmt rgb24`, and what share of
//! channels differs by more than two levels. It ends with exit code 1 if a frame is missing on
//! either side, or more than one channel in 10,000 differs by that much.
//!
//! It is not always none: openh264 smooths some block edges of B-frames with another strength
//! than the standard asks for (<https://github.com/cisco/openh264/issues/3269>).

use std::io::Read;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use masklet_media::{FrameSource, Mp4Video, open_video};

type Failure = Box<dyn std::error::Error>;

/// The largest difference of a channel that counts as equal.
const TOLERANCE: u8 = 2;
/// The largest accepted share of channels that are not equal.
const ACCEPTED_SHARE: f64 = 1e-4;

fn main() -> ExitCode {
    let mut all_equal = true;
    for path in std::env::args().skip(1) {
        match compare(&path) {
            Ok(equal) => all_equal &= equal,
            Err(error) => {
                println!("{path}: {error}");
                all_equal = false;
            }
        }
    }
    ExitCode::from(u8::from(!all_equal))
}

fn compare(path: &str) -> Result<bool, Failure> {
    let built_in = Mp4Video::open(path).is_ok();
    let mut ours = open_video(path)?;
    let (width, height) = ours.dimensions();
    // One frame out for one in, whatever the times say.
    let mut ffmpeg = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-v",
            "error",
            "-i",
            path,
            "-vsync",
            "passthrough",
        ])
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut theirs = ffmpeg.stdout.take().ok_or("ffmpeg has no output")?;

    let (mut frames, mut sum, mut largest, mut unequal) = (0_usize, 0_u64, 0_u8, 0_u64);
    let mut seconds = 0.0;
    let mut expected = vec![0; width as usize * height as usize * 3];
    loop {
        let started = Instant::now();
        let frame = ours.frame(frames)?;
        seconds += started.elapsed().as_secs_f64();
        let Some(frame) = frame else { break };
        theirs
            .read_exact(&mut expected)
            .map_err(|_| format!("ffmpeg has only {frames} frames of {width}x{height}"))?;
        for (ours, theirs) in frame.pixels().iter().zip(&expected) {
            let difference = ours.abs_diff(*theirs);
            sum += u64::from(difference);
            largest = largest.max(difference);
            unequal += u64::from(difference > TOLERANCE);
        }
        frames += 1;
    }
    let missing = theirs.read(&mut [0])? != 0;
    drop(theirs);
    ffmpeg.wait()?;

    let channels = (frames * expected.len()) as f64;
    let (mean, share) = (sum as f64 / channels, unequal as f64 / channels);
    let decoder = if built_in { "built in" } else { "ffmpeg" };
    println!(
        "{path}: {decoder}, {frames} frames of {width}x{height} at {}, largest difference \
         {largest}, mean {mean:.4}, {share:.1e} above {TOLERANCE}, {:.0} frames/s{}",
        ours.frame_rate()
            .map_or("?".to_owned(), |rate| rate.to_string()),
        frames as f64 / seconds,
        if missing {
            "; ffmpeg has more frames"
        } else {
            ""
        },
    );
    Ok(!missing && share <= ACCEPTED_SHARE)
}
