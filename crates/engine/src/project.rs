//! [`Project`]: the folder that everything is in, and how it is read and changed.

mod schema;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use sha2::{Digest as _, Sha256};

use crate::history::{self, Action, Way};
use crate::leftovers::Presence;
use crate::masks::MaskStore;
use crate::users::User;
use crate::{Clock, EngineError, EventId, Result, Scope, Settings, UserId, settings, users};

pub(crate) use schema::{RECORDED, columns, row_as_json};

/// The database's name in the project's folder.
const DATABASE: &str = "project.sqlite";

/// How long a change waits for those of other processes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Readers that are kept open.
const IDLE_READERS: usize = 8;

/// A project folder, open. It can be used from many threads at once, and the folder by several
/// processes.
///
/// ```text
/// my_project/
///   project.sqlite     everything but pixels
///   videos/            copies of the videos, by their contents' hash
///   masks/             files of masks, by their contents' hash
///   project.lock       locked by all who have the project open
///   backups/           the database before each change of its format
/// ```
///
/// A change is one transaction and one event of the [history](crate::Event); when the method that
/// makes it returns, it is on the disk.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    masks: MaskStore,
    clock: Clock,
    presence: Presence,
}

/// What was done, and the event that did it: the newest revision of its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done<T> {
    /// What came of it.
    pub value: T,
    /// The event.
    pub revision: EventId,
}

impl Project {
    /// Makes a project in a folder that is new, or holds no project yet. `owner` is its first user.
    ///
    /// # Errors
    /// [`EngineError::ProjectExists`]; [`EngineError::BadValue`] for a name that cannot be; if the
    /// folder cannot be written.
    pub fn create(folder: impl Into<PathBuf>, name: &str, owner: &str) -> Result<Self> {
        Self::create_with_clock(folder, name, owner, Clock::System)
    }

    /// As [`create`](Self::create), with another clock.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with_clock(
        folder: impl Into<PathBuf>,
        name: &str,
        owner: &str,
        clock: Clock,
    ) -> Result<Self> {
        let folder = folder.into();
        for inner in [folder.clone(), folder.join("videos"), folder.join("masks")] {
            fs::create_dir_all(&inner).map_err(EngineError::file("create", &inner))?;
        }
        let project = Self::connect(folder, clock, OpenFlags::SQLITE_OPEN_CREATE)?;
        project.change(users::FIRST, |change| {
            if settings::exist(change)? {
                let path = project.folder.clone();
                return Err(EngineError::ProjectExists { path });
            }
            settings::begin(change, name)?;
            users::insert_owner(change, owner)?;
            let name = name.to_owned();
            Ok(((), Scope::Project, Action::CreateProject { name }))
        })?;
        Ok(project)
    }

    /// Opens a project. One of an older format is brought to the newest after a backup.
    ///
    /// # Errors
    /// [`EngineError::NotAProject`], [`EngineError::NewerProject`], or if the folder cannot be
    /// written.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        Self::open_with_clock(folder, Clock::System)
    }

    /// As [`open`](Self::open), with another clock.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_clock(folder: impl Into<PathBuf>, clock: Clock) -> Result<Self> {
        let folder = folder.into();
        if !Self::is_at(&folder) {
            return Err(EngineError::NotAProject {
                why: format!(
                    "{DATABASE} is missing; `masklet engine import` makes a project of videos"
                ),
                path: folder,
            });
        }
        let project = Self::connect(folder, clock, OpenFlags::empty())?;
        if !project.read(|now| settings::exist(now))? {
            return Err(EngineError::NotAProject {
                why: format!(
                    "making it was not completed; remove {} and make it again",
                    project.folder.display()
                ),
                path: project.folder,
            });
        }
        Ok(project)
    }

    /// Whether there is a project in a folder.
    pub fn is_at(folder: &Path) -> bool {
        folder.join(DATABASE).is_file()
    }

    fn connect(folder: PathBuf, clock: Clock, create: OpenFlags) -> Result<Self> {
        let presence = Presence::in_project(&folder);
        let mut writer = connection(&folder, OpenFlags::SQLITE_OPEN_READ_WRITE | create)?;
        schema::migrate(&mut writer, &folder, schema::MIGRATIONS)?;
        Ok(Self {
            masks: MaskStore::new(folder.join("masks")),
            folder,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            clock,
            presence,
        })
    }

    /// The project's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// This process's lock.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// The files of masks.
    pub(crate) fn masks(&self) -> &MaskStore {
        &self.masks
    }

    /// The folder of the videos.
    pub(crate) fn videos_folder(&self) -> PathBuf {
        self.folder.join("videos")
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Reads from one state of the project, whatever is changed meanwhile.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.with_reader(|transaction| read(&transaction))
    }

    /// Runs the checks of a change without making it: nothing is written, and nobody waits.
    pub(crate) fn rehearse<T>(
        &self,
        user: UserId,
        check: impl FnOnce(&Change<'_>) -> Result<T>,
    ) -> Result<T> {
        let now = self.now();
        self.with_reader(|transaction| {
            check(&Change {
                transaction,
                user,
                event: EventId(0),
                now,
            })
        })
    }

    fn with_reader<T>(&self, read: impl FnOnce(Transaction<'_>) -> Result<T>) -> Result<T> {
        let idle = lock(&self.readers).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connection(&self.folder, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        };
        let result = read(reader.transaction()?);
        let mut idle = lock(&self.readers);
        if idle.len() < IDLE_READERS {
            idle.push(reader);
        }
        result
    }

    /// Makes a change that is an event: `make` returns what came of it, what it changed, and the
    /// event's action. Nothing is changed if it fails.
    pub(crate) fn change<T>(
        &self,
        user: UserId,
        make: impl FnOnce(&Change<'_>) -> Result<(T, Scope, Action)>,
    ) -> Result<Done<T>> {
        self.change_as(user, Way::Do, make)
    }

    /// [`change`](Self::change) for events that take others back.
    pub(crate) fn change_as<T>(
        &self,
        user: UserId,
        way: Way,
        make: impl FnOnce(&Change<'_>) -> Result<(T, Scope, Action)>,
    ) -> Result<Done<T>> {
        let mut writer = lock(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = self.now();
        let event = history::begin_event(&transaction, now, user, way)?;
        let change = Change {
            transaction,
            user,
            event,
            now,
        };
        let (value, scope, action) = make(&change)?;
        history::end_event(&change, event, scope, &action)?;
        // References are checked here.
        let committed = change.transaction.commit();
        committed.map_err(|error| history::broken_rule(error.into(), action.reverted()))?;
        Ok(Done {
            value,
            revision: event,
        })
    }

    /// Changes what is not part of the history: leases and tokens.
    pub(crate) fn change_unrecorded<T>(
        &self,
        make: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut writer = lock(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = make(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// The project's settings.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn settings(&self) -> Result<Settings> {
        self.read(|now| settings::read(now))
    }

    /// A hash of everything in the project but its history, leases and tokens, in hexadecimal: the
    /// same for a copy, and the same again after an action was undone.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        self.read(|now| {
            let mut hash = Sha256::new();
            for table in RECORDED {
                hash.update(table.as_bytes());
                let row = row_as_json(now, table, table)?;
                let mut rows = now.prepare(&format!("SELECT {row} FROM {table} ORDER BY id"))?;
                for row in rows.query_map([], |row| row.get::<_, String>(0))? {
                    hash.update(row?.as_bytes());
                }
            }
            Ok(hex(&hash.finalize()))
        })
    }
}

/// A change that is being made: a transaction within an event.
pub(crate) struct Change<'a> {
    transaction: Transaction<'a>,
    /// Who makes it.
    pub(crate) user: UserId,
    /// The event that it will be.
    pub(crate) event: EventId,
    /// Milliseconds since 1970.
    pub(crate) now: i64,
}

impl<'a> Deref for Change<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl Change<'_> {
    /// Who makes it, in full.
    pub(crate) fn author(&self) -> Result<User> {
        users::active(self, self.user)
    }

    /// Refuses a change to what was seen at another revision than the newest; without one, none is
    /// refused.
    pub(crate) fn expect(&self, scope: Scope, seen: Option<EventId>) -> Result<()> {
        seen.map_or(Ok(()), |seen| history::expect(self, scope, seen))
    }
}

/// A connection with the project's rules.
fn connection(folder: &Path, flags: OpenFlags) -> Result<Connection> {
    let path = folder.join(DATABASE);
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What was acknowledged survives a power cut, not only the end of the process.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A project comes from others as often as not: its schema is not trusted with functions that
    // reach outside the database.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// What a mutex guards is a connection, which rolls back by itself when a thread panics in it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
