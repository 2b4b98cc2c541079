//! The report as Markdown.

use std::fmt::Write as _;

use super::quoted::Quoted;
use super::{Report, Row, Table, table::number};

/// Sequences listed of a row.
const MOST_UNITS: usize = 30;

impl Report {
    /// The report as Markdown: what was done, the table, and the worst sequences of each row.
    pub fn to_markdown(&self, quoted: &[Quoted]) -> String {
        let mut text = format!("# {}: {}\n\n", self.data.name, self.protocol.title());
        let _ = writeln!(
            text,
            "- Data: {}, {} to be evaluated",
            self.data.layout, self.data.units
        );
        if let Some(model) = &self.model {
            let _ = writeln!(
                text,
                "- Model: {} from {}, {}, SHA-256 `{}`",
                model.name, model.weights, model.precision, model.sha256
            );
        }
        let _ = writeln!(text, "- Rules: {}", self.rules);
        let _ = writeln!(text, "- Machine: {}", self.machine.sentence());
        let _ = writeln!(text, "- masklet {}\n", self.version);
        text.push_str(&Table::of_methods(self, quoted).to_markdown());
        if !quoted.is_empty() {
            let sources = Quoted::sources(quoted);
            let _ = writeln!(text, "\nQuoted rows were not measured here: {sources}.");
        }
        if !self.failures.is_empty() {
            text.push_str("\n## Not evaluated\n\n");
            for failure in &self.failures {
                let _ = writeln!(text, "- **{}**: {}", failure.name, failure.message);
            }
        }
        for row in &self.rows {
            text.push_str(&units(row));
        }
        text
    }
}

fn units(row: &Row) -> String {
    let units = row.worst_first();
    let Some(first) = units.first() else {
        return String::new();
    };
    let main = row.metrics.first().map_or("score", |metric| &metric.name);
    let others = first.metrics.iter().map(|metric| metric.name.clone());
    let head = ["worst first".to_owned(), main.to_owned()]
        .into_iter()
        .chain(others);
    let table = Table {
        head: head.collect(),
        rows: units
            .iter()
            .take(MOST_UNITS)
            .map(|unit| {
                let others = unit.metrics.iter().map(|metric| number(Some(metric.value)));
                [unit.name.clone(), number(Some(unit.score))]
                    .into_iter()
                    .chain(others)
                    .collect()
            })
            .collect(),
        words: 1,
    };
    format!(
        "\n## {}, {}\n\n{}",
        row.method,
        row.prompt,
        table.to_markdown()
    )
}
