//! The page: one file that needs nothing else.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::quoted::Quoted;
use super::svg::{bars, curves};
use super::{Protocol, Report, Row, Strip, Table};

pub(super) const STYLE: &str = include_str!("page.css");
/// Bars shown of a row.
const MOST_BARS: usize = 60;

impl Report {
    /// The page, with strips of frames and published numbers.
    pub fn to_html(&self, strips: &[Strip], quoted: &[Quoted]) -> String {
        let title = format!("{} · {}", self.data.name, self.protocol.title());
        let mut page = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{}</title><style>{STYLE}</style><main>",
            escaped(&title)
        );
        let _ = write!(
            page,
            "<h1>{}</h1><p class=lead>{}</p>",
            escaped(&self.data.name),
            self.protocol.title()
        );
        page.push_str(&self.facts());
        page.push_str(&self.failures_html());
        page.push_str("<h2>Results</h2>");
        page.push_str(&self.table_html(quoted));
        let drawing = curves(self, self.curve_axis());
        if !drawing.is_empty() {
            let _ = write!(
                page,
                "<h2>{} as interaction goes on</h2>{drawing}",
                escaped(self.main_measure())
            );
        }
        for (number, row) in self.rows.iter().enumerate() {
            page.push_str(&self.row_html(number, row, strips));
        }
        page.push_str(&self.speed_html());
        let _ = write!(
            page,
            "<footer>masklet {}</footer></main></html>",
            escaped(&self.version)
        );
        page
    }

    /// What the horizontal axis of the curves counts.
    pub(super) fn curve_axis(&self) -> &'static str {
        match self.protocol {
            Protocol::Image => "clicks",
            _ => "annotated frames",
        }
    }

    fn facts(&self) -> String {
        let model = self.model.as_ref().map(|model| {
            let hash: String = model.sha256.chars().take(12).collect();
            format!(
                "{} from {} (SHA-256 {hash}…), {}",
                model.name, model.weights, model.precision
            )
        });
        let unit = match (self.protocol, self.data.units) {
            (Protocol::Image, 1) => "image",
            (Protocol::Image, _) => "images",
            (_, 1) => "sequence",
            _ => "sequences",
        };
        let data = format!("{}, {} {unit}", self.data.layout, self.data.units);
        let facts = [
            ("Data", Some(data)),
            ("Model", model),
            ("Rules", Some(self.rules.clone())),
            ("Machine", Some(self.machine.sentence())),
        ];
        let mut html = String::from("<dl>");
        for (name, value) in facts {
            if let Some(value) = value {
                let _ = write!(html, "<dt>{name}<dd>{}", escaped(&value));
            }
        }
        html + "</dl>"
    }

    fn failures_html(&self) -> String {
        if self.failures.is_empty() {
            return String::new();
        }
        let mut html = String::from("<div class=failures><h2>Not evaluated</h2><ul>");
        for failure in &self.failures {
            let _ = write!(
                html,
                "<li><b>{}</b>: {}",
                escaped(&failure.name),
                escaped(&failure.message)
            );
        }
        html + "</ul></div>"
    }

    fn table_html(&self, quoted: &[Quoted]) -> String {
        let table = Table::of_methods(self, quoted);
        let mut html = String::from("<div class=scroll><table><tr>");
        for (column, name) in table.head.iter().enumerate() {
            let class = if column < table.words { "words" } else { "" };
            let _ = write!(html, "<th class='{class}'>{}", escaped(name));
        }
        for (number, cells) in table.rows.iter().enumerate() {
            let class = match self.rows.get(number) {
                None => "quoted",
                Some(row) if row.baseline => "baseline",
                Some(_) => "",
            };
            let _ = write!(html, "<tr class='{class}'>");
            for (column, cell) in cells.iter().enumerate() {
                let class = if column < table.words { "words" } else { "" };
                let _ = write!(html, "<td class='{class}'>{}", escaped(cell));
            }
        }
        html.push_str(
            "</table></div><p class=note>Per cent where not said otherwise. Baselines in grey.",
        );
        if !quoted.is_empty() {
            let _ = write!(
                html,
                " Rows in italics are quoted, not measured here: {}.",
                escaped(&Quoted::sources(quoted))
            );
        }
        html + "</p>"
    }

    fn row_html(&self, number: usize, row: &Row, strips: &[Strip]) -> String {
        // Baselines are folded away where there is something else to see.
        let alone = self.rows.iter().all(|row| row.baseline);
        let open = match (row.baseline, alone) {
            (true, false) => " class=baseline",
            (true, true) => " class=baseline open",
            (false, _) => " open",
        };
        let units = row.worst_first();
        let mut html = format!(
            "<details{open}><summary><h2>{} <small>{}</small></h2></summary>{}",
            escaped(&row.method),
            escaped(&row.prompt),
            bars(&units, MOST_BARS)
        );
        for unit in units {
            for note in &unit.notes {
                let _ = write!(
                    html,
                    "<p class=note>{}: {}</p>",
                    escaped(&unit.name),
                    escaped(note)
                );
            }
        }
        let mine: Vec<&Strip> = strips.iter().filter(|strip| strip.row == number).collect();
        if !mine.is_empty() {
            html.push_str("<h3>Worst first: truth above, prediction below</h3>");
        }
        for strip in mine {
            html.push_str(&strip_html(strip, row));
        }
        html + "</details>"
    }

    fn speed_html(&self) -> String {
        if self.speed.is_empty() {
            return String::new();
        }
        let mut html = String::from(
            "<h2>Speed</h2><p class=note>By masklet bench.</p><div class=scroll><table><tr><th class=words>model<th class=words>precision<th>threads<th>frames/s<th>s a frame<th>s to encode",
        );
        for result in &self.speed {
            let text = |key: &str| result[key].as_str().unwrap_or("–").to_owned();
            let number = |key: &str| {
                result[key]
                    .as_f64()
                    .map_or("–".to_owned(), |value| format!("{value:.3}"))
            };
            let _ = write!(
                html,
                "<tr><td class=words>{}<td class=words>{}<td>{}<td>{}<td>{}<td>{}",
                escaped(&text("model")),
                escaped(&text("precision")),
                result["threads"]
                    .as_u64()
                    .map_or("–".to_owned(), |threads| threads.to_string()),
                number("frames_per_second"),
                number("frame_s"),
                number("encode_s")
            );
        }
        html + "</table></div>"
    }
}

fn strip_html(strip: &Strip, row: &Row) -> String {
    let score = row
        .units
        .iter()
        .find(|unit| unit.name == strip.unit)
        .map(|unit| unit.score);
    let score = score.map_or(String::new(), |score| format!(" <span>{score:.1}</span>"));
    let mut html = format!(
        "<section class=strip><h4>{}{score}</h4><div class=frames>",
        escaped(&strip.unit)
    );
    for frame in &strip.frames {
        let image = |bytes: &[u8], what: &str| {
            format!(
                "<img loading=lazy alt='{what}' src='data:image/jpeg;base64,{}'>",
                BASE64.encode(bytes)
            )
        };
        let _ = write!(
            html,
            "<figure>{}{}<figcaption>{}</figcaption></figure>",
            image(&frame.truth, "truth"),
            image(&frame.predicted, "prediction"),
            escaped(&frame.caption)
        );
    }
    html + "</div></section>"
}

/// Text as it may stand in HTML, between tags or in quotes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&quot;")
}
