//! Who works on the project.

use std::fmt;

use rand::RngCore as _;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::history::Action;
use crate::ids::words;
use crate::project::hex;
use crate::settings::check_name;
use crate::{Done, EngineError, EventId, Project, Result, Scope, UserId};

/// The owner that a project begins with.
pub(crate) const FIRST: UserId = UserId(1);

words! {
    /// What somebody may do.
    Role {
        /// Annotate.
        Annotator = "annotator",
        /// Verify.
        Verifier = "verifier",
        /// Everything.
        Owner = "owner",
    }
}

/// Somebody who works on the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Their number.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may do anything.
    pub active: bool,
}

/// A secret that stands for a user. It is shown once: the project keeps only its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Bytes of randomness.
    const BYTES: usize = 32;

    fn random() -> Self {
        let mut bytes = [0; Self::BYTES];
        // Seeded and reseeded by the operating system.
        rand::rng().fill_bytes(&mut bytes);
        Self(hex(&bytes))
    }

    /// The secret.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A token has 256 random bits: nobody guesses them, so a fast hash does.
fn token_hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

impl User {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            role: row.get(2)?,
            active: row.get(3)?,
        })
    }

    /// Whether they may do everything.
    pub fn owns(&self) -> bool {
        self.role == Role::Owner
    }

    /// Refuses `action` to everybody but owners.
    pub(crate) fn must_own(&self, action: &'static str) -> Result<()> {
        self.must_be(Role::Owner, action)
    }

    /// Refuses `action` to everybody but owners and those in a role.
    pub(crate) fn must_be(&self, role: Role, action: &'static str) -> Result<()> {
        if self.role == role || self.owns() {
            return Ok(());
        }
        let needed = match role {
            Role::Owner => "an owner can".to_owned(),
            role => format!("{role}s and owners can"),
        };
        Err(EngineError::Forbidden {
            user: self.name.clone(),
            role: self.role,
            action,
            needed,
        })
    }
}

const USERS: &str = "SELECT id, name, role, active FROM users";

/// A user who may act.
pub(crate) fn active(connection: &Connection, id: UserId) -> Result<User> {
    let query = format!("{USERS} WHERE id = ?1 AND active");
    let found = connection.query_row(&query, [id], User::of).optional()?;
    found.ok_or_else(|| EngineError::unknown("active user", id, "an owner can add one"))
}

/// Adds the user that a project begins with.
pub(crate) fn insert_owner(connection: &Connection, name: &str) -> Result<()> {
    let id = insert(connection, name, Role::Owner)?;
    debug_assert_eq!(id, FIRST);
    Ok(())
}

/// Refuses a change after which nobody owns the project.
pub(crate) fn check_owner_left(connection: &Connection) -> Result<()> {
    let query = "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'owner' AND active)";
    match connection.query_row(query, [], |row| row.get(0))? {
        true => Ok(()),
        false => Err(EngineError::WrongState {
            what: "this user".to_owned(),
            state: "the only active owner",
            needed: "a project needs one: make somebody else an owner first",
        }),
    }
}

fn insert(connection: &Connection, name: &str, role: Role) -> Result<UserId> {
    check_name("the user's name", name)?;
    let added = connection.execute(
        "INSERT INTO users (name, role) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
        (name, role),
    )?;
    if added == 0 {
        return Err(EngineError::Taken {
            what: "user",
            name: name.to_owned(),
        });
    }
    Ok(UserId(connection.last_insert_rowid()))
}

impl Project {
    /// Everybody, in the order they were added.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn users(&self) -> Result<Vec<User>> {
        self.read(|now| {
            let mut statement = now.prepare(&format!("{USERS} ORDER BY id"))?;
            let users = statement.query_map([], User::of)?;
            Ok(users.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The user of a name.
    ///
    /// # Errors
    /// [`EngineError::Unknown`], saying who there is.
    pub fn user_named(&self, name: &str) -> Result<User> {
        let users = self.users()?;
        let names: Vec<String> = users.iter().map(|user| user.name.clone()).collect();
        users
            .into_iter()
            .find(|user| user.name == name)
            .ok_or_else(|| {
                EngineError::unknown(
                    "user",
                    format!("{name:?}"),
                    format!("there are {}", names.join(", ")),
                )
            })
    }

    /// The first owner who is active: who acts where nobody says who they are.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn owner(&self) -> Result<User> {
        let owner = self
            .users()?
            .into_iter()
            .find(|user| user.owns() && user.active);
        owner.ok_or_else(|| EngineError::unknown("active owner", "", "a project always has one"))
    }

    /// Adds a user, by an owner. They need a [token](Self::new_token) to use a server.
    ///
    /// # Errors
    /// [`EngineError::Taken`], [`EngineError::BadValue`], [`EngineError::Forbidden`].
    pub fn add_user(&self, by: UserId, name: &str, role: Role) -> Result<Done<UserId>> {
        self.change(by, |change| {
            change.author()?.must_own("add users")?;
            let id = insert(change, name, role)?;
            let name = name.to_owned();
            Ok((id, Scope::User(id), Action::AddUser { name, role }))
        })
    }

    /// Gives a user another role, or lets them do nothing any more, by an owner. Somebody who is
    /// not active loses their token and what they hold.
    ///
    /// # Errors
    /// [`EngineError::WrongState`] if no active owner would be left; [`EngineError::Stale`] if the
    /// user is not at the revision `seen`; [`EngineError::Unknown`], [`EngineError::Forbidden`].
    pub fn change_user(
        &self,
        by: UserId,
        user: UserId,
        role: Role,
        active: bool,
        seen: Option<EventId>,
    ) -> Result<Done<()>> {
        self.change(by, |change| {
            change.author()?.must_own("change users")?;
            change.expect(Scope::User(user), seen)?;
            let query = "UPDATE users SET role = ?2, active = ?3 WHERE id = ?1 RETURNING name";
            let name: Option<String> = change
                .query_row(query, (user, role, active), |row| row.get(0))
                .optional()?;
            let name = name.ok_or_else(|| {
                EngineError::unknown("user", user, "`masklet engine users` lists them")
            })?;
            check_owner_left(change)?;
            if !active {
                change.execute("DELETE FROM tokens WHERE user = ?1", [user])?;
                change.execute("DELETE FROM leases WHERE user = ?1", [user])?;
            }
            Ok((
                (),
                Scope::User(user),
                Action::ChangeUser { name, role, active },
            ))
        })
    }

    /// Makes a token for a user, by an owner or by themselves; an older one is void. It is no part
    /// of the history, lest an old one come back by undoing.
    ///
    /// # Errors
    /// [`EngineError::Unknown`], [`EngineError::Forbidden`].
    pub fn new_token(&self, by: UserId, user: UserId) -> Result<Token> {
        let token = Token::random();
        self.change_unrecorded(|change| {
            if by != user {
                active(change, by)?.must_own("make tokens for others")?;
            }
            active(change, user)?;
            change.execute(
                "INSERT INTO tokens (hash, user) VALUES (?1, ?2)
                 ON CONFLICT (user) DO UPDATE SET hash = excluded.hash",
                (token_hash(token.secret()), user),
            )?;
            Ok(())
        })?;
        Ok(token)
    }

    /// The user whose token this is.
    ///
    /// # Errors
    /// [`EngineError::UnknownToken`], also if they are not active.
    pub fn authenticate(&self, secret: &str) -> Result<User> {
        let hash = token_hash(secret);
        self.read(|now| {
            let query =
                format!("{USERS} WHERE active AND id = (SELECT user FROM tokens WHERE hash = ?1)");
            let found = now.query_row(&query, [hash], User::of).optional()?;
            found.ok_or(EngineError::UnknownToken)
        })
    }
}
