//! A text with a name, and spans in it.

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

/// The most characters of a line that are shown.
const WIDTH: usize = 160;

/// How many characters of a line are left out in front of what is shown of it: of a long line, the part is shown that a
/// place far behind is in.
fn left_out(column: usize) -> usize {
    if column > WIDTH { column - WIDTH / 4 } else { 0 }
}

/// What is shown of a line around a column from 1: the beginning of it, or a part, with a sign for what is left out in front.
/// Each of its characters takes one place.
pub fn part(line: &str, column: usize) -> String {
    let left_out = left_out(column);
    let sign = (left_out > 0).then_some('…');
    let steady = |c: char| if c.is_control() { ' ' } else { c };
    sign.into_iter().chain(line.chars().skip(left_out).take(WIDTH).map(steady)).collect()
}

/// What stands under a part that [`part`] made for that column: blanks, and carets under so many characters.
pub fn carets(part: &str, column: usize, length: usize) -> (String, String) {
    let left_out = left_out(column);
    let before = column.saturating_sub(1) - left_out + usize::from(left_out > 0);
    let room = part.chars().count().saturating_sub(before);
    (" ".repeat(before), "^".repeat(length.min(room).max(1)))
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

    /// The first line of the span with carets under it, each line behind `indent` and a gutter. Of a long line a part.
    pub fn excerpt(&self, span: Span, indent: &str) -> String {
        let (number, column) = self.line_column(span.start);
        let line = part(self.line(number), column);
        let (before, carets) = carets(&line, column, self.length(span));
        let gutter = number.to_string();
        let blank = " ".repeat(gutter.len());
        format!("{indent}{gutter} | {line}\n{indent}{blank} | {before}{carets}\n")
    }

    /// A line by its number from 1, without its end.
    pub fn line(&self, number: usize) -> &str {
        self.source.lines().nth(number.saturating_sub(1)).unwrap_or("").trim_end()
    }

    /// How many characters of its first line a span has, at least one.
    pub fn length(&self, span: Span) -> usize {
        let start = self.floor(span.start);
        let of = &self.source[start..self.floor(span.end.max(start))];
        of.lines().next().unwrap_or("").chars().count().max(1)
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

    #[test]
    fn carets_stand_under_what_they_are_about_on_long_lines_too() {
        for before in [0, 100, 158, 159, 160, 161, 399, 1000, 20_000] {
            let source = format!("{}WRONG{}", "é".repeat(before), "x".repeat(500));
            let out = Text::new("a", source).excerpt(Span::new(before * 2, before * 2 + 5), "");
            let lines: Vec<Vec<char>> = out.lines().map(|line| line.chars().collect()).collect();
            let column = lines[1].iter().position(|c| *c == '^').unwrap();
            assert_eq!((lines[0][column], lines[0].len() < 200), ('W', true), "{out}");
        }
    }
}
