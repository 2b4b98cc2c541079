//! What annotation took in each phase (table 1 of the paper).
//!
//! A task can be annotated in one phase and then in another, so a frame belongs to the phase in which
//! its mask was made last, and time to the phase in which it was spent. Both are of masklets that are
//! there: what was removed has neither frames nor time.

use std::collections::HashMap;

use rusqlite::Connection;
use serde::Serialize;

use super::alignment::Alignment;
use super::{Counted, share};
use crate::frames::FrameEntry;
use crate::{MaskletId, Phase, Result};

/// What annotation took in a phase: of masklets that somebody prompted or edited.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseStats {
    /// The phase.
    pub phase: Phase,
    /// Masklets with annotated frames that were made in it.
    pub masklets: usize,
    /// These frames.
    pub frames: usize,
    /// Seconds that were spent in it.
    pub seconds: f64,
    /// Seconds for each of the frames; `None` without any.
    pub seconds_per_frame: Option<f64>,
    /// The share of the frames that somebody prompted or edited, averaged over masklets.
    pub edited_share: f64,
    /// Frames that were made in it and clicked on.
    pub clicked_frames: usize,
    /// Clicks for each of them.
    pub clicks_per_clicked_frame: f64,
    /// Agreement with the same objects' masks of phase 1.
    pub alignment: Alignment,
}

/// The phase in which each frame's mask was made last. Imported ones were made in none.
type MadeIn = HashMap<(MaskletId, u32), Phase>;

pub(super) fn count(now: &Connection, counted: &[Counted<'_>]) -> Result<Vec<PhaseStats>> {
    let made = made_in(now)?;
    let count = |&phase: &Phase| of_phase(now, counted, &made, phase);
    Phase::ALL.iter().map(count).collect()
}

fn made_in(now: &Connection) -> Result<MadeIn> {
    // An annotation that was taken back made nothing.
    let mut statement = now.prepare(
        "WITH annotations AS MATERIALIZED (
             SELECT id, json_extract(action, '$.phase') AS phase FROM events
             WHERE stands AND json_extract(action, '$.kind') = 'annotate'
         ), latest AS (
             -- Of a query with max() alone, SQLite takes other columns from the row of the maximum.
             SELECT c.row AS row, max(a.id), a.phase AS phase
             FROM annotations a JOIN changes c ON c.event = a.id
             WHERE c.item = 'frames' GROUP BY c.row
         )
         SELECT f.masklet, f.frame, latest.phase FROM latest JOIN frames f ON f.id = latest.row",
    )?;
    let made = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    Ok(made.collect::<rusqlite::Result<_>>()?)
}

fn of_phase(
    now: &Connection,
    counted: &[Counted<'_>],
    made: &MadeIn,
    phase: Phase,
) -> Result<PhaseStats> {
    let (mut masklets, mut frames, mut shares) = (0, 0, 0.0);
    let (mut clicked_frames, mut clicks) = (0, 0);
    for of in counted.iter().filter(|of| of.worked_on()) {
        let here = |entry: &&FrameEntry| made.get(&(of.masklet.id, entry.frame)) == Some(&phase);
        let annotated = of.annotated().filter(here).count();
        let touched = of.annotated().filter(here).filter(|entry| entry.touched());
        masklets += u32::from(annotated > 0);
        frames += annotated;
        shares += share(touched.count(), annotated);
        let clicked = || {
            of.frames
                .iter()
                .filter(here)
                .filter(|entry| entry.clicks > 0)
        };
        clicked_frames += clicked().count();
        clicks += clicked().map(|entry| entry.clicks).sum::<u64>();
    }
    let milliseconds: i64 = now.query_row(
        "SELECT coalesce(sum(json_extract(action, '$.milliseconds')), 0) FROM events
         WHERE json_extract(action, '$.kind') = 'annotate'
             AND json_extract(action, '$.phase') = ?1
             AND EXISTS (SELECT 1 FROM json_each(action, '$.masklets') own
                 JOIN masklets m ON m.id = own.value)",
        [phase],
        |row| row.get(0),
    )?;
    let seconds = milliseconds as f64 / 1000.0;
    Ok(PhaseStats {
        phase,
        masklets: masklets as usize,
        frames,
        seconds,
        seconds_per_frame: (frames > 0).then(|| seconds / frames as f64),
        edited_share: shares / f64::from(masklets.max(1)),
        clicked_frames,
        clicks_per_clicked_frame: clicks as f64 / clicked_frames.max(1) as f64,
        alignment: Alignment::default(),
    })
}
