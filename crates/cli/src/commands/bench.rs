//! `masklet bench`: how fast this machine is.

use std::time::Instant;

use masklet::{
    Click, ClickHistory, MemoryRetention, Model, Propagation, VideoOptions, VideoPredictor,
};
use masklet_kernels::{cpu_features, peak_gflops};
use masklet_model::memory_bank::{Direction, MemoryBank, MemoryEntry, RecentChoice};
use masklet_model::{Operations, Precision, Prompts, Sam2};
use masklet_train::monitor::peak_memory_bytes;
use serde::Serialize;

use crate::Global;
use crate::failure::Failure;
use crate::model_args::ModelArgs;
use crate::output::{print_json, print_line};
use crate::scene::MovingPattern;

/// Measure how fast this machine segments and tracks.
///
/// Times are medians. Pictures are made up; with --model and without --weights the parameters are
/// random, which changes no time.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  masklet bench --model sam2.1-tiny
  masklet bench --weights sam2.1_hiera_tiny.pt --precision auto --threads 2 --json")]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// How often each stage is timed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

/// The result; seconds are medians.
#[derive(Serialize)]
struct Report {
    model: String,
    precision: &'static str,
    threads: usize,
    /// Instructions that the kernels use for this precision.
    instructions: &'static str,
    /// Image encoder.
    encode_s: f64,
    /// Memory attention to a full bank.
    attend_s: f64,
    /// Mask decoder.
    decode_s: f64,
    /// Memory encoder.
    remember_s: f64,
    /// A whole video frame with one object and a full bank, from picture to mask.
    frame_s: f64,
    frames_per_second: f64,
    /// What a second object adds to a frame.
    extra_object_s: f64,
    /// Largest resident memory so far, MiB; null where the system does not tell.
    peak_rss_mb: Option<f64>,
    /// Measured on registers alone, all threads, 10⁹ operations a second.
    peak_gflops: f64,
    /// Operations of the stage by the reference's count, divided by time and peak. Above 1 where
    /// less is computed than the reference does.
    encode_share_of_peak: f64,
    frame_share_of_peak: f64,
}

/// Runs the command.
pub(crate) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let model = args.model(global)?;
    let rounds = usize::from(args.rounds);
    let peak = peak_gflops(model.precision());
    let stages = model.compute(|network| Stages::measure(&model, network, rounds));
    let video = VideoTimes::measure(&model, rounds)?;
    let operations = Operations::of(model.config());
    let share = |operations: f64, seconds: f64| operations / 1e9 / seconds / peak;
    let features = cpu_features();
    let (precision, instructions) = match model.precision() {
        Precision::F32 => ("f32", features.f32_path),
        Precision::Bf16 => ("bf16", features.bf16_path),
    };
    let report = Report {
        model: model.name().to_owned(),
        precision,
        threads: rayon::current_num_threads(),
        instructions,
        encode_s: stages.encode,
        attend_s: stages.attend,
        decode_s: stages.decode,
        remember_s: stages.remember,
        frame_s: video.one_object,
        frames_per_second: video.one_object.recip(),
        extra_object_s: video.two_objects - video.one_object,
        peak_rss_mb: peak_memory_bytes().map(|bytes| bytes as f64 / f64::from(1 << 20)),
        peak_gflops: peak,
        encode_share_of_peak: share(operations.encode, stages.encode),
        frame_share_of_peak: share(operations.frame(), video.one_object),
    };
    if global.json {
        print_json(&report)
    } else {
        report.print()
    }
}

impl Args {
    /// The given checkpoint, the named model with random parameters (nothing is fetched), or the
    /// model inside this program.
    fn model(&self, global: &Global) -> Result<Model, Failure> {
        match (self.model.weights(), self.model.named()) {
            (None, Some(preset)) => {
                let model = Model::random(&preset.config(), 0, self.model.compute(global))?;
                Ok(model.named(preset))
            }
            _ => self.model.load(global),
        }
    }
}

/// The stages of a frame, each by itself.
struct Stages {
    encode: f64,
    attend: f64,
    decode: f64,
    remember: f64,
}

impl Stages {
    fn measure(model: &Model, network: &Sam2, rounds: usize) -> Self {
        let config = model.config();
        let pixels = MovingPattern::new(1).pixels(model);
        let (encode, features) = median(rounds, || network.encode_image(pixels.clone()));

        let first = network.segment_object(
            network.condition(&features, None),
            &features,
            Prompts::default(),
        );
        let remember = || {
            network.remember(
                &features,
                first.low_res_logits.clone(),
                first.object_score.clone(),
                network.mask_encoding(false),
            )
        };
        let (remember_s, spatial) = median(rounds, remember);
        let entry = MemoryEntry {
            spatial,
            pointer: first.pointer.clone(),
        };
        let mut bank = MemoryBank::default();
        bank.insert_conditioning(0, entry.clone());
        let frame = config
            .memory
            .max_object_pointers
            .max(config.memory.num_maskmem)
            + 1;
        for earlier in 1..frame {
            bank.insert_recent(earlier, entry.clone());
        }
        let memories = bank.select(
            frame,
            Direction::Forward,
            None,
            &config.memory,
            RecentChoice::ByAge,
        );
        let (attend, embedding) = median(rounds, || network.condition(&features, Some(&memories)));
        let decode = || network.segment_object(embedding.clone(), &features, Prompts::default());
        let (decode, _) = median(rounds, decode);
        Self {
            encode,
            attend,
            decode,
            remember: remember_s,
        }
    }
}

/// Whole frames of a video, once the memory bank is full.
struct VideoTimes {
    one_object: f64,
    two_objects: f64,
}

impl VideoTimes {
    fn measure(model: &Model, rounds: usize) -> Result<Self, Failure> {
        let memory = &model.config().memory;
        let filling = memory.max_object_pointers.max(memory.num_maskmem) + 1;
        let options = VideoOptions {
            retention: MemoryRetention::Reachable,
            cached_frames: 1,
            ..VideoOptions::default()
        };
        // The first frame of a propagation waits for its own encoding and the last one has none to
        // begin, so neither is timed.
        let tracked = rounds + 2;
        let frames = MovingPattern::new(filling + 2 * tracked);
        let (width, height) = frames.size();
        let mut session = VideoPredictor::with_options(model, options).session(frames);
        for (id, x) in [(1, 0.3), (2, 0.7)] {
            let click = Click::positive(x * width as f32, 0.5 * height as f32);
            session.add_clicks(0, id, &[click], ClickHistory::Replace)?;
        }
        let propagation = |start: usize, count: usize| Propagation {
            start: Some(start),
            max_frames: Some(count),
            ..Propagation::default()
        };
        for result in session.propagate(propagation(0, filling))? {
            result?;
        }
        let timed = |start: usize, session: &mut masklet::VideoSession<MovingPattern>| {
            let mut times = Vec::new();
            let mut frames = session.propagate(propagation(start, tracked))?;
            loop {
                let begin = Instant::now();
                let Some(result) = frames.next() else {
                    return Ok::<_, Failure>(middle(times[1..=rounds].to_vec()));
                };
                result?;
                times.push(begin.elapsed().as_secs_f64());
            }
        };
        let two_objects = timed(filling, &mut session)?;
        session.remove_object(2)?;
        let one_object = timed(filling + tracked, &mut session)?;
        Ok(Self {
            one_object,
            two_objects,
        })
    }
}

/// The median time of `rounds` calls, after one that warms up; and the last result.
fn median<T>(rounds: usize, mut call: impl FnMut() -> T) -> (f64, T) {
    let mut result = call();
    let times = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            result = call();
            begin.elapsed().as_secs_f64()
        })
        .collect();
    (middle(times), result)
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Report {
    fn print(&self) -> Result<(), Failure> {
        let milliseconds =
            |name: &str, seconds: f64| print_line(&format!("{name:<24}{:>9.1} ms", seconds * 1e3));
        print_line(&format!(
            "{}, {} by {}, {} threads, peak {:.0} GFLOP/s",
            self.model, self.precision, self.instructions, self.threads, self.peak_gflops
        ))?;
        milliseconds("encode", self.encode_s)?;
        milliseconds("attend, full bank", self.attend_s)?;
        milliseconds("decode", self.decode_s)?;
        milliseconds("remember", self.remember_s)?;
        milliseconds("video frame", self.frame_s)?;
        milliseconds("each further object", self.extra_object_s)?;
        print_line(&format!(
            "{:<24}{:>9.2}",
            "frames per second", self.frames_per_second
        ))?;
        if let Some(peak) = self.peak_rss_mb {
            print_line(&format!("{:<24}{peak:>9.0} MiB", "peak memory"))?;
        }
        print_line(&format!(
            "{:<24}{:>8.0}% of peak (encoder), {:.0}% (frame), by the reference's operation count",
            "arithmetic",
            self.encode_share_of_peak * 100.0,
            self.frame_share_of_peak * 100.0
        ))
    }
}
