//! What each person did.

use rusqlite::Connection;
use serde::Serialize;

use crate::{Result, UserId};

/// What a person did, from the history; actions that were undone count, for they took time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkerStats {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Hours of annotation.
    pub annotation_hours: f64,
    /// Frames that they prompted or edited, each time anew.
    pub edited_frames: u64,
    /// Clicks.
    pub clicks: u64,
    /// Masklets that they submitted, each time anew.
    pub submitted: u64,
    /// Of these for each hour of annotation; 0 without time.
    pub submitted_per_hour: f64,
    /// Hours of verification.
    pub verification_hours: f64,
    /// Masklets that they verified, each time anew.
    pub verified: u64,
}

/// Of everybody who annotated, submitted or verified.
pub(super) fn count(now: &Connection) -> Result<Vec<WorkerStats>> {
    const MILLISECONDS_PER_HOUR: f64 = 3_600_000.0;
    let mut statement = now.prepare(
        "WITH work AS (
             SELECT user, json_extract(action, '$.kind') AS kind, action FROM events
         ), totals AS (
             SELECT user,
                 sum(iif(kind = 'annotate', json_extract(action, '$.milliseconds'), 0)) AS annotating,
                 sum(iif(kind = 'annotate', json_extract(action, '$.edited'), 0)) AS edited,
                 sum(iif(kind = 'annotate', json_extract(action, '$.clicks'), 0)) AS clicks,
                 sum(iif(kind = 'submit', json_extract(action, '$.masklets'), 0)) AS submitted,
                 sum(iif(kind = 'judge', json_extract(action, '$.milliseconds'), 0)) AS verifying,
                 sum(kind = 'judge') AS verified
             FROM work WHERE kind IN ('annotate', 'submit', 'judge') GROUP BY user
         )
         SELECT u.id, u.name, annotating, edited, clicks, submitted, verifying, verified
         FROM totals JOIN users u ON u.id = totals.user ORDER BY u.id",
    )?;
    let workers = statement.query_map([], |row| {
        let number = |column: usize| row.get::<_, i64>(column).map(|number| number as u64);
        let annotation_hours = number(2)? as f64 / MILLISECONDS_PER_HOUR;
        let submitted = number(5)?;
        Ok(WorkerStats {
            user: row.get(0)?,
            name: row.get(1)?,
            annotation_hours,
            edited_frames: number(3)?,
            clicks: number(4)?,
            submitted,
            submitted_per_hour: match annotation_hours > 0.0 {
                true => submitted as f64 / annotation_hours,
                false => 0.0,
            },
            verification_hours: number(6)? as f64 / MILLISECONDS_PER_HOUR,
            verified: number(7)?,
        })
    })?;
    Ok(workers.collect::<rusqlite::Result<_>>()?)
}
