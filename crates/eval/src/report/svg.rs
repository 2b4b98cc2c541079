//! Drawings for the page: curves of interaction and bars of sequences.

use std::fmt::Write as _;

use super::{CurvePoint, Protocol, Report, Row, Unit, html::escaped};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 300.0;
/// Left, top, right, bottom.
const MARGIN: [f64; 4] = [44.0, 14.0, 350.0, 40.0];
/// Colours of the lines, told apart by dashes too.
const LINES: [(&str, &str); 6] = [
    ("#0072b2", "none"),
    ("#d55e00", "none"),
    ("#009e73", "6 3"),
    ("#cc79a7", "6 3"),
    ("#56b4e9", "2 3"),
    ("#e69f00", "2 3"),
];

/// The main measure over the number of annotated frames or clicks; empty if no row has a curve.
pub(super) fn curves(report: &Report, axis: &str) -> String {
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.curve.len() > 1)
        .collect();
    let points = || rows.iter().flat_map(|row| &row.curve);
    let Some(most) = points().map(|point| point.annotated).max() else {
        return String::new();
    };
    let least = points().map(|point| point.annotated).min().unwrap_or(most);
    let [left, top, right, bottom] = MARGIN;
    let span = (most - least).max(1) as f64;
    let x = |annotated: usize| left + (annotated - least) as f64 / span * (WIDTH - left - right);
    let y = |score: f64| top + (1.0 - score / 100.0) * (HEIGHT - top - bottom);
    let mut svg = format!(
        "<svg class=curves viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{} over {axis}'>",
        report.main_measure()
    );
    for score in [0.0, 20.0, 40.0, 60.0, 80.0, 100.0] {
        let (at, end) = (y(score), WIDTH - right);
        let _ = write!(
            svg,
            "<line class=grid x1={left} x2={end} y1={at:.1} y2={at:.1} />"
        );
        let _ = write!(
            svg,
            "<text x={} y={:.1} text-anchor=end>{score:.0}</text>",
            left - 7.0,
            at + 4.0
        );
    }
    let mut ticks: Vec<usize> = points().map(|point| point.annotated).collect();
    ticks.sort_unstable();
    ticks.dedup();
    for tick in ticks {
        let _ = write!(
            svg,
            "<text x={:.1} y={} text-anchor=middle>{tick}</text>",
            x(tick),
            HEIGHT - bottom + 18.0
        );
    }
    let _ = write!(
        svg,
        "<text x={:.1} y={} text-anchor=middle>{axis}</text>",
        (left + WIDTH - right) / 2.0,
        HEIGHT - 4.0
    );
    let mut labels = spread(
        &rows
            .iter()
            .map(|row| y(row.curve[row.curve.len() - 1].score))
            .collect::<Vec<_>>(),
    );
    for (row, (colour, dashes)) in rows.iter().zip(LINES.iter().cycle()) {
        let line: Vec<String> = row
            .curve
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point.annotated), y(point.score)))
            .collect();
        let _ = write!(
            svg,
            "<polyline fill=none stroke='{colour}' stroke-width=2.5 stroke-dasharray='{dashes}' points='{}' />",
            line.join(" ")
        );
        for point in &row.curve {
            let _ = write!(
                svg,
                "<circle cx={:.1} cy={:.1} r=3.5 fill='{colour}'><title>{}</title></circle>",
                x(point.annotated),
                y(point.score),
                hint(point, axis)
            );
        }
        let label = match report.protocol {
            // There the curve is over prompts.
            Protocol::Image => row.method.clone(),
            _ => format!("{}, {}", row.method, row.prompt),
        };
        let _ = write!(
            svg,
            "<text x={:.1} y={:.1} style='fill:{colour}'>{}</text>",
            WIDTH - right + 8.0,
            labels.remove(0) + 4.0,
            escaped(&shortened(&label))
        );
    }
    svg + "</svg>"
}

/// What a point on a curve stands for.
fn hint(point: &CurvePoint, axis: &str) -> String {
    let mut hint = format!("{:.1} with {} {axis}", point.score, point.annotated);
    if let Some(seconds) = point.annotation_seconds {
        let _ = write!(
            hint,
            "; an object takes {:.1} clicks, {seconds:.0} s of an annotator",
            point.clicks
        );
    }
    if point.seconds > 0.0 {
        let _ = write!(hint, "; {:.1} s of computing an object", point.seconds);
    }
    hint
}

/// Heights of labels, moved apart where they would overlap.
fn spread(heights: &[f64]) -> Vec<f64> {
    const APART: f64 = 15.0;
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let mut moved = heights.to_vec();
    let mut lowest = f64::NEG_INFINITY;
    for at in order {
        moved[at] = moved[at].max(lowest + APART);
        lowest = moved[at];
    }
    moved
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 56;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}

/// A bar for each sequence, worst first.
pub(super) fn bars(units: &[&Unit], most: usize) -> String {
    let mut html = String::from("<div class=bars>");
    for unit in units.iter().take(most) {
        let details: Vec<String> = unit
            .metrics
            .iter()
            .map(|metric| format!("{} {:.1}", metric.name, metric.value))
            .collect();
        let _ = write!(
            html,
            "<span class=name>{}</span><span class=track title='{}'><span class=bar style='width:{:.1}%'></span></span><span class=value>{:.1}</span>",
            escaped(&unit.name),
            escaped(&details.join(", ")),
            unit.score.clamp(0.0, 100.0),
            unit.score
        );
    }
    html.push_str("</div>");
    if units.len() > most {
        let _ = write!(
            html,
            "<p class=note>and {} better ones, in report.json</p>",
            units.len() - most
        );
    }
    html
}
