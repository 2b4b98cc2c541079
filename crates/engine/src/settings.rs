//! What holds for the whole project.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::history::Action;
use crate::ids::words;
use crate::{Done, EngineError, EventId, ModelId, Project, Result, Scope, UserId};

/// How masklets are annotated (section 5.1 of the paper).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Phase {
    /// The image model on every annotated frame, then brush, eraser and polygon; no tracking.
    PerFrame,
    /// The first frame as in phase 1; its mask is propagated; any frame is repaired with phase 1's
    /// tools and propagated from again.
    MaskPropagation,
    /// The full model: clicks, boxes and masks on any frame, refined by more clicks.
    Interactive,
}

impl Phase {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::PerFrame, Self::MaskPropagation, Self::Interactive];

    /// The paper's number of it: 1, 2 or 3.
    pub fn number(self) -> u8 {
        match self {
            Self::PerFrame => 1,
            Self::MaskPropagation => 2,
            Self::Interactive => 3,
        }
    }
}

impl From<Phase> for u8 {
    fn from(phase: Phase) -> Self {
        phase.number()
    }
}

impl TryFrom<u8> for Phase {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|phase| phase.number() == number);
        found.ok_or_else(|| format!("there is no phase {number}; 1, 2 and 3 are accepted"))
    }
}

impl rusqlite::ToSql for Phase {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(i64::from(self.number()).into())
    }
}

impl rusqlite::types::FromSql for Phase {
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        let number = <u8 as rusqlite::types::FromSql>::column_result(value)?;
        number
            .try_into()
            .map_err(|why: String| rusqlite::types::FromSqlError::Other(why.into()))
    }
}

words! {
    /// Who made the first masks of a masklet.
    Kind {
        /// A person, with or without a model's help.
        Manual = "manual",
        /// A model, without a prompt.
        Auto = "auto",
    }
}

/// What holds for the whole project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The project's name.
    pub name: String,
    /// How new tasks are annotated. By default phase 3.
    pub phase: Phase,
    /// Frames a second that are annotated in phase 1, and counted. By default 6, as in the paper.
    pub annotation_rate: u32,
    /// For how long a task is held without being renewed. By default five minutes.
    pub lease_seconds: u32,
    /// Whether somebody may verify what they annotated, as one who works alone has to. By default
    /// not: the paper's verifiers are others.
    pub verify_own_work: bool,
    /// Which part of the videos is held out from training, to evaluate on. By default 10.
    pub held_out_percent: u8,
    /// Frames that a video may have. By default 100,000.
    pub max_video_frames: u32,
    /// Bytes that a video may have. By default 4 GiB.
    pub max_video_bytes: u64,
    /// The model that is in use.
    pub model: Option<ModelId>,
}

impl Settings {
    /// Of a new project.
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            phase: Phase::Interactive,
            annotation_rate: 6,
            lease_seconds: 300,
            verify_own_work: false,
            held_out_percent: 10,
            max_video_frames: 100_000,
            max_video_bytes: 4 << 30,
            model: None,
        }
    }

    fn check(&self) -> Result<()> {
        check_name("the project's name", &self.name)?;
        let at_least_one = [
            ("annotation_rate", u64::from(self.annotation_rate)),
            ("lease_seconds", u64::from(self.lease_seconds)),
            ("max_video_frames", u64::from(self.max_video_frames)),
            ("max_video_bytes", self.max_video_bytes),
        ];
        for (what, value) in at_least_one {
            if value == 0 {
                return Err(EngineError::bad_value(what, value, "1 or more is accepted"));
            }
        }
        if self.held_out_percent > 100 {
            let found = self.held_out_percent;
            return Err(EngineError::bad_value(
                "held_out_percent",
                found,
                "0 to 100 is accepted",
            ));
        }
        Ok(())
    }

    /// The names of the fields in which two differ.
    fn differences(&self, other: &Self) -> Vec<String> {
        let fields = |settings: &Self| match serde_json::to_value(settings) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let others = fields(other);
        let own = fields(self).into_iter();
        own.filter(|(name, value)| others.get(name) != Some(value))
            .map(|(name, _)| name)
            .collect()
    }
}

/// Characters that a name may have.
const LONGEST_NAME: usize = 200;

/// Checks a name that people gave: it is shown, and never a path.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > LONGEST_NAME || name.chars().any(char::is_control) {
        let accepted =
            format!("1 to {LONGEST_NAME} characters on one line are accepted, not only spaces");
        return Err(EngineError::bad_value(what, format!("{name:?}"), accepted));
    }
    Ok(())
}

/// Whether the project was made completely.
pub(crate) fn exist(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row("SELECT count(*) FROM settings", [], |row| row.get(0))?)
}

pub(crate) fn read(connection: &Connection) -> Result<Settings> {
    Ok(connection.query_row(
        "SELECT name, phase, annotation_rate, lease_seconds, verify_own_work, held_out_percent,
             max_video_frames, max_video_bytes, model FROM settings",
        [],
        |row| {
            Ok(Settings {
                name: row.get(0)?,
                phase: row.get(1)?,
                annotation_rate: row.get(2)?,
                lease_seconds: row.get(3)?,
                verify_own_work: row.get(4)?,
                held_out_percent: row.get(5)?,
                max_video_frames: row.get(6)?,
                max_video_bytes: row.get::<_, i64>(7)? as u64,
                model: row.get(8)?,
            })
        },
    )?)
}

pub(crate) fn begin(connection: &Connection, name: &str) -> Result<()> {
    write(connection, &Settings::new(name))
}

pub(crate) fn write(connection: &Connection, settings: &Settings) -> Result<()> {
    settings.check()?;
    connection.execute(
        "INSERT INTO settings (id, name, phase, annotation_rate, lease_seconds, verify_own_work,
             held_out_percent, max_video_frames, max_video_bytes, model)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET name = ?1, phase = ?2, annotation_rate = ?3,
             lease_seconds = ?4, verify_own_work = ?5, held_out_percent = ?6,
             max_video_frames = ?7, max_video_bytes = ?8, model = ?9",
        rusqlite::params![
            settings.name,
            settings.phase,
            settings.annotation_rate,
            settings.lease_seconds,
            settings.verify_own_work,
            settings.held_out_percent,
            settings.max_video_frames,
            i64::try_from(settings.max_video_bytes).unwrap_or(i64::MAX),
            settings.model,
        ],
    )?;
    Ok(())
}

impl Project {
    /// Changes settings, by an owner.
    ///
    /// # Errors
    /// [`EngineError::BadValue`], [`EngineError::Forbidden`], [`EngineError::Stale`].
    pub fn change_settings(
        &self,
        user: UserId,
        seen: Option<EventId>,
        edit: impl FnOnce(&mut Settings),
    ) -> Result<Done<Settings>> {
        self.change(user, |change| {
            change.author()?.must_own("change settings")?;
            change.expect(Scope::Project, seen)?;
            let before = read(change)?;
            let mut after = before.clone();
            edit(&mut after);
            write(change, &after)?;
            let changed = after.differences(&before);
            Ok((after, Scope::Project, Action::ChangeSettings { changed }))
        })
    }
}
