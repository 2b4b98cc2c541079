//! The database's tables through the versions of the program.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use crate::{EngineError, Result};

/// What turns a database of format `n` into one of format `n + 1`, from an empty one (format 0) on.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// Marks a database as a project of this program: "mskl".
pub(super) const APPLICATION_ID: i64 = 0x6d73_6b6c;

/// The tables whose every change is an event's.
pub(crate) const RECORDED: &[&str] = &[
    "settings", "users", "models", "videos", "tasks", "masklets", "frames",
];

/// Brings a database to the newest of `migrations`. One that holds something is copied into
/// `backups` first.
///
/// Other processes wait meanwhile: the database is locked from the look at its format on.
///
/// # Errors
/// [`EngineError::NewerProject`], [`EngineError::NotAProject`] if the database is another
/// program's, or if the backup cannot be written. The database is unchanged then.
pub(super) fn migrate(
    connection: &mut Connection,
    folder: &Path,
    migrations: &[&str],
) -> Result<Option<PathBuf>> {
    let known = migrations.len() as i64;
    let format = format_of(connection, folder)?;
    if format == known {
        return Ok(None);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let format = format_of(&transaction, folder)?;
    let left = match usize::try_from(format)
        .ok()
        .and_then(|at| migrations.get(at..))
    {
        Some(left) => left,
        None => {
            return Err(EngineError::NewerProject {
                path: folder.to_owned(),
                found: format,
                known,
            });
        }
    };
    let backup = match format {
        0 => None,
        _ => Some(back_up(&transaction, folder, format)?),
    };
    for migration in left {
        transaction.execute_batch(migration)?;
    }
    record_changes(&transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(backup)
}

/// The format of a database; 0 if it is empty.
fn format_of(connection: &Connection, folder: &Path) -> Result<i64> {
    let of = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables > 0 && of("application_id")? != APPLICATION_ID {
        return Err(EngineError::NotAProject {
            path: folder.to_owned(),
            why: "its database was made by another program; choose another folder".to_owned(),
        });
    }
    Ok(of("user_version")?)
}

/// Copies the database of `transaction`, as it is before it, into a file of the folder `backups`.
fn back_up(transaction: &Connection, folder: &Path, format: i64) -> Result<PathBuf> {
    let backups = folder.join("backups");
    std::fs::create_dir_all(&backups).map_err(EngineError::file("create", &backups))?;
    let mut path = backups.join(format!("format-{format}.sqlite"));
    // An attempt that failed may have left one: that stays too.
    for attempt in 2.. {
        if !path.exists() {
            break;
        }
        path = backups.join(format!("format-{format}-{attempt}.sqlite"));
    }
    // A transaction cannot copy itself; another reader sees what was before it.
    let source = transaction.path().unwrap_or_default();
    let reader = Connection::open(source)?;
    let pending = backups.join("pending.sqlite");
    if pending.exists() {
        std::fs::remove_file(&pending).map_err(EngineError::file("remove", &pending))?;
    }
    let target = pending.to_str().ok_or_else(|| EngineError::NotAProject {
        path: folder.to_owned(),
        why: "its path is not UTF-8; move it".to_owned(),
    })?;
    reader.execute("VACUUM INTO ?1", [target])?;
    masklet_media::atomic::sync_file(&pending)?;
    std::fs::rename(&pending, &path).map_err(EngineError::file("write", &path))?;
    masklet_media::atomic::sync_folder(&backups)?;
    Ok(path)
}

/// Lets every change of a recorded table be written to `changes`, and refuses those outside an
/// event. In the database itself, so that no statement can forget it.
fn record_changes(connection: &Connection) -> Result<()> {
    for table in RECORDED {
        let new = row_as_json(connection, table, "NEW")?;
        let old = row_as_json(connection, table, "OLD")?;
        for (change, row, before, after) in [
            ("INSERT", "NEW.id", "NULL", new.as_str()),
            ("UPDATE", "NEW.id", old.as_str(), new.as_str()),
            ("DELETE", "OLD.id", old.as_str(), "NULL"),
        ] {
            connection.execute_batch(&format!(
                "DROP TRIGGER IF EXISTS record_{change}_{table};
                 CREATE TRIGGER record_{change}_{table} AFTER {change} ON {table} BEGIN
                     SELECT RAISE(ABORT, 'a change outside an event')
                         WHERE NOT EXISTS (SELECT 1 FROM current_event);
                     INSERT INTO changes (event, item, row, before, after) VALUES
                         ((SELECT id FROM current_event), '{table}', {row}, {before}, {after});
                 END;"
            ))?;
        }
    }
    Ok(())
}

/// An expression for a row of `table`, known as `row`, as JSON.
pub(crate) fn row_as_json(connection: &Connection, table: &str, row: &str) -> Result<String> {
    let columns = columns(connection, table)?;
    let parts: Vec<String> = columns
        .iter()
        .map(|column| format!("'{column}', {row}.\"{column}\""))
        .collect();
    Ok(format!("json_object({})", parts.join(", ")))
}

/// The columns of a table.
pub(crate) fn columns(connection: &Connection, table: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second format, as a later version may bring one.
    const NEXT: &str = "ALTER TABLE videos ADD COLUMN licence TEXT;";

    fn database(folder: &Path) -> Connection {
        Connection::open(folder.join("project.sqlite")).unwrap()
    }

    #[test]
    fn an_older_database_is_copied_before_it_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(folder.path());
        assert_eq!(
            migrate(&mut connection, folder.path(), MIGRATIONS).unwrap(),
            None
        );
        let all = [MIGRATIONS, &[NEXT]].concat();
        let backup = migrate(&mut connection, folder.path(), &all)
            .unwrap()
            .unwrap();
        assert!(
            columns(&connection, "videos")
                .unwrap()
                .contains(&"licence".to_owned())
        );
        assert!(
            row_as_json(&connection, "videos", "NEW")
                .unwrap()
                .contains("licence"),
            "new columns are recorded too"
        );
        let copy = Connection::open(backup).unwrap();
        assert!(
            !columns(&copy, "videos")
                .unwrap()
                .contains(&"licence".to_owned())
        );
        assert_eq!(migrate(&mut connection, folder.path(), &all).unwrap(), None);
    }

    #[test]
    fn a_failing_migration_leaves_the_database_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(folder.path());
        migrate(&mut connection, folder.path(), MIGRATIONS).unwrap();
        let broken = [MIGRATIONS, &[NEXT, "CREATE TABLE videos (id INTEGER)"]].concat();
        assert!(migrate(&mut connection, folder.path(), &broken).is_err());
        assert!(
            !columns(&connection, "videos")
                .unwrap()
                .contains(&"licence".to_owned())
        );
        // The second attempt makes a second backup.
        let fixed = [MIGRATIONS, &[NEXT]].concat();
        let backup = migrate(&mut connection, folder.path(), &fixed)
            .unwrap()
            .unwrap();
        assert!(
            backup.ends_with("backups/format-1-2.sqlite"),
            "{}",
            backup.display()
        );
    }

    #[test]
    fn a_newer_database_and_another_programs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(folder.path());
        let all = [MIGRATIONS, &[NEXT]].concat();
        migrate(&mut connection, folder.path(), &all).unwrap();
        let error = migrate(&mut connection, folder.path(), MIGRATIONS).unwrap_err();
        assert!(matches!(
            error,
            EngineError::NewerProject {
                found: 2,
                known: 1,
                ..
            }
        ));
        assert!(error.to_string().contains("update masklet"), "{error}");

        let other = tempfile::tempdir().unwrap();
        let mut connection = database(other.path());
        connection
            .execute_batch("CREATE TABLE notes (text TEXT)")
            .unwrap();
        let error = migrate(&mut connection, other.path(), MIGRATIONS).unwrap_err();
        assert!(error.to_string().contains("another program"), "{error}");
    }

    #[test]
    fn rows_cannot_be_changed_outside_an_event() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(folder.path());
        migrate(&mut connection, folder.path(), MIGRATIONS).unwrap();
        let error = connection
            .execute("INSERT INTO models (name) VALUES ('tiny')", [])
            .unwrap_err();
        assert!(error.to_string().contains("outside an event"), "{error}");
    }
}
