//! From metadata on disk to apps of the embedded org.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{CannotStart, Io, load_files};
use crate::diagnostic::{Diagnostic, Span, Text};
use crate::metadata::app::settings::CONSUMER_KEY;
use crate::metadata::{self, App, Joined, Keys, LONGEST, Note, Project, Registration};
use crate::report::visible;
use crate::wire::{clock, files};

/// The metadata at these paths, and links to folders that were not followed. What a person names is read whatever it is called;
/// a folder is searched by the names of its files. What cannot be read is a problem of its own, and the rest is read.
pub(super) fn project(paths: &[PathBuf]) -> Result<(Project, Vec<PathBuf>), CannotStart> {
    let mut project = Project::default();
    let mut links = Vec::new();
    let unreadable = |path: &str, why: &dyn std::fmt::Display| {
        Diagnostic::at("unreadable", &Text::new(path, ""), Span::new(0, 0), why.to_string())
            .help("see whether it is there, and who may read it")
    };
    // A file may be below several of the paths, or be named twice.
    let mut seen = BTreeSet::new();
    for path in paths {
        if !files::exists(path) {
            let message = format!("{} is not there", path.display());
            return Err(Diagnostic::bare("no-such-path", message)
                .help("name a folder of a project, or a metadata file")
                .into());
        }
        let single = !files::is_folder(path);
        let below = files::under(path, &|name| metadata::is_metadata(name) || name.ends_with("-meta.xml"));
        let folder = path.display().to_string();
        project.problems.extend(below.problems.iter().map(|why| unreadable(&folder, why)));
        links.extend(below.links);
        for file in below.files.into_iter().filter(|file| seen.insert(files::canonical(file))) {
            let name = file.display().to_string();
            let bytes = match files::bytes(&file, LONGEST) {
                Ok(bytes) => bytes,
                Err(why) => {
                    project.problems.push(unreadable(&name, &why));
                    continue;
                }
            };
            let known = project.add_bytes(&name, bytes);
            if single && !known {
                let message = "the file is no metadata of an app or a credential";
                let at =
                    Diagnostic::at("metadata-type", &Text::new(name.as_str(), ""), Span::new(0, 0), message);
                project.problems.push(at.help("connected apps, external client apps, named and external credentials, auth providers and SAML configurations are read"));
            }
        }
    }
    Ok((project, links))
}

/// Tells which links to folders were not followed: on standard error, because none of it is a verdict.
pub(super) fn tell_links(links: &[PathBuf], io: &mut Io<'_>) -> Result<(), CannotStart> {
    for link in links {
        let link = visible(&link.display().to_string());
        writeln!(io.err, "{link} is a link to a folder and was not followed; name it to have it judged")?;
    }
    Ok(())
}

/// The apps at these paths as the embedded org registers them. All problems of all files at once.
pub(super) fn registrations(paths: &[PathBuf], io: &mut Io<'_>) -> Result<Vec<Registration>, CannotStart> {
    let (project, links) = project(paths)?;
    tell_links(&links, io)?;
    if !project.problems.is_empty() {
        return Err(project.problems.into());
    }
    let apps = project.apps();
    let with_oauth = apps.iter().filter_map(|app| Some((app, metadata::registration(app)?)));
    let (apps, registrations): (Vec<&App<'_>>, Vec<Registration>) = with_oauth.unzip();
    if registrations.is_empty() {
        let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let message = match project.apps().first() {
            Some(app) => format!("the app {} has no OAuth settings", app.name),
            None => format!("there is no app at {}", shown.join(", ")),
        };
        return Err(Diagnostic::bare("no-app", message)
            .help("name the file of a connected app with oauthConfig, or the folder of an external client app, whose ecaGlblOauth file has them")
            .into());
    }
    for (number, one) in registrations.iter().enumerate() {
        let key = one.app.client_id.as_str();
        let same = |other: &Registration| !key.is_empty() && other.app.client_id == key;
        if let Some(first) = registrations[..number].iter().position(same) {
            let (place, before) = (apps[number].place(&CONSUMER_KEY), apps[first].place(&CONSUMER_KEY));
            let (line, column) = before.text.line_column(before.span.start);
            let message = format!(
                "the app {} has the consumer key of the app {} at {}:{line}:{column}",
                one.name,
                registrations[first].name,
                before.text.name()
            );
            return Err(Diagnostic::at("duplicate-name", &place.text, place.span, message)
                .help("name one of them; an org has one app of a key")
                .into());
        }
    }
    Ok(registrations)
}

/// The embedded org with the apps at these paths, and with what a target file beside them says.
pub(super) fn embedded(
    paths: &[PathBuf],
    beside: Option<&str>,
    keys: Keys,
    io: &mut Io<'_>,
) -> Result<Joined, CannotStart> {
    let shipped = load_files::target(None)?;
    let given = beside.filter(|named| *named != "embedded").map(|named| load_files::target(Some(named)));
    let given = given.transpose()?;
    Ok(metadata::join(registrations(paths, io)?, given, &shipped, keys))
}

/// Tells what the org made of each app: on standard error, because none of it is a verdict.
pub(super) fn tell(joined: &Joined, io: &mut Io<'_>) -> Result<(), CannotStart> {
    for (role, name, notes) in &joined.apps {
        let app = &joined.target.apps[role];
        let flows: Vec<&str> = app.flows.iter().map(|flow| flow.name()).collect();
        let flows = if flows.is_empty() { "no flow".to_owned() } else { flows.join(", ") };
        let scopes = app.scopes.join(" ");
        writeln!(io.err, "the app {} as `{role}`: {flows}; scopes {}", visible(name), visible(&scopes))?;
        let now = clock::real_now() / 1000;
        if app.policy.in_force.is_some_and(|(from, to)| !(from..=to).contains(&now)) {
            writeln!(io.err, "  certificate: it is not in force today, so every assertion is refused")?;
        }
        for line in lines(notes) {
            writeln!(io.err, "  {line}")?;
        }
    }
    Ok(())
}

/// The notes of an app, one a line: what is supplied, what is assumed, what is not played.
fn lines(notes: &[Note]) -> Vec<String> {
    let mut sorted: Vec<&Note> = notes.iter().collect();
    sorted.sort_by_key(|note| note.about);
    let line = |note: &&Note| {
        let place = note.place.as_ref().map_or(String::new(), |place| {
            let (line, column) = place.text.line_column(place.span.start);
            format!("{}:{line}:{column} ", place.text.name())
        });
        visible(&format!("{:<11} {place}{}: {}", note.about.words(), note.what, note.message))
    };
    sorted.iter().map(line).collect()
}
