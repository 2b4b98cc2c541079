//! The tables as text and as CSV.

use std::fmt::Write as _;

use super::{Aligned, Stats};

impl Stats {
    /// The tables, for people.
    pub fn to_text(&self) -> String {
        let contents = &self.contents;
        let mut text = String::new();
        let list = |counts: &mut dyn Iterator<Item = (String, usize)>| {
            let parts: Vec<String> = counts
                .map(|(what, count)| format!("{count} {what}"))
                .collect();
            if parts.is_empty() {
                "none".to_owned()
            } else {
                parts.join(", ")
            }
        };
        let named = |counts: &std::collections::BTreeMap<&'static str, usize>| {
            list(
                &mut counts
                    .iter()
                    .map(|(what, count)| ((*what).to_owned(), *count)),
            )
        };
        let _ = writeln!(
            text,
            "videos             {} ({:.2} hours, {} frames)\n\
             masklets           {} ({} manual, {} automatic); {} masks\n\
             states             {}\n\
             tasks              {}\n\
             made with          {}\n\
             disappearance rate {:.1} %\n\
             size               {} small, {} medium, {} large (mean area below 32², below 96² \
             pixels, above); {:.1} % below a tenth of the picture",
            contents.videos,
            contents.hours,
            contents.frames,
            contents.masklets,
            contents.manual_masklets,
            contents.auto_masklets,
            contents.masks,
            named(&contents.states),
            named(&contents.tasks),
            list(
                &mut contents
                    .models
                    .iter()
                    .map(|(name, count)| (name.clone(), *count))
            ),
            100.0 * contents.disappearance_rate,
            contents.sizes.small,
            contents.sizes.medium,
            contents.sizes.large,
            100.0 * contents.below_a_tenth,
        );
        text += "\nphase  masklets  frames  s/frame  edited   clicks  agreement with phase 1 (IoU > 0.75)\n";
        text +=
            "                                  frames   each    all      small    medium   large\n";
        for of in &self.phases {
            let aligned = &of.alignment;
            let _ = writeln!(
                text,
                "{:<6} {:>8} {:>7} {:>8} {:>7} {:>8}  {}  {}  {}  {}",
                of.phase.number(),
                of.masklets,
                of.frames,
                number(of.seconds_per_frame),
                percent((of.masklets > 0).then_some(of.edited_share)),
                number((of.clicked_frames > 0).then_some(of.clicks_per_clicked_frame)),
                aligned_percent(&aligned.all),
                aligned_percent(&aligned.small),
                aligned_percent(&aligned.medium),
                aligned_percent(&aligned.large),
            );
        }
        if !self.workers.is_empty() {
            text += "\nwho               hours  edited frames  clicks  submitted  an hour  verified  hours\n";
        }
        for of in &self.workers {
            let _ = writeln!(
                text,
                "{:<16} {:>6.2} {:>14} {:>7} {:>10} {:>8.1} {:>9} {:>6.2}",
                of.name,
                of.annotation_hours,
                of.edited_frames,
                of.clicks,
                of.submitted,
                of.submitted_per_hour,
                of.verified,
                of.verification_hours,
            );
        }
        text
    }

    /// The tables as one CSV of `table,row,measure,value`: every number of the JSON.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("table,row,measure,value\n");
        let mut add = |table: &str, row: &str, value: serde_json::Value| {
            flatten(&mut csv, table, row, "", &value);
        };
        add(
            "contents",
            "all",
            serde_json::to_value(&self.contents).unwrap_or_default(),
        );
        for phase in &self.phases {
            let row = format!("phase {}", phase.phase.number());
            add(
                "phases",
                &row,
                serde_json::to_value(phase).unwrap_or_default(),
            );
        }
        for worker in &self.workers {
            add(
                "workers",
                &worker.name,
                serde_json::to_value(worker).unwrap_or_default(),
            );
        }
        csv
    }
}

/// Adds a line for each number in `value`, named by the keys on the way to it.
fn flatten(csv: &mut String, table: &str, row: &str, name: &str, value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                let name = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                flatten(csv, table, row, &name, value);
            }
        }
        serde_json::Value::Number(number) => {
            let _ = writeln!(
                csv,
                "{},{},{},{number}",
                quoted(table),
                quoted(row),
                quoted(name)
            );
        }
        _ => {}
    }
}

/// A field of CSV (RFC 4180). One that a spreadsheet would take for a formula is marked as text.
fn quoted(field: &str) -> String {
    let field = match field.starts_with(['=', '+', '-', '@']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    };
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.2}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

fn aligned_percent(aligned: &Aligned) -> String {
    format!("{:>7}", percent(aligned.share()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_csv_are_quoted_where_they_have_to_be() {
        assert_eq!(quoted("Ada"), "Ada");
        assert_eq!(quoted("Lovelace, \"Ada\""), "\"Lovelace, \"\"Ada\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
