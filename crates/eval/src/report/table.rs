//! The table of methods, for terminals and Markdown.

use std::fmt::Write as _;

use super::quoted::Quoted;
use super::{Report, Row};

/// Cells of text, the first row being the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The columns' names.
    pub head: Vec<String>,
    /// The rows, each as long as the head.
    pub rows: Vec<Vec<String>>,
    /// How many columns, from the left, hold words rather than numbers.
    pub words: usize,
}

impl Table {
    /// One row for each method and prompt; then published numbers.
    pub fn of_methods(report: &Report, quoted: &[Quoted]) -> Self {
        let names = metric_names(&report.rows);
        let head = ["method", "prompt"].map(str::to_owned).into_iter();
        let cells = |row: &Row| {
            let values = names.iter().map(|name| match row.metric(name) {
                // A network may take many seconds an image.
                Some(speed) if name.ends_with("/s") => format!("{speed:.2}"),
                value => number(value),
            });
            [row.method.clone(), row.prompt.clone()]
                .into_iter()
                .chain(values)
                .collect()
        };
        let quote = |quoted: &Quoted| {
            let value = |name: &String| {
                let known = quoted.metrics.iter().find(|(known, _)| known == name);
                number(known.map(|&(_, value)| value))
            };
            let words = [
                format!("{} (quoted)", quoted.method),
                quoted.prompt.to_owned(),
            ];
            words.into_iter().chain(names.iter().map(value)).collect()
        };
        Self {
            rows: report
                .rows
                .iter()
                .map(cells)
                .chain(quoted.iter().map(quote))
                .collect(),
            head: head.chain(names.iter().cloned()).collect(),
            words: 2,
        }
    }

    /// Columns aligned with spaces, for terminals.
    pub fn to_text(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = std::iter::once(&self.head).chain(&self.rows);
                cells
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let _ = if column < self.words {
                    write!(line, "{gap}{cell:<width$}")
                } else {
                    write!(line, "{gap}{cell:>width$}")
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// A Markdown table.
    pub fn to_markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
        let rule: Vec<String> = (0..self.head.len())
            .map(|column| if column < self.words { "---" } else { "---:" }.to_owned())
            .collect();
        let rows = self.rows.iter().map(|row| line(row));
        [line(&self.head), line(&rule)]
            .into_iter()
            .chain(rows)
            .collect()
    }
}

/// The measures that occur, in the order of the first row that has them.
fn metric_names(rows: &[Row]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for metric in rows.iter().flat_map(|row| &row.metrics) {
        if !names.contains(&metric.name) {
            names.push(metric.name.clone());
        }
    }
    names
}

/// A number as tables show it.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.1}"),
        _ => "–".to_owned(),
    }
}
