//! Characters that a page writes by name or number (HTML, character references).

/// Those that are written by name.
const NAMED: [(&str, char); 25] = [
    ("&amp;", '&'),
    ("&apos;", '\''),
    ("&colon;", ':'),
    ("&comma;", ','),
    ("&equals;", '='),
    ("&gt;", '>'),
    ("&lbrace;", '{'),
    ("&lcub;", '{'),
    ("&ldquo;", '\u{201c}'),
    ("&lowbar;", '_'),
    ("&lsquo;", '\u{2018}'),
    ("&lt;", '<'),
    ("&mdash;", '\u{2014}'),
    ("&nbsp;", '\u{a0}'),
    ("&ndash;", '\u{2013}'),
    ("&num;", '#'),
    ("&period;", '.'),
    ("&plus;", '+'),
    ("&prime;", '\u{2032}'),
    ("&quot;", '"'),
    ("&rbrace;", '}'),
    ("&rcub;", '}'),
    ("&rdquo;", '\u{201d}'),
    ("&rsquo;", '\u{2019}'),
    ("&sol;", '/'),
];

/// The most digits that a number is read of, in bytes.
const LONGEST: usize = 10;

/// The character that a reference at the begin of a text stands for, and how long the reference is, in bytes.
pub fn reference(text: &str) -> Option<(char, usize)> {
    if let Some((name, c)) = NAMED.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((*c, name.len()));
    }
    let rest = text.strip_prefix("&#")?;
    let end = rest.bytes().take(LONGEST).position(|b| b == b';')?;
    let code = match rest[..end].strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => rest[..end].parse(),
    };
    Some((char::from_u32(code.ok()?)?, end + 3))
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn a_character_is_named_or_numbered() {
        for (text, read) in [
            ("&quot;x", Some(('"', 6))),
            ("&#39;", Some(('\'', 5))),
            ("&#x2F;a", Some(('/', 6))),
            ("&#X2f;", Some(('/', 6))),
            ("&rsquo;", Some(('\u{2019}', 7))),
            ("&a=b;", None),
            ("&#;", None),
            ("&#x110000;", None),
            ("&#99999999999999;", None),
            ("quot;", None),
            ("", None),
        ] {
            assert_eq!(reference(text), read, "{text}");
        }
    }
}
