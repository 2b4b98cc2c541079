//! `masklet engine history`, `undo`, `redo`, `revert`.

use masklet_engine::{Event, EventId, HistoryQuery, Scope};

use super::ProjectArgs;
use crate::Global;
use crate::failure::Failure;
use crate::output::{print_json, print_line};

/// List what was done, newest first.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only what changed this: project, "user N", "video N" or "task N".
    #[arg(long, value_name = "WHAT")]
    of: Option<Scope>,
    /// Only events before this one.
    #[arg(long, value_name = "EVENT")]
    before: Option<EventId>,
    /// At most this many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

/// Take the latest action in something back.
#[derive(clap::Args)]
pub(super) struct UndoArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// In what: project, "user N", "video N" or "task N".
    #[arg(long, value_name = "WHAT")]
    of: Scope,
}

/// Take an event of the history back, if nothing builds on it.
#[derive(clap::Args)]
pub(super) struct RevertArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The event's number, as `masklet engine history` lists it.
    event: EventId,
}

pub(super) fn list(args: &Args, global: &Global) -> Result<(), Failure> {
    let (project, _) = args.project.open()?;
    let query = HistoryQuery {
        scope: args.of,
        before: args.before,
        limit: Some(args.limit),
    };
    let events = project.history(&query)?;
    if global.json {
        return print_json(&events);
    }
    events.iter().try_for_each(|event| print_line(&text(event)))
}

/// `event 7  2026-01-31 12:00:05  Ada  task 3  submit {"masklets":2}`.
fn text(event: &Event) -> String {
    let mut fields = serde_json::to_value(&event.action).unwrap_or_default();
    let kind = fields["kind"].as_str().unwrap_or_default().to_owned();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("kind");
    }
    let taken_back = if event.stands { "" } else { "  (taken back)" };
    format!(
        "event {}  {}  {}  {}  {kind} {fields}{taken_back}",
        event.id,
        date(event.at),
        event.user_name,
        event.scope,
    )
}

/// A moment in milliseconds since 1970 as date and time of UTC.
fn date(milliseconds: i64) -> String {
    const DAY: i64 = 86_400;
    let seconds = milliseconds.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Year, month and day of a day since 1970 (H. Hinnant, "chrono-compatible low-level date
/// algorithms": years begin in March, so that a leap day is a year's last).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

pub(super) fn undo(args: &UndoArgs, global: &Global) -> Result<(), Failure> {
    let (project, user) = args.project.open()?;
    let done = project.undo(user, args.of, None)?;
    say(&format!("took event {} back", done.value), global)
}

pub(super) fn redo(args: &UndoArgs, global: &Global) -> Result<(), Failure> {
    let (project, user) = args.project.open()?;
    let done = project.redo(user, args.of, None)?;
    say(&format!("took event {} back", done.value), global)
}

pub(super) fn revert(args: &RevertArgs, global: &Global) -> Result<(), Failure> {
    let (project, user) = args.project.open()?;
    project.revert(user, args.event, None)?;
    say(&format!("took event {} back", args.event), global)
}

fn say(what: &str, global: &Global) -> Result<(), Failure> {
    if global.quiet {
        Ok(())
    } else {
        print_line(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_dates() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_827_696_789), "2000-02-29 12:34:56");
        assert_eq!(date(-1), "1969-12-31 23:59:59");
        assert_eq!(date(4_102_444_799_000), "2099-12-31 23:59:59");
    }
}
