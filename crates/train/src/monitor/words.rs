//! Numbers for people.

/// A time with its two largest units: `42 s`, `3 min 20 s`, `5 h 02 min`, `3 d 04 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".into();
    }
    let seconds = seconds.round().max(0.0) as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {:02} s", seconds % 60),
        (0, _, _) => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {:02} h", hours % 24),
    }
}

/// A size in memory: `512 MiB`, `1.50 GiB`.
pub fn memory(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.2} GiB", mebibytes / 1024.0)
    }
}

/// A count: `950`, `46.4 thousand`, `38.9 million`.
pub fn count(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1} thousand", number as f64 / 1e3),
        _ => format!("{:.1} million", number as f64 / 1e6),
    }
}

/// So many clips: `1 clip`, `4 clips`.
pub fn clips(number: usize) -> String {
    match number {
        1 => "1 clip".into(),
        _ => format!("{number} clips"),
    }
}

/// A number with three or four significant digits: `812.3`, `0.0123`, `1.2e-5`; `-` for none.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 100.0 => format!("{value:.3}"),
        _ => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_two_largest_units() {
        let told = [42.4, 200.0, 18_120.0, 273_700.0, f64::INFINITY].map(duration);
        assert_eq!(told, ["42 s", "3 min 20 s", "5 h 02 min", "3 d 04 h", "?"]);
    }

    #[test]
    fn numbers_are_short_at_every_size() {
        let told = [0.0, 1.234_56, 0.012_34, 812.34, 0.000_012, f64::NAN].map(number);
        assert_eq!(told, ["0", "1.235", "0.0123", "812.3", "1.2e-5", "-"]);
    }
}
