//! Published numbers, to be shown beside measured ones and marked as quoted.

use masklet_data::Layout;

/// A number that somebody else measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quoted {
    /// The model.
    pub method: &'static str,
    /// The prompt.
    pub prompt: &'static str,
    /// J&F, per cent.
    pub jf: f64,
    /// Where the number is published.
    pub source: &'static str,
}

const SOURCE: &str = "github.com/facebookresearch/sam2, README, \"Model Description\"";

/// Model, and J&F on SA-V test, MOSE val and LVOS v2.
const CHECKPOINTS: [(&str, f64, f64, f64); 8] = [
    ("SAM 2.1 tiny", 76.5, 71.8, 77.3),
    ("SAM 2.1 small", 76.6, 73.5, 78.3),
    ("SAM 2.1 base+", 78.2, 73.7, 78.2),
    ("SAM 2.1 large", 79.5, 74.6, 80.6),
    ("SAM 2 tiny", 75.0, 70.9, 75.3),
    ("SAM 2 small", 74.9, 71.5, 76.4),
    ("SAM 2 base+", 74.7, 72.8, 75.8),
    ("SAM 2 large", 76.0, 74.6, 79.8),
];

/// The numbers that the authors published for a data set, with the first true mask given. Which set
/// it is, is told from its layout and the names in its path: `sav_test`, `MOSE/valid`, `LVOS_v2`.
pub fn quoted(layout: Layout, path: &str) -> Vec<Quoted> {
    let path = path.to_lowercase();
    let column: fn(&(&str, f64, f64, f64)) -> f64 = match layout {
        Layout::SavEval if path.contains("sav_test") => |row| row.1,
        Layout::Mose if path.contains("val") => |row| row.2,
        Layout::Lvos if path.contains("v2") => |row| row.3,
        _ => return Vec::new(),
    };
    let row = |row: &(&'static str, f64, f64, f64)| Quoted {
        method: row.0,
        prompt: "true mask",
        jf: column(row),
        source: SOURCE,
    };
    CHECKPOINTS.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_quoted_only_for_the_set_they_belong_to() {
        assert_eq!(quoted(Layout::SavEval, "/data/sav_test")[3].jf, 79.5);
        assert!(quoted(Layout::SavEval, "/data/sav_val").is_empty());
        assert!(quoted(Layout::Davis, "/data/davis2016-val").is_empty());
        assert_eq!(quoted(Layout::Lvos, "LVOS_V2/valid")[0].jf, 77.3);
    }
}
