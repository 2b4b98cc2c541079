//! What annotation took in each phase (table 1 of the paper).

use rusqlite::Connection;
use serde::Serialize;

use super::alignment::Alignment;
use super::{Counted, share};
use crate::frames::FrameEntry;
use crate::{Phase, Result};

/// What annotation took in a phase: of masklets that somebody prompted or edited.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseStats {
    /// The phase.
    pub phase: Phase,
    /// Masklets.
    pub masklets: usize,
    /// Their annotated frames.
    pub frames: usize,
    /// Seconds that were spent on them.
    pub seconds: f64,
    /// Seconds for each annotated frame.
    pub seconds_per_frame: f64,
    /// The share of annotated frames that somebody prompted or edited, averaged over masklets.
    pub edited_share: f64,
    /// Frames that were clicked on.
    pub clicked_frames: usize,
    /// Clicks for each of them.
    pub clicks_per_clicked_frame: f64,
    /// Agreement with the same objects' masks of phase 1.
    pub alignment: Alignment,
}

pub(super) fn count(now: &Connection, counted: &[Counted<'_>]) -> Result<Vec<PhaseStats>> {
    Phase::ALL
        .into_iter()
        .map(|phase| of_phase(now, counted, phase))
        .collect()
}

fn of_phase(now: &Connection, counted: &[Counted<'_>], phase: Phase) -> Result<PhaseStats> {
    let here = |of: &&Counted<'_>| of.task.phase == phase && of.worked_on();
    let (mut masklets, mut frames, mut shares) = (0, 0, 0.0);
    let (mut clicked_frames, mut clicks) = (0, 0);
    for of in counted.iter().filter(here) {
        masklets += 1;
        let annotated = of.annotated().count();
        frames += annotated;
        shares += share(
            of.annotated().filter(|entry| entry.touched()).count(),
            annotated,
        );
        let clicked = || of.frames.iter().filter(|entry| entry.clicks > 0);
        clicked_frames += clicked().count();
        clicks += clicked()
            .map(|entry: &FrameEntry| entry.clicks)
            .sum::<u64>();
    }
    let milliseconds: i64 = now.query_row(
        "SELECT coalesce(sum(json_extract(action, '$.milliseconds')), 0) FROM events
         WHERE json_extract(action, '$.kind') = 'annotate'
             AND json_extract(action, '$.phase') = ?1",
        [phase],
        |row| row.get(0),
    )?;
    let seconds = milliseconds as f64 / 1000.0;
    Ok(PhaseStats {
        phase,
        masklets,
        frames,
        seconds,
        seconds_per_frame: seconds / frames.max(1) as f64,
        edited_share: shares / f64::from(masklets.max(1) as u32),
        clicked_frames,
        clicks_per_clicked_frame: clicks as f64 / clicked_frames.max(1) as f64,
        alignment: Alignment::default(),
    })
}
