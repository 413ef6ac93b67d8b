//! Did you mean.

/// The candidate that `word` was most likely meant to be, if one is near enough.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = |s: &str| s.to_lowercase().replace(['-', ' '], "_");
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded(word), &folded(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(closest("statsu", ["status", "body"]), Some("status"));
        assert_eq!(closest("refresh_token", ["refresh-token"]), Some("refresh-token"));
        assert_eq!(closest("banana", ["status", "body"]), None);
    }
}
