//! `masklet eval pvs`: promptable video segmentation, interactive.

use masklet_eval::metrics::mean;
use masklet_eval::protocols::pvs::{Effort, Mode, Pvs, PvsSequence, Responder, RoundCost};
use masklet_eval::protocols::vos::predicted;
use masklet_eval::report::{CurvePoint, Metric, Protocol, Row, Strip};
use masklet_eval::scoring::{SequenceScore, Summary, Void};

use super::common::{Findings, ModelOfReport, RunArgs, finish, strip, with_progress};
use super::video_args::VideoArgs;
use crate::Global;
use crate::failure::Failure;

/// Correct a model where it is wrong, and see how its masks improve.
///
/// Offline, each round annotates the frame with the lowest IoU and tracks again. Online, the video
/// is gone through once, stopping where the IoU falls below a threshold. Results are kept in the
/// output folder, so that an interrupted run continues.
#[derive(clap::Args)]
#[command(after_help = "Example:
  masklet eval pvs --data sav_val/ --mode offline,online --weights sam2.1_hiera_tiny.pt -o reports/sav")]
pub(super) struct Args {
    #[command(flatten)]
    video: VideoArgs,
    /// How the annotator goes through a video.
    #[arg(
        long,
        value_enum,
        value_name = "MODES",
        value_delimiter = ',',
        default_value = "offline,online"
    )]
    mode: Vec<ModeName>,
    /// Clicks on each annotated frame.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    clicks: u8,
    /// Frames that are annotated at most, the first one included.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    rounds: u8,
    /// Online: a frame with a lower IoU is annotated.
    #[arg(long, value_name = "IOU", default_value_t = 0.75)]
    threshold: f64,
    /// The quality (J&F, per cent) to which the clicks and seconds needed are counted.
    #[arg(long, value_name = "J&F", default_value_t = 80.0)]
    quality: f64,
    /// Frames that are kept encoded for the next round; one takes 16 MB at 1024 pixels.
    #[arg(long, value_name = "N", default_value_t = 64)]
    encoded_frames: usize,
    #[command(flatten)]
    run: RunArgs,
}

/// Modes by name.
#[derive(clap::ValueEnum, Clone, Copy)]
enum ModeName {
    /// Rounds through the whole video.
    Offline,
    /// One pass.
    Online,
}

impl ModeName {
    fn mode(self) -> Mode {
        match self {
            Self::Offline => Mode::Offline,
            Self::Online => Mode::Online,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let data = args.video.open()?;
    let names = args.video.names(&*data)?;
    let model = args.run.model(global)?;
    let responders = args.responders(model.as_ref())?;
    let reporting = &args.run.reporting;
    let void = Void::Background;
    let pvs = Pvs {
        videos: args.video.videos(&*data, &names, void, reporting.cache()),
        effort: Effort {
            clicks: args.clicks.into(),
            frames: args.rounds.into(),
            threshold: args.threshold,
        },
    };
    let runs: Vec<(&Responder, Mode)> = responders
        .iter()
        .flat_map(|responder| args.mode.iter().map(move |mode| (responder, mode.mode())))
        .collect();
    let mut findings = Findings::default();
    let mut strips = Vec::new();
    with_progress("sequence", names.len() * runs.len(), global, |watch| {
        for &(responder, mode) in &runs {
            let (sequences, failures) = pvs.evaluate(responder, mode, watch)?;
            let row = args.row(responder, mode, &sequences);
            strips.extend(args.strips(&pvs, findings.rows.len(), &row, &sequences)?);
            findings.rows.push(row);
            findings.failures.extend(failures);
        }
        Ok(())
    })?;
    let description = args.video.describe(&*data, names.len());
    let report = reporting.report(
        Protocol::Pvs,
        description,
        pvs.videos.rules.sentence(),
        model.as_ref(),
        findings,
    )?;
    finish(reporting, &report, &strips, &[], global)
}

impl Args {
    fn responders(&self, model: Option<&ModelOfReport>) -> Result<Vec<Responder>, Failure> {
        let wrapped = |model: &ModelOfReport| Responder::Model {
            model: Box::new(model.model.clone()),
            identity: model.identity.clone(),
            cached_frames: self.encoded_frames,
        };
        let baselines = [Responder::CopiedMasks, Responder::WarpedMasks];
        self.run.methods(model, wrapped, baselines)
    }

    fn row(&self, responder: &Responder, mode: Mode, sequences: &[PvsSequence]) -> Row {
        let rounds = usize::from(self.rounds);
        let scores = |round: usize| -> Vec<SequenceScore> {
            sequences
                .iter()
                .map(|sequence| sequence.scores[round].clone())
                .collect()
        };
        let costs = |round: usize| {
            sequences
                .iter()
                .flat_map(move |s| s.costs.iter().map(move |cost| cost.rounds[round]))
        };
        let curve: Vec<CurvePoint> = (0..rounds)
            .map(|round| CurvePoint {
                annotated: round + 1,
                score: Summary::over(&scores(round), None).jf * 100.0,
                clicks: mean(costs(round).map(|cost| cost.clicks as f64)),
                seconds: mean(costs(round).map(|cost| cost.computing)),
                annotation_seconds: Some(mean(costs(round).map(|cost| cost.annotating))),
            })
            .filter(|point| point.score.is_finite())
            .collect();
        let last = scores(rounds - 1);
        let summary = Summary::over(&last, None);
        let mut row = Row::of_sequences(
            &responder.name(),
            responder.is_baseline(),
            mode.name(),
            &summary,
            last,
        );
        row.metrics
            .splice(1.., self.effort_metrics(sequences, &curve));
        row.curve = curve;
        row
    }

    /// The paper's measure, the mean over all numbers of annotated frames; and what it takes to reach
    /// the quality asked for. An object that never reaches it counts with all its clicks and seconds.
    fn effort_metrics(&self, sequences: &[PvsSequence], curve: &[CurvePoint]) -> Vec<Metric> {
        let needed: Vec<(bool, RoundCost)> = sequences
            .iter()
            .flat_map(|sequence| self.needed(sequence))
            .collect();
        let quality = self.quality;
        let mut metrics = Vec::new();
        if let Some(first) = curve.first() {
            let all = mean(curve.iter().map(|point| point.score));
            metrics.extend([
                Metric::new("J&F, mean of rounds", all),
                Metric::new("J&F, 1 frame", first.score),
            ]);
        }
        if !needed.is_empty() {
            let reached = needed.iter().filter(|(reached, _)| *reached).count();
            let share = reached as f64 / needed.len() as f64;
            let of = |what: &str, value: fn(&RoundCost) -> f64| {
                let values = needed.iter().map(|(_, cost)| value(cost));
                Metric::new(&format!("{what} to {quality}"), mean(values))
            };
            metrics.extend([
                Metric::percent(&format!("objects at {quality}"), share),
                of("clicks", |cost| cost.clicks as f64),
                of("annotator s", |cost| cost.annotating),
                of("computing s", |cost| cost.computing),
            ]);
        }
        metrics
    }

    /// For each object whether it reaches the quality, and what it took until then.
    fn needed(&self, sequence: &PvsSequence) -> Vec<(bool, RoundCost)> {
        let quality = |round: usize, id: u32| {
            let objects = &sequence.scores[round].objects;
            Some(objects.iter().find(|object| object.id == id)?.jf() * 100.0)
        };
        let last = sequence.scores.len() - 1;
        let scored = sequence
            .costs
            .iter()
            .filter(|cost| quality(last, cost.id).is_some());
        scored
            .map(|cost| {
                let reaches =
                    |&round: &usize| quality(round, cost.id).is_some_and(|jf| jf >= self.quality);
                let round = (0..=last).find(reaches);
                (round.is_some(), cost.rounds[round.unwrap_or(last)])
            })
            .collect()
    }

    fn strips(
        &self,
        pvs: &Pvs<'_>,
        number: usize,
        row: &Row,
        sequences: &[PvsSequence],
    ) -> Result<Vec<Strip>, Failure> {
        let mut strips = Vec::new();
        for unit in row
            .worst_first()
            .into_iter()
            .take(self.run.reporting.strips)
        {
            let found = sequences
                .iter()
                .find(|sequence| sequence.scores[0].name == unit.name);
            let Some(found) = found else { continue };
            let sequence = pvs.videos.data.open_named(&unit.name)?;
            strips.push(strip(number, unit, &*sequence, |frame| {
                Ok(predicted(&found.last, frame))
            })?);
        }
        Ok(strips)
    }
}
