//! The annotator, who knows the truth and clicks where a partner is wrong.

use std::time::Instant;

use masklet_media::Mask;

use super::interactive::Interactive;
use super::truth::{Truth, encoded};
use super::{Effort, Mode, Round};
use crate::methods::Watch;
use crate::{Error, Result};

/// Annotates one object of a video.
pub(super) struct Annotator<'a> {
    pub(super) effort: Effort,
    pub(super) truth: &'a Truth,
    pub(super) watch: &'a Watch<'a>,
}

impl Annotator<'_> {
    /// The partner's masks after each round.
    pub(super) fn interact(&self, partner: &mut dyn Interactive, mode: Mode) -> Result<Vec<Round>> {
        match mode {
            Mode::Offline => self.offline(partner),
            Mode::Online => self.online(partner),
        }
    }

    fn offline(&self, partner: &mut dyn Interactive) -> Result<Vec<Round>> {
        let mut rounds: Vec<Round> = Vec::new();
        let mut masks: Vec<Option<Mask>> = vec![None; self.truth.frame_count()];
        let (mut annotated, mut clicks, mut seconds) = (Vec::new(), 0, 0.0);
        let mut next = Some(self.truth.first);
        while let Some(frame) = next.filter(|_| rounds.len() < self.effort.frames) {
            let started = Instant::now();
            clicks += self.annotate(partner, frame, masks[frame].as_ref())?;
            annotated.push(frame);
            partner.propagate(self.truth.first, &mut |frame, mask| {
                masks[frame] = Some(mask);
                self.check().map(|()| true)
            })?;
            seconds += started.elapsed().as_secs_f64();
            rounds.push(Round {
                annotated: annotated.clone(),
                clicks,
                seconds,
                masks: encoded(&masks),
            });
            next = self.truth.worst(&masks, &annotated);
        }
        Ok(rounds)
    }

    /// A pass for each number of frames that may be annotated, until one needs fewer.
    fn online(&self, partner: &mut dyn Interactive) -> Result<Vec<Round>> {
        let mut rounds: Vec<Round> = Vec::new();
        for budget in 1..=self.effort.frames {
            partner.forget()?;
            let (round, wanted_more) = self.pass(partner, budget)?;
            rounds.push(round);
            if !wanted_more {
                break;
            }
        }
        Ok(rounds)
    }

    /// Also says whether more than `budget` frames would have been annotated.
    fn pass(&self, partner: &mut dyn Interactive, budget: usize) -> Result<(Round, bool)> {
        let started = Instant::now();
        let mut masks: Vec<Option<Mask>> = vec![None; self.truth.frame_count()];
        let (mut annotated, mut clicks) = (Vec::new(), 0);
        let mut wanted_more = false;
        let mut next = Some(self.truth.first);
        while let Some(from) = next {
            clicks += self.annotate(partner, from, masks[from].as_ref())?;
            annotated.push(from);
            next = None;
            partner.propagate(from, &mut |frame, mask| {
                self.check()?;
                let iou = self.truth.iou(frame, &mask);
                let is_low = iou.is_some_and(|iou| iou < self.effort.threshold);
                masks[frame] = Some(mask);
                if !is_low || annotated.contains(&frame) {
                    return Ok(true);
                }
                if annotated.len() == budget {
                    wanted_more = true;
                    return Ok(true);
                }
                next = Some(frame);
                Ok(false)
            })?;
        }
        let round = Round {
            annotated,
            clicks,
            seconds: started.elapsed().as_secs_f64(),
            masks: encoded(&masks),
        };
        Ok((round, wanted_more))
    }

    /// Returns how many clicks were given.
    fn annotate(
        &self,
        partner: &mut dyn Interactive,
        frame: usize,
        predicted: Option<&Mask>,
    ) -> Result<usize> {
        let truth = self.truth.at(frame);
        partner.annotate(frame, truth, predicted, self.effort.clicks)
    }

    fn check(&self) -> Result<()> {
        if (self.watch.interrupted)() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}
