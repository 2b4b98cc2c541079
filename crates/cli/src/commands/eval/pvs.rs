//! `masklet eval pvs`: promptable video segmentation, interactive.

use masklet_eval::metrics::mean;
use masklet_eval::protocols::pvs::{Effort, Mode, Pvs, PvsSequence, Responder};
use masklet_eval::protocols::vos::predicted;
use masklet_eval::report::{CurvePoint, Metric, Protocol, Row, Strip};
use masklet_eval::scoring::{SequenceScore, Summary};

use super::common::{
    Baselines, Findings, ModelOfReport, Reporting, VideoArgs, finish, model_of, strip,
    with_progress,
};
use crate::Global;
use crate::failure::Failure;
use crate::model_args::ModelArgs;

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
    baselines: Baselines,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    reporting: Reporting,
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
    let rules = args.video.rules(data.layout());
    let model = model_of(&args.model, global)?;
    let responders = args.responders(model.as_ref())?;
    let pvs = Pvs {
        data: &*data,
        names: &names,
        rules,
        effort: Effort {
            clicks: args.clicks.into(),
            frames: args.rounds.into(),
            threshold: args.threshold,
        },
        max_frames: args.video.max_frames(),
        cache: args.reporting.cache(),
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
    let report = args.reporting.report(
        Protocol::Pvs,
        description,
        rules.sentence(),
        model.as_ref(),
        findings,
    )?;
    finish(&args.reporting, &report, &strips, &[], global)
}

impl Args {
    fn responders(&self, model: Option<&ModelOfReport>) -> Result<Vec<Responder>, Failure> {
        let mut responders = Vec::new();
        if let Some(model) = model {
            responders.push(Responder::Model {
                model: Box::new(model.model.clone()),
                identity: model.identity.clone(),
                cached_frames: self.encoded_frames,
            });
        }
        if self.baselines.wanted() {
            responders.push(Responder::CopiedMasks);
        }
        if responders.is_empty() {
            return Err(Failure::usage(anyhow::anyhow!(
                "there is nothing to evaluate: pass --weights FILE"
            )));
        }
        Ok(responders)
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
                clicks: mean(costs(round).map(|(clicks, _)| clicks as f64)),
                seconds: mean(costs(round).map(|(_, seconds)| seconds)),
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

    /// What it takes to reach the quality asked for. An object that never reaches it counts with
    /// all its clicks and seconds.
    fn effort_metrics(&self, sequences: &[PvsSequence], curve: &[CurvePoint]) -> Vec<Metric> {
        let needed: Vec<(bool, usize, f64)> = sequences
            .iter()
            .flat_map(|sequence| self.needed(sequence))
            .collect();
        let quality = self.quality;
        let reached = needed.iter().filter(|(reached, ..)| *reached).count();
        let mut metrics = Vec::new();
        if let Some(first) = curve.first() {
            metrics.push(Metric::new("J&F, 1 frame", first.score));
        }
        if !needed.is_empty() {
            metrics.extend([
                Metric::percent(
                    &format!("objects at {quality}"),
                    reached as f64 / needed.len() as f64,
                ),
                Metric::new(
                    &format!("clicks to {quality}"),
                    mean(needed.iter().map(|(_, clicks, _)| *clicks as f64)),
                ),
                Metric::new(
                    &format!("seconds to {quality}"),
                    mean(needed.iter().map(|(.., seconds)| *seconds)),
                ),
            ]);
        }
        metrics
    }

    /// For each object whether it reaches the quality, and clicks and seconds until then.
    fn needed(&self, sequence: &PvsSequence) -> Vec<(bool, usize, f64)> {
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
                let (clicks, seconds) = cost.rounds[round.unwrap_or(last)];
                (round.is_some(), clicks, seconds)
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
        for unit in row.worst_first().into_iter().take(self.reporting.strips) {
            let found = sequences
                .iter()
                .find(|sequence| sequence.scores[0].name == unit.name);
            let Some(found) = found else { continue };
            let sequence = pvs.data.open_named(&unit.name)?;
            strips.push(strip(number, unit, &*sequence, |frame| {
                Ok(predicted(&found.last, frame))
            })?);
        }
        Ok(strips)
    }
}
