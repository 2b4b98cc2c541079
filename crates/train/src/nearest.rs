//! Which of the accepted names was meant.

/// The candidate most like `name`, if one is like it at all.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Half of the letters may differ.
    const LEAST: f64 = 0.5;
    let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(name, candidate);
    let all = candidates.into_iter().map(|name| (likeness(name), name));
    let best = all.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= LEAST).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_found_and_an_unlike_one_is_not() {
        let names = ["learning_rate", "weight_decay", "steps"];
        assert_eq!(nearest("learning_rat", names), Some("learning_rate"));
        assert_eq!(nearest("step", names), Some("steps"));
        assert_eq!(nearest("zoology", names), None);
        assert_eq!(nearest("step", []), None);
    }
}
