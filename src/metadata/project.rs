//! The files of a project that are metadata of OAuth, and what belongs together.

use super::app::App;
use super::kinds::Kind;
use super::masking::{beside_elements, masked};
use super::xml::{self, Element};
use crate::diagnostic::{Diagnostic, Span, Text};

/// The most bytes of a file; the largest real ones have some hundred thousand.
pub const LONGEST: u64 = 4 * 1024 * 1024;

/// One file.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its type.
    pub kind: Kind,
    /// Its developer name, from the name of the file.
    pub name: String,
    /// The file.
    pub text: Text,
    /// What is in it.
    pub root: Element,
    /// Secrets that stand in attributes and comments, each with the word for it.
    pub beside_elements: Vec<(Span, &'static str)>,
}

/// The files that were read.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// Every file of a known type, in the order in which they were given.
    pub items: Vec<Item>,
    /// Files that could not be read.
    pub problems: Vec<Diagnostic>,
}

/// Whether a file may be metadata that is read here, by its name.
pub fn is_metadata(name: &str) -> bool {
    kind_of(name).is_some()
}

/// Type and developer name by the name of a file, in either form.
fn kind_of(path: &str) -> Option<(Kind, &str)> {
    let name = path.rsplit(['/', '\\']).next()?;
    let bare = name.strip_suffix("-meta.xml").unwrap_or(name);
    let (stem, suffix) = bare.rsplit_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    Some((kind, stem))
}

impl Project {
    /// Adds a file. One that is of no type that is read here is left out, and `false` comes back.
    pub fn add(&mut self, text: &Text) -> bool {
        let by_name = kind_of(text.name());
        let read = xml::read(text);
        let beside = beside_elements(text.source()).into_iter();
        let beside_elements = beside.map(|(at, what)| (Span::new(at.start, at.end), what)).collect();
        // Whatever is told shows lines of the file, and a secret must not be on them.
        let text = &Text::new(text.name(), masked(text.source(), read.as_ref().ok()));
        let root = match read {
            Ok(root) => root,
            Err(mut problem) => {
                if let Some((shown, _)) = &mut problem.at {
                    *shown = text.clone();
                }
                // What may be anything is not ours to complain of.
                let ours =
                    by_name.is_some() || Kind::ALL.iter().any(|kind| text.source().contains(kind.name()));
                if ours {
                    self.problems.push(problem);
                }
                return ours;
            }
        };
        let by_root = Kind::ALL.into_iter().find(|kind| kind.name() == root.name);
        let (kind, name) = match (by_name, by_root) {
            (Some((kind, name)), Some(root)) if kind == root => (kind, name.to_owned()),
            (Some((kind, _)), _) => {
                let message = format!(
                    "the root element is `{}`, and the name of the file says `{}`",
                    root.name,
                    kind.name()
                );
                let problem = Diagnostic::at("metadata-type", text, root.span, message)
                    .help("give the file the ending of its type; Salesforce goes by both");
                self.problems.push(problem);
                return true;
            }
            (None, Some(kind)) => {
                let name =
                    text.name().rsplit(['/', '\\']).next().unwrap_or("").split('.').next().unwrap_or("");
                (kind, name.to_owned())
            }
            (None, None) => return false,
        };
        let name = root.text("fullName").map_or(name, str::to_owned);
        self.items.push(Item { kind, name, text: text.clone(), root, beside_elements });
        true
    }

    /// Adds a file of which only the bytes are known.
    pub fn add_bytes(&mut self, name: &str, bytes: Vec<u8>) -> bool {
        // Without a mark of its encoding every other byte of its first letters is nought, which no letter of XML is.
        let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let utf16 = marked || bytes.iter().take(2).any(|byte| *byte == 0);
        // Whoever shows problems beside lines of files needs a file and a line of it.
        let at = |code, message: String| Diagnostic::at(code, &Text::new(name, ""), Span::new(0, 0), message);
        let refused = |bytes: Vec<u8>| -> Result<String, Diagnostic> {
            if bytes.len() as u64 > LONGEST {
                return Err(at("xml-too-large", format!("the file is longer than {LONGEST} bytes"))
                    .help("no metadata of this type is"));
            }
            let encoding = |what: String| at("xml-encoding", what).help("store it as UTF-8");
            if utf16 {
                return Err(encoding("the file is UTF-16".to_owned()));
            }
            String::from_utf8(bytes).map_err(|why| {
                encoding(format!("byte {} of the file is no UTF-8", why.utf8_error().valid_up_to()))
            })
        };
        match refused(bytes) {
            Ok(source) => {
                let source = source.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(source);
                self.add(&Text::new(name, source))
            }
            Err(problem) => {
                self.problems.push(problem);
                true
            }
        }
    }

    /// The items of a type.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.kind == kind)
    }

    /// Every app: connected apps as they are, external client apps out of their files.
    pub fn apps(&self) -> Vec<App<'_>> {
        App::all(self)
    }
}

impl Item {
    /// The place of an element.
    pub fn place(&self, element: &Element) -> (Text, Span) {
        (self.text.clone(), element.value_span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_in_both_forms_or_by_its_root() {
        let mut project = Project::default();
        for name in ["a/Main.connectedApp", "a/Main.connectedApp-meta.xml", "retrieved.xml"] {
            assert!(project.add(&Text::new(name, "<ConnectedApp/>")), "{name}");
        }
        assert_eq!(
            project.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(),
            ["Main", "Main", "retrieved"]
        );
        assert!(!project.add(&Text::new("pom.xml", "<project/>")));
        assert!(!project.add(&Text::new("x.xml", "<a>")));
        assert!(project.add(&Text::new("x.eca", "<ConnectedApp/>")));
        assert!(
            project.problems[0].to_string().contains("the name of the file says `ExternalClientApplication`")
        );
    }

    #[test]
    fn no_secret_is_on_a_line_that_is_told() {
        let mut project = Project::default();
        let source = "<ConnectedApp>\n<consumerSecret>s3cr3t-é</consumerSecret><label>x</label>\n<password >two\nlines</password></ConnectedApp>";
        project.add(&Text::new("a.connectedApp", source));
        project.add(&Text::new("b.connectedApp", source.replace("</label>", "")));
        let (item, problem) = (&project.items[0], project.problems[0].to_string());
        assert_eq!(item.root.text("consumerSecret"), Some("s3cr3t-é"));
        assert_eq!(item.text.source().len(), source.len());
        for told in [item.text.source(), &problem] {
            assert!(!told.contains("s3cr3t") && !told.contains("two") && !told.contains("lines"), "{told}");
        }
        assert!(item.text.source().contains("<label>x</label>"));
    }

    #[test]
    fn a_secret_is_hidden_under_any_prefix_and_nothing_else_is() {
        let mut project = Project::default();
        let source = "<m:ConnectedApp xmlns:m=\"n\"><!-- no <consumerSecret> here -->\n<m:label>shown</m:label>\n\
            <m:consumerSecret a='>'>s3cr3t</m:consumerSecret><!-- <consumerSecret>0ld</consumerSecret> -->\n\
            <m:oauthConfig><m:callbackUrl>https://user:p4ss@a.example/cb</m:callbackUrl></m:oauthConfig></m:ConnectedApp>";
        project.add(&Text::new("a.connectedApp", source));
        project.add(&Text::new("b.connectedApp", source.replace("</m:label>", "")));
        let (item, problem) = (&project.items[0], project.problems[0].to_string());
        assert_eq!(item.root.text("consumerSecret"), Some("s3cr3t"));
        for told in [item.text.source(), &problem] {
            assert!(!told.contains("s3cr3t") && !told.contains("p4ss") && !told.contains("0ld"), "{told}");
        }
        assert!(item.text.source().contains("<m:label>shown</m:label>"), "{}", item.text.source());
        // A callback keeps its place.
        let places = project.apps()[0].callbacks();
        assert_eq!(item.text.line_column(places[0].1.span.start).0, 4);
    }

    #[test]
    fn a_value_that_authenticates_is_hidden() {
        let mut project = Project::default();
        let parameter = |kind: &str, value: &str| {
            format!(
                "<externalCredentialParameters><parameterValue>{value}</parameterValue><parameterName>N</parameterName>\
                 <parameterType>{kind}</parameterType></externalCredentialParameters>"
            )
        };
        let source = format!(
            "<ExternalCredential>{}{}{}{}</ExternalCredential>",
            parameter("AuthProviderClientSecret", "s3cr3t"),
            parameter("AuthHeader", "Bearer s3cr3t"),
            parameter("AuthHeader", "{!$Credential.A.B}"),
            parameter("AuthProviderUrl", "https://a.example/?api_key=s3cr3t"),
        );
        project.add(&Text::new("a.externalCredential", source));
        let shown = project.items[0].text.source();
        assert!(!shown.contains("s3cr3t") && shown.contains("{!$Credential.A.B}"), "{shown}");
    }

    #[test]
    fn bytes_that_are_no_text_are_a_diagnostic() {
        let mut project = Project::default();
        assert!(project.add_bytes("a.eca", b"\xff\xfe<\0a\0".to_vec()));
        assert!(project.add_bytes("b.eca", b"<a>\xe9</a>".to_vec()));
        assert!(project.add_bytes("c.eca", vec![b' '; LONGEST as usize + 1]));
        for (name, bytes) in [("d.eca", b"\0<\0a\0/\0>".to_vec()), ("e.eca", b"<\0\xe9\0/\0>\0".to_vec())] {
            assert!(project.add_bytes(name, bytes));
        }
        let told: Vec<String> = project.problems.iter().map(ToString::to_string).collect();
        assert!(told[3].contains("UTF-16") && told[4].contains("UTF-16"), "{told:?}");
        assert!(
            told[0].contains("UTF-16") && told[1].contains("byte 3") && told[2].contains("longer than"),
            "{told:?}"
        );
        // Each has a file and a line, which is where code scanning shows it.
        assert!(project.problems.iter().all(|problem| problem.at.is_some()));
    }
}
