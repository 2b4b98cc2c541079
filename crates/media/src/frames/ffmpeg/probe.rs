//! What ffprobe says of a video.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::file_argument;
use super::watchdog::Watched;
use super::{FfmpegTools, ONE_FILE};
use crate::frames::FrameRate;

/// What is known of a video beside its frames.
#[derive(Debug, Default)]
pub(super) struct Probe {
    pub(super) frame_count: Option<usize>,
    pub(super) frame_rate: Option<FrameRate>,
    /// How many frames the stated duration has room for.
    pub(super) expected_frames: Option<usize>,
    /// When each frame is shown, where the frame rate varies.
    pub(super) times: Option<Vec<Duration>>,
}

impl Probe {
    /// Asks ffprobe. Where it is missing or silent, nothing is known.
    pub(super) fn of(tools: &FfmpegTools, video: &Path) -> Self {
        let entries = "stream=avg_frame_rate,r_frame_rate,nb_frames:format=duration";
        let mut probe = Self::default();
        let mut lowest_common = None;
        let mut duration: Option<f64> = None;
        ask(
            tools,
            video,
            entries,
            "default=noprint_wrappers=1",
            |line| match line.split_once('=') {
                Some(("avg_frame_rate", value)) => probe.frame_rate = parse_rate(value),
                Some(("r_frame_rate", value)) => lowest_common = parse_rate(value),
                Some(("nb_frames", value)) => probe.frame_count = value.parse().ok(),
                Some(("duration", value)) => duration = value.parse().ok(),
                _ => {}
            },
        );
        probe.expected_frames = (probe.frame_rate.zip(duration))
            .map(|(rate, seconds)| (rate.per_second() * seconds) as usize);
        // The rate in which all times can be expressed is the average one if it is constant.
        if probe.frame_rate != lowest_common {
            let mut times = Vec::new();
            let told = ask(tools, video, "packet=pts_time", "csv=p=0", |line| {
                times.extend(line.trim_end_matches(',').parse::<f64>().ok());
            });
            match told {
                true => probe.times = from_the_first(times),
                // Its average rate would give wrong times.
                false => probe.frame_rate = None,
            }
        }
        probe
    }
}

/// Ascending times, counted from the first.
fn from_the_first(mut seconds: Vec<f64>) -> Option<Vec<Duration>> {
    seconds.sort_by(f64::total_cmp);
    let first = *seconds.first()?;
    let since = |second: f64| Duration::try_from_secs_f64((second - first).max(0.0));
    seconds
        .into_iter()
        .map(|second| since(second).ok())
        .collect()
}

fn parse_rate(text: &str) -> Option<FrameRate> {
    let (numerator, denominator) = text.split_once('/')?;
    FrameRate::new(numerator.parse().ok()?, denominator.parse().ok()?)
}

/// Runs ffprobe on the stream that ffmpeg decodes and hands over its answer line by line. Returns
/// whether it told all.
fn ask(
    tools: &FfmpegTools,
    video: &Path,
    entries: &str,
    format: &str,
    mut each: impl FnMut(&str),
) -> bool {
    let started = Command::new(&tools.ffprobe)
        .args([
            "-v",
            "error",
            "-select_streams",
            "V:0",
            "-show_entries",
            entries,
        ])
        .args(ONE_FILE)
        .args(["-of", format, "-i"])
        .arg(file_argument(video))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else { return false };
    let Some(stdout) = child.stdout.take() else {
        return false;
    };
    // Its exit code adds nothing to what it said or did not say.
    let told = Watched::new(child).within(tools.patience, |program| {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            program.renew(tools.patience);
            each(&line);
        }
        Ok(())
    });
    told.is_ok()
}
