//! One line of the report.

use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::output::print_line;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Works, with less than there could be.
    Note,
    /// Does not work.
    Fail,
}

/// What was looked at and what was found.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// What was found, for people.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    /// What was found, for programs.
    #[serde(skip_serializing_if = "Value::is_null")]
    values: Value,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            advice: None,
            values: Value::Null,
        }
    }

    pub(super) fn note(
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Note,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }

    pub(super) fn fail(
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Fail,
            ..Self::note(name, found, advice)
        }
    }

    pub(super) fn with_values(self, values: Value) -> Self {
        Self { values, ..self }
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Note => "note",
            Status::Fail => "FAIL",
        };
        print_line(&format!("{status:<5}{:<13}{}", self.name, self.found))?;
        match &self.advice {
            Some(advice) => print_line(&format!("{:18}→ {advice}", "")),
            None => Ok(()),
        }
    }
}
