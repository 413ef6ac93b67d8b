//! A text with a name, and spans in it.

use std::fmt::Write as _;
use std::sync::Arc;

/// A source text that diagnostics and findings point into. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    name: Arc<str>,
    source: Arc<str>,
}

/// A range of bytes in a [`Text`], end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span of the bytes `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

impl Text {
    /// A text under the name that its reader knows it by (a path as it was given).
    pub fn new(name: impl Into<Arc<str>>, source: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), source: source.into() }
    }

    /// The name that was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn line_column(&self, at: usize) -> (usize, usize) {
        let before = &self.source[..self.floor(at)];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The first line of the span with carets under it, each line behind `indent` and a gutter.
    pub fn excerpt(&self, span: Span, indent: &str) -> String {
        const WIDTH: usize = 160;
        let (number, column) = self.line_column(span.start);
        let start = self.floor(span.start);
        let line_start = self.source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.source[start..].find('\n').map_or(self.source.len(), |n| start + n);
        let line: String = self.source[line_start..line_end]
            .trim_end_matches('\r')
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(WIDTH)
            .collect();
        let end = self.floor(span.end.max(start)).min(line_end);
        let room = (WIDTH + 1).saturating_sub(column).max(1);
        let carets = self.source[start..end].chars().count().clamp(1, room);
        let gutter = number.to_string();
        let mut out = String::new();
        let _ = writeln!(out, "{indent}{gutter} | {line}");
        let _ = writeln!(
            out,
            "{indent}{} | {}{}",
            " ".repeat(gutter.len()),
            " ".repeat(column.saturating_sub(1).min(WIDTH)),
            "^".repeat(carets)
        );
        out
    }

    fn floor(&self, at: usize) -> usize {
        let mut at = at.min(self.source.len());
        while !self.source.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_a_span_past_the_end_is_held() {
        let text = Text::new("t", "ä: x\nb");
        assert_eq!(text.line_column(2), (1, 2));
        assert_eq!(text.line_column(999), (2, 2));
        assert_eq!(text.excerpt(Span::new(0, 2), ""), "1 | ä: x\n  | ^\n");
        assert!(text.excerpt(Span::new(50, 60), "").ends_with("^\n"));
    }
}
