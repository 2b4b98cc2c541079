//! The models that make masklets. Every masklet remembers which one made it.

use std::io;

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::history::Action;
use crate::project::{Change, hex};
use crate::settings::{self, check_name};
use crate::{Done, EngineError, ModelId, Project, Result, Scope, UserId};

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelVersion {
    /// Its number.
    pub id: ModelId,
    /// Its name, which no other one has.
    pub name: String,
    /// The SHA-256 of its checkpoint in hexadecimal, where one is known.
    pub sha256: Option<String>,
}

impl ModelVersion {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            sha256: row.get(2)?,
        })
    }
}

const MODELS: &str = "SELECT id, name, sha256 FROM models";

/// What is known of a model that is about to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its name: an official one, or its file's.
    pub name: String,
    /// The SHA-256 of its checkpoint in hexadecimal, which tells versions of one name apart.
    pub sha256: Option<String>,
}

impl ModelFacts {
    /// Of a checkpoint, a file or another reader.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(name: impl Into<String>, mut checkpoint: impl io::Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        io::copy(&mut checkpoint, &mut hash)?;
        Ok(Self {
            name: name.into(),
            sha256: Some(hex(&hash.finalize())),
        })
    }
}

/// The number of a model, which is noted if it is not known. Of a name that another checkpoint has
/// already, a version is made: `tiny`, `tiny-2`.
pub(crate) fn known(change: &Change<'_>, facts: &ModelFacts) -> Result<ModelId> {
    check_name("the model's name", &facts.name)?;
    let mut name = facts.name.clone();
    for version in 2.. {
        match named(change, &name)? {
            None => break,
            Some(model) if model.sha256 == facts.sha256 => return Ok(model.id),
            Some(_) => name = format!("{}-{version}", facts.name),
        }
    }
    change.execute(
        "INSERT INTO models (name, sha256) VALUES (?1, ?2)",
        (&name, &facts.sha256),
    )?;
    Ok(ModelId(change.last_insert_rowid()))
}

fn named(connection: &Connection, name: &str) -> Result<Option<ModelVersion>> {
    let query = format!("{MODELS} WHERE name = ?1");
    Ok(connection
        .query_row(&query, [name], ModelVersion::of)
        .optional()?)
}

pub(crate) fn read(connection: &Connection, id: ModelId) -> Result<ModelVersion> {
    let found = connection.query_row(&format!("{MODELS} WHERE id = ?1"), [id], ModelVersion::of);
    let found = found.optional()?;
    found.ok_or_else(|| EngineError::unknown("model", id, "models are noted when they are used"))
}

impl Project {
    /// The models that were used, in their order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn models(&self) -> Result<Vec<ModelVersion>> {
        self.read(|now| {
            let mut statement = now.prepare(&format!("{MODELS} ORDER BY id"))?;
            let models = statement.query_map([], ModelVersion::of)?;
            Ok(models.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Makes a model the one in use, by an owner. Nothing happens if it is.
    ///
    /// # Errors
    /// [`EngineError::BadValue`] for a name that cannot be, [`EngineError::Forbidden`].
    pub fn use_model(&self, user: UserId, facts: &ModelFacts) -> Result<ModelId> {
        let current = self.read(|now| match settings::read(now)?.model {
            Some(model) => Ok(Some(read(now, model)?)),
            None => Ok(None),
        })?;
        if let Some(current) = current
            && current.name == facts.name
            && current.sha256 == facts.sha256
        {
            return Ok(current.id);
        }
        let done: Done<ModelId> = self.change(user, |change| {
            change.author()?.must_own("choose the model")?;
            let id = known(change, facts)?;
            let settings = settings::read(change)?;
            settings::write(
                change,
                &settings::Settings {
                    model: Some(id),
                    ..settings
                },
            )?;
            let name = read(change, id)?.name;
            Ok((id, Scope::Project, Action::UseModel { name }))
        })?;
        Ok(done.value)
    }
}
