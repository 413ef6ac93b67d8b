//! From paths to suites and targets.

use std::path::{Path, PathBuf};

use super::shipped;
use crate::diagnostic::{Diagnostic, Text};
use crate::subject::Target;
use crate::suite::{Lookup, Suite, default_profile, read_suite, read_target};
use crate::wire::files;

/// The suites at these paths, the shipped ones where there is no path. All problems of all files at once.
pub(super) fn suites(paths: &[PathBuf]) -> Result<Vec<Suite>, super::CannotStart> {
    let mut texts = Vec::new();
    if paths.is_empty() {
        texts.extend(
            shipped::suites()
                .map(|(path, content)| (id(Path::new(path)), Text::new(format!("suites/{path}"), content))),
        );
    }
    for path in paths {
        for file in files::suites(path)? {
            let source = files::read(&file)?;
            texts.push((id(&file), Text::new(file.display().to_string(), source)));
        }
    }
    if texts.is_empty() {
        let shown = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Diagnostic::bare("no-suites", format!("there is no suite file (.yaml) at {shown}"))
            .help("name a file or a folder of suites, or no path at all for the shipped ones")
            .into());
    }
    let mut suites = Vec::new();
    let mut problems = Vec::new();
    for (id, text) in texts {
        match read_suite(&text, &id) {
            Ok(suite) => suites.push(suite),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(suites) } else { Err(problems.into()) }
}

/// `org/jwt-bearer` of `suites/org/jwt-bearer.yaml`.
fn id(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match path.parent().and_then(Path::file_name) {
        Some(folder) => format!("{}/{stem}", folder.to_string_lossy()),
        None => stem,
    }
}

/// The target of a flag: the embedded org, a URL, or a file.
pub(super) fn target(named: Option<&str>) -> Result<Target, super::CannotStart> {
    let Some(named) = named.filter(|named| *named != "embedded") else {
        let text = Text::new(
            "suites/targets/embedded.yaml",
            shipped::file("targets/embedded.yaml").unwrap_or_default(),
        );
        let look_up = |lookup: Lookup<'_>| match lookup {
            Lookup::File(path) => shipped::file(&format!("targets/{path}")).map(str::to_owned),
            Lookup::Variable(_) => None,
        };
        return Ok(read_target(&text, &look_up)?);
    };
    if named.starts_with("https://") || named.starts_with("http://") {
        if url::Url::parse(named).is_err() {
            return Err(Diagnostic::bare("bad-url", format!("`{named}` is not a URL"))
                .help("write `https://HOST`, or the path of a target file")
                .into());
        }
        let org = named.trim_end_matches('/').to_owned();
        let profile = default_profile(Some(&org));
        return Ok(Target { org: Some(org), profile, ..Target::default() });
    }
    let path = Path::new(named);
    let text = Text::new(named, files::read(path)?);
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let look_up = |lookup: Lookup<'_>| match lookup {
        Lookup::File(path) => files::read(&folder.join(path)).ok(),
        Lookup::Variable(name) => files::variable(name),
    };
    Ok(read_target(&text, &look_up)?)
}
