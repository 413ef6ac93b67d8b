//! What is wrong in something that a person wrote, told so that they can mend it: where it stands,
//! what it is, and the cure.

mod suggest;
mod text;

pub use suggest::closest;
pub use text::{Span, Text, carets, part};

use std::fmt;

/// One problem in a file, a flag or another thing that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable short name of the kind of problem, for example `unknown-key`.
    pub code: &'static str,
    /// One sentence without a full stop: what is wrong.
    pub message: String,
    /// Where it stands; none for problems outside of files.
    pub at: Option<(Text, Span)>,
    /// The cure, as an imperative sentence.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem at a place in a text. What is missing at the end of the text has its place there.
    pub fn at(code: &'static str, text: &Text, span: Span, message: impl Into<String>) -> Self {
        let end = text.source().len();
        let span = Span::new(span.start.min(end), span.end.min(end));
        Self { code, message: message.into(), at: Some((text.clone(), span)), help: None }
    }

    /// A problem that stands in no file (a flag, a name on the command line).
    pub fn bare(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at: None, help: None }
    }

    /// The same with a cure.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with a cure, where there is one.
    #[must_use]
    pub fn help_opt(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// The layout that a person reads: message, place, the line with a caret under the span, cure.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        if let Some((text, span)) = &self.at {
            let (line, column) = text.line_column(span.start);
            writeln!(f, "  --> {}:{line}:{column}", text.name())?;
            f.write_str(&text.excerpt(*span, "   "))?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "   = help: {help}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_shows_line_column_caret_and_cure() {
        let text = Text::new("a.yaml", "one: 1\ntwoo: 2\n");
        let shown = Diagnostic::at("unknown-key", &text, Span::new(7, 11), "unknown key `twoo`")
            .help("did you mean `two`?")
            .to_string();
        assert_eq!(
            shown,
            "error[unknown-key]: unknown key `twoo`\n  --> a.yaml:2:1\n   2 | twoo: 2\n     | ^^^^\n   = help: did you mean `two`?\n"
        );
    }
}
