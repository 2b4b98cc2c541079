//! The page of a comparison: one file that needs nothing else.

use std::fmt::Write as _;

use super::{Comparison, Report, UnitComparison};
use crate::report::html::{STYLE, escaped};

/// The page of two reports' comparisons.
pub fn page(a: &Report, b: &Report, comparisons: &[Comparison]) -> String {
    let title = format!("{} · comparison", a.data.name);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{}</title><style>{STYLE}</style><main><h1>{}</h1><p class=lead>{}, two reports compared</p><dl>",
        escaped(&title),
        escaped(&a.data.name),
        a.protocol.title()
    );
    for (name, report) in [("A", a), ("B", b)] {
        let _ = write!(page, "<dt>{name}<dd>{}", escaped(&source(report)));
    }
    page.push_str(
        "</dl><h2>Differences</h2><div class=scroll><table><tr><th class=words>method<th class=words>prompt<th class=words>measure<th>A<th>B<th>B − A<th>95 % interval<th class=words>verdict",
    );
    for comparison in comparisons {
        let [low, high] = comparison.interval;
        let _ = write!(
            page,
            "<tr><td class=words>{}<td class=words>{}<td class=words>{}<td>{:.1}<td>{:.1}<td>{:+.2}<td>{low:+.2} … {high:+.2}<td class=words>{}",
            escaped(&comparison.methods()),
            escaped(&comparison.prompt),
            escaped(&comparison.measure),
            comparison.a,
            comparison.b,
            comparison.difference,
            comparison.verdict()
        );
    }
    page.push_str("</table></div><p class=note>The interval is of a paired bootstrap over sequences, each with its objects.</p>");
    for comparison in comparisons {
        page.push_str(&details(comparison));
    }
    page + "</main></html>"
}

/// The model and its checkpoint, and what wrote the report.
fn source(report: &Report) -> String {
    let model = report.model.as_ref().map_or_else(
        || "no model".to_owned(),
        |model| {
            let hash: String = model.sha256.chars().take(12).collect();
            format!("{} from {} (SHA-256 {hash}…)", model.name, model.weights)
        },
    );
    format!("{model}; masklet {}", report.version)
}

/// A bar for each sequence, to the left where it lost, to the right where it won.
fn details(comparison: &Comparison) -> String {
    let change = |unit: &UnitComparison| unit.b - unit.a;
    let changes = comparison.units.iter().map(|unit| change(unit).abs());
    let most = changes.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let mut html = format!(
        "<details open><summary><h2>{} <small>{}</small></h2></summary><div class='bars changes'>",
        escaped(&comparison.methods()),
        escaped(&comparison.prompt)
    );
    for unit in &comparison.units {
        let change = change(unit);
        let (side, class) = if change < 0.0 {
            ("right", "worse")
        } else {
            ("left", "better")
        };
        let _ = write!(
            html,
            "<span class=name>{}</span><span class=track title='{:.1} → {:.1}'><span class='bar {class}' style='{side}:50%;width:{:.1}%'></span></span><span class=value>{change:+.1}</span>",
            escaped(&unit.name),
            unit.a,
            unit.b,
            50.0 * change.abs() / most
        );
    }
    html.push_str("</div>");
    if !comparison.unpaired.is_empty() {
        let _ = write!(
            html,
            "<p class=note>Only in one report, left out: {}</p>",
            escaped(&comparison.unpaired.join(", "))
        );
    }
    html + "</details>"
}
