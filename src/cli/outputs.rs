//! Where files go that a command writes at its end, looked at before it begins.

use std::path::Path;

use super::CannotStart;
use crate::diagnostic::Diagnostic;
use crate::wire::files;

/// Whether each of these files, told with what it is, can be written, is the only one of its path, and none of those that are
/// read.
pub(super) fn outputs<'p>(
    paths: impl Iterator<Item = (&'static str, &'p Path)>,
    read: &[&Path],
) -> Result<(), CannotStart> {
    let read: Vec<_> = read.iter().map(|path| files::canonical(path)).collect();
    let mut taken = Vec::new();
    for (what, path) in paths {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !files::is_folder(folder)) {
            let message = format!("the folder {} for {what} is not there", folder.display());
            return Err(Diagnostic::bare("bad-flag", message).help("make it first, or name another").into());
        }
        if files::is_folder(path) {
            let message = format!("{} for {what} is a folder", path.display());
            return Err(Diagnostic::bare("bad-flag", message).help("name a file in it").into());
        }
        let folder = files::canonical(folder.unwrap_or(Path::new(".")));
        // What is no file (a terminal, a pipe, /dev/null) takes any number of texts.
        let whole = files::canonical(&folder.join(path.file_name().unwrap_or_default()));
        if files::is_regular(&whole) && taken.contains(&whole) {
            let message = format!("{what} and another output go to the same file, {}", path.display());
            return Err(Diagnostic::bare("bad-flag", message).help("name a file for each").into());
        }
        if files::is_regular(&whole) && read.contains(&whole) {
            let message = format!("{what} would go to {}, which is read", path.display());
            return Err(Diagnostic::bare("bad-flag", message).help("name another file").into());
        }
        files::can_write(&whole)?;
        taken.push(whole);
    }
    Ok(())
}
