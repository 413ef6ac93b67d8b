//! Texts with `${...}` in them, filled in when a step is played.

/// A text with names in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// A name that has no value at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown(pub String);

impl Template {
    /// Reads a text; `${` without `}` stays as it is.
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, name, after)) = rest
            .split_once("${")
            .and_then(|(before, tail)| tail.split_once('}').map(|(name, after)| (before, name, after)))
        {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Self(pieces)
    }

    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with every name replaced.
    ///
    /// # Errors
    /// The first name without a value.
    pub fn fill(&self, value: &dyn Fn(&str) -> Option<String>) -> Result<String, Unknown> {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Ok(text.clone()),
                Piece::Name(name) => value(name).ok_or_else(|| Unknown(name.clone())),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_and_missing_ones_told() {
        let value = |name: &str| (name == "a").then(|| "1".to_owned());
        assert_eq!(Template::new("x${a}y").fill(&value), Ok("x1y".into()));
        assert_eq!(Template::new("${b}").fill(&value), Err(Unknown("b".into())));
        assert_eq!(Template::new("open ${").fill(&value), Ok("open ${".into()));
    }
}
