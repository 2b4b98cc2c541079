//! A configuration's text: which line a field is on, and what a parser's complaint is about.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, FieldError, Place};
use crate::nearest::nearest;

/// A text and its fields by name. A name has its sections before it, and places in lists counted
/// from 0: `data.source[1].path`.
pub(super) struct Document<'a> {
    file: Option<&'a Path>,
    text: &'a str,
    root: DeTable<'a>,
}

impl<'a> Document<'a> {
    /// Reads a text, which need not be sound; what cannot be read is left out.
    pub(super) fn new(text: &'a str, file: Option<&'a Path>) -> Self {
        let (root, _) = DeTable::parse_recoverable(text);
        Self {
            file,
            text,
            root: root.into_inner(),
        }
    }

    /// Whether the field is written down.
    pub(super) fn has(&self, field: &str) -> bool {
        let parts: Vec<&str> = parts(field).collect();
        self.spans(&parts).len() == parts.len()
    }

    /// The error of a field, with the place where it, or else its section, is written.
    pub(super) fn field_error(&self, error: FieldError) -> ConfigError {
        let parts: Vec<&str> = parts(&error.field).collect();
        let line = self.spans(&parts).last().map(|span| self.line(span.start));
        ConfigError::Field {
            place: self.place(line),
            error,
        }
    }

    /// A parser's error; where a name is unknown, with the `sections` that have a field of that
    /// name, or the nearest accepted one.
    pub(super) fn parse_error(
        &self,
        error: &toml::de::Error,
        sections: impl Fn(&str) -> Vec<String>,
    ) -> ConfigError {
        let span = error.span().unwrap_or_default();
        let place = self.place(error.span().map(|span| self.line(span.start)));
        let message = error.message();
        let unknown = [("unknown field `", "field"), ("unknown variant `", "value")]
            .into_iter()
            .find_map(|(start, kind)| Some((kind, message.strip_prefix(start)?)));
        let Some((kind, (name, rest))) =
            unknown.and_then(|(kind, rest)| Some((kind, rest.split_once('`')?)))
        else {
            return ConfigError::Syntax {
                place,
                message: message.to_owned(),
            };
        };
        // What is left is serde's list of accepted names, each in backquotes.
        let accepted: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let elsewhere = match kind {
            "field" => sections(name),
            _ => Vec::new(),
        };
        let near = nearest(name, accepted.iter().copied());
        let advice = match (elsewhere.is_empty(), near) {
            (false, _) => format!("it belongs in [{}]", elsewhere.join("] or [")),
            (true, Some(near)) => format!("did you mean `{near}`?"),
            (true, None) => format!("accepted are `{}`", accepted.join("`, `")),
        };
        ConfigError::Unknown {
            place,
            what: format!("{kind} `{name}`{}", self.section(span.start)),
            advice,
        }
    }

    fn place(&self, line: Option<usize>) -> Place {
        Place {
            file: self.file.map(Path::to_owned),
            line,
        }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self
            .text
            .bytes()
            .take(offset)
            .filter(|&b| b == b'\n')
            .count()
    }

    /// Where the field, and before it each of its sections, is written; as far as they are.
    fn spans(&self, parts: &[&str]) -> Vec<Range<usize>> {
        let mut spans = Vec::new();
        let mut inside = Inside::Table(&self.root);
        for part in parts {
            let (span, value) = match inside {
                Inside::Table(table) => match table.get_key_value(*part) {
                    Some((key, value)) => (key.span(), value),
                    None => break,
                },
                Inside::List(list) => match part.parse().ok().and_then(|i: usize| list.get(i)) {
                    Some(value) => (value.span(), value),
                    None => break,
                },
                Inside::Nothing => break,
            };
            spans.push(span);
            inside = Inside::of(value.get_ref());
        }
        spans
    }

    /// ` in [section]` for the section that a field written at `offset` belongs to.
    fn section(&self, offset: usize) -> String {
        let mut path = Vec::new();
        match find(&self.root, offset, &mut path) && !path.is_empty() {
            true => format!(" in [{}]", path.join(".")),
            false => String::new(),
        }
    }
}

/// What can be looked into.
enum Inside<'t, 'a> {
    Table(&'t DeTable<'a>),
    List(&'t [Spanned<DeValue<'a>>]),
    Nothing,
}

impl<'t, 'a> Inside<'t, 'a> {
    fn of(value: &'t DeValue<'a>) -> Self {
        match value {
            DeValue::Table(table) => Self::Table(table),
            DeValue::Array(list) => Self::List(list),
            _ => Self::Nothing,
        }
    }
}

/// `data.source[1].path` → data, source, 1, path.
fn parts(field: &str) -> impl Iterator<Item = &str> {
    field.split(['.', '[', ']']).filter(|part| !part.is_empty())
}

/// Makes `path` that of the innermost table with a key, or a key's plain value, at `offset`.
fn find(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) -> bool {
    table.iter().any(|(key, value)| {
        let tables: Vec<&DeTable<'_>> = match value.get_ref() {
            DeValue::Table(table) => vec![table],
            DeValue::Array(list) => list.iter().filter_map(|v| v.get_ref().as_table()).collect(),
            _ => Vec::new(),
        };
        let plain = tables.is_empty() && value.span().contains(&offset);
        if key.span().contains(&offset) || plain {
            return true;
        }
        path.push(key.get_ref().to_string());
        let found = tables.into_iter().any(|table| find(table, offset, path));
        if !found {
            path.pop();
        }
        found
    })
}
