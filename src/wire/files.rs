//! Files and the environment.

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::Error;

/// The most bytes that are read of any file that a person names.
const LONGEST: u64 = 64 * 1024 * 1024;
/// The most entries of a folder, and of those in it, that are looked at for what a program left.
const MOST_ENTRIES: usize = 1000;
/// The most bytes that are read of the beginning and of the end of a file that it left.
const LONGEST_FOUND: u64 = 256 * 1024;
/// Folders of what others wrote.
const FOREIGN: [&str; 5] = ["node_modules", ".git", "target", "__pycache__", "vendor"];

/// The text of a file.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is too long.
#[allow(clippy::disallowed_methods)]
pub fn read(path: &Path) -> Result<String, Error> {
    let fail = |why| Error::File { path: path.display().to_string(), why };
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Error::TooLong { path: path.display().to_string(), limit: LONGEST });
    }
    let not_text = |_| fail(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8 text"));
    let text = String::from_utf8(bytes).map_err(not_text)?;
    // Some editors begin a file with a mark of its encoding, which is no part of the text.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Looks whether a file can be written, and leaves everything as it is.
///
/// # Errors
/// It cannot be written.
#[allow(clippy::disallowed_methods)]
pub fn can_write(path: &Path) -> Result<(), Error> {
    let fail = |why| Error::File { path: path.display().to_string(), why };
    let target = canonical(path);
    // A pipe would wait for somebody who reads.
    if !is_regular(&target) {
        return Ok(());
    }
    let part = beside(&target);
    let tried = std::fs::File::create(&part).map_err(fail);
    let _ = std::fs::remove_file(&part);
    tried.map(drop)
}

/// The name under which a file is written before it is put in place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// Writes a file whole or not at all: under another name first, then put in place.
///
/// # Errors
/// It cannot be written.
#[allow(clippy::disallowed_methods)]
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    let fail = |why| Error::File { path: path.display().to_string(), why };
    // A link is followed, and what is no file (a device, a pipe) is written to and not replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = target.as_path();
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(fail);
    }
    let part = beside(path);
    let written = std::fs::File::create(&part)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    written.map_err(|why| {
        let _ = std::fs::remove_file(&part);
        fail(why)
    })
}

/// Makes a folder with all above it.
///
/// # Errors
/// It cannot be made.
#[allow(clippy::disallowed_methods)]
pub fn make_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|why| Error::File { path: path.display().to_string(), why })
}

/// The one path of what other paths may lead to as well; the path itself where nothing is there.
#[allow(clippy::disallowed_methods)]
pub fn canonical(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Whether there is a folder at that path.
#[allow(clippy::disallowed_methods)]
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// Whether a file at that path is replaced when it is written: it is one, or nothing is there yet.
#[allow(clippy::disallowed_methods)]
pub fn is_regular(path: &Path) -> bool {
    !path.exists() || path.is_file()
}

/// Whether there is something at that path.
#[allow(clippy::disallowed_methods)]
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// The same path from the root; as it is where nobody knows the current folder.
#[allow(clippy::disallowed_methods)]
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The suite files that a path stands for: the file itself, or every `.yaml` and `.yml` below the folder,
/// in order of their names.
///
/// # Errors
/// It is not there or cannot be read.
#[allow(clippy::disallowed_methods)]
pub fn suites(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |why| Error::File { path: path.display().to_string(), why };
    if !std::fs::metadata(path).map_err(fail)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(fail)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(fail)?;
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if entry.is_dir() && !hidden {
            found.extend(suites(&entry)?);
        } else if entry.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(entry);
        }
    }
    Ok(found)
}

/// What is below a path.
#[derive(Debug, Default)]
pub struct Below {
    /// Files whose names are wanted, in order of their paths; a link to a file is one, and so is one that leads nowhere, which
    /// cannot be read.
    pub files: Vec<PathBuf>,
    /// Links to folders, which are not followed: they may lead back, or out of what was named.
    pub links: Vec<PathBuf>,
    /// Folders that cannot be read.
    pub problems: Vec<Error>,
}

/// The files below a path whose names are wanted; the path itself where it is a file. Hidden folders, `node_modules`, and what
/// is neither file nor folder, a pipe say, are left out.
#[allow(clippy::disallowed_methods)]
pub fn under(path: &Path, wanted: &dyn Fn(&str) -> bool) -> Below {
    let mut below = Below::default();
    if !path.is_dir() {
        below.files.push(path.to_owned());
        return below;
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.unwrap_or_else(|why| {
            below.problems.push(Error::File { path: folder.display().to_string(), why });
            Vec::new()
        });
        for entry in entries {
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            let kind = entry.file_type().ok();
            let (is_folder, is_link) =
                (kind.is_some_and(|kind| kind.is_dir()), kind.is_some_and(|kind| kind.is_symlink()));
            let is_file = kind.is_some_and(|kind| kind.is_file());
            let passed_over = name.starts_with('.') || name == "node_modules";
            if is_folder && !passed_over {
                folders.push(path);
            } else if is_link && path.is_dir() {
                below.links.extend((!passed_over).then_some(path));
            } else if wanted(&name) && (is_file || is_link && is_regular(&path)) {
                below.files.push(path);
            }
        }
    }
    below.files.sort();
    below.links.sort();
    below
}

/// The bytes of a file, at most one more than the limit.
///
/// # Errors
/// It cannot be read.
#[allow(clippy::disallowed_methods)]
pub fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let fail = |why| Error::File { path: path.display().to_string(), why };
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// A folder of its own for what a program is given in files; nobody else can read it. It goes with its value.
#[derive(Debug)]
pub struct Private(PathBuf);

impl Private {
    /// A new one.
    ///
    /// # Errors
    /// It cannot be made.
    #[allow(clippy::disallowed_methods)]
    pub fn new() -> Result<Self, Error> {
        let name: String = super::dice::seed()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("grantcheck-{name}"));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|why| Error::File { path: path.display().to_string(), why })?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> String {
        self.0.display().to_string()
    }

    /// Writes a file into it; returns its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, name: &str, text: &str) -> Result<String, Error> {
        let path = self.0.join(name);
        write(&path, text)?;
        Ok(path.display().to_string())
    }
}

/// A file that somebody left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path below the folder that was searched.
    pub name: String,
    /// Who may do what with it, where the system has such modes.
    pub mode: Option<u32>,
    /// Its content, as far as it is text and not too long; unpacked where gzip or zlib packed it.
    pub text: String,
}

/// The files of a folder that were written since a moment, or all of them: a thousand entries are looked at, links are
/// not followed, and of each file no more than the first and the last quarter of a mebibyte are read.
#[allow(clippy::disallowed_methods)]
pub fn found(folder: &Path, since: Option<Moment>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let mut looked_at = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at > MOST_ENTRIES {
                return found;
            }
            let Ok(about) = entry.metadata() else { continue };
            // What was installed beside a program is none of its doing.
            if about.is_dir() && !FOREIGN.iter().any(|name| entry.file_name() == *name) {
                folders.push(entry.path());
            }
            let new = since.as_ref().is_none_or(|since| about.modified().is_ok_and(|at| at >= since.0));
            if !about.is_file() || !new {
                continue;
            }
            let path = entry.path();
            if let Ok(bytes) = both_ends(&path, about.len()) {
                found.push(Found {
                    name: path.strip_prefix(folder).unwrap_or(&path).display().to_string(),
                    mode: mode_of(&about),
                    text: String::from_utf8_lossy(&unpacked(bytes)).into_owned(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The beginning and the end of a file of that length. What has no length is empty, or is no file of a disk.
#[allow(clippy::disallowed_methods)]
fn both_ends(path: &Path, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if length == 0 {
        return Ok(bytes);
    }
    let mut file = std::fs::File::open(path)?;
    (&mut file).take(LONGEST_FOUND).read_to_end(&mut bytes)?;
    if length > LONGEST_FOUND {
        file.seek(SeekFrom::Start(LONGEST_FOUND.max(length.saturating_sub(LONGEST_FOUND))))?;
        file.take(LONGEST_FOUND).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// What gzip (RFC 1952 §2.3.1) or zlib (RFC 1950 §2.2) packed, as far as it goes and no longer than what is read of any other
/// file; what is not packed is as it is.
fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    let mut plain = Vec::new();
    // An archive that ends in the middle holds all that stands before.
    let mut read = |packed: &mut dyn Read| packed.take(2 * LONGEST_FOUND).read_to_end(&mut plain);
    let _ = match bytes[..] {
        [0x1f, 0x8b, 8, ..] => read(&mut MultiGzDecoder::new(&bytes[..])),
        [0x78, flags, ..] if (0x7800 | u16::from(flags)) % 31 == 0 => read(&mut ZlibDecoder::new(&bytes[..])),
        _ => return bytes,
    };
    // Some text begins as if it were packed.
    if plain.is_empty() { bytes } else { plain }
}

/// A moment by the clock that files are dated with.
#[derive(Clone, Copy, Debug)]
pub struct Moment(std::time::SystemTime);

impl Moment {
    /// Now.
    #[allow(clippy::disallowed_methods)]
    pub fn now() -> Self {
        Self(std::time::SystemTime::now())
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)]
fn mode_of(about: &std::fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_: &std::fs::Metadata) -> Option<u32> {
    None
}

impl AsRef<Path> for Private {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Private {
    #[allow(clippy::disallowed_methods)]
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where this program stands itself.
#[allow(clippy::disallowed_methods)]
pub fn own_program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// A variable of the environment.
#[allow(clippy::disallowed_methods)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_passed_over_links_to_folders_named_and_links_to_nothing_kept() {
        let folder = std::env::temp_dir().join(format!("grantcheck-below-{}", std::process::id()));
        make_folder(&folder.join("inner")).unwrap();
        write(&folder.join("inner/a.x"), "one").unwrap();
        for (to, name) in [("inner/a.x", "file.x"), ("/no/such/file", "nothing.x"), (".", "folder.x")] {
            std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
        }
        // It is no more a file than a pipe is.
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket.x")).unwrap();
        let below = under(&folder, &|name| name.ends_with(".x"));
        assert_eq!(below.files, ["file.x", "inner/a.x", "nothing.x"].map(|name| folder.join(name)));
        assert_eq!(below.links, [folder.join("folder.x")]);
        assert!(below.problems.is_empty(), "{below:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_is_written_whole_and_leaves_nothing_beside_it() {
        let folder = std::env::temp_dir().join(format!("grantcheck-files-{}", std::process::id()));
        make_folder(&folder).unwrap();
        let path = folder.join("a.yaml");
        write(&path, "one").unwrap();
        write(&path, "two").unwrap();
        assert_eq!(read(&path).unwrap(), "two");
        assert_eq!(suites(&folder).unwrap(), std::slice::from_ref(&path));
        write(&path, "\u{feff}three").unwrap();
        assert_eq!(read(&path).unwrap(), "three");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn of_what_a_program_left_both_ends_and_every_name_are_seen() {
        let folder = Private::new().unwrap();
        let length = usize::try_from(LONGEST_FOUND).unwrap();
        let long = |length: usize| format!("begin{}end", "x".repeat(length - 8));
        for (name, text) in
            [("a", long(length)), ("b", long(length + 9)), ("c", long(5 * length)), ("d", String::new())]
        {
            write(&folder.as_ref().join(name), &text).unwrap();
        }
        let found = found(folder.as_ref(), None);
        let lengths: Vec<usize> = found.iter().map(|file| file.text.len()).collect();
        assert_eq!(lengths, [length, length + 9, 2 * length, 0]);
        assert!(found[..3].iter().all(|file| file.text.starts_with("begin") && file.text.ends_with("end")));
    }

    #[test]
    fn what_is_packed_is_unpacked_as_far_as_it_goes() {
        use flate2::Compression;
        use flate2::write::{GzEncoder, ZlibEncoder};
        let text = "access_token=00Dxx0000001gPL".repeat(1000);
        let (mut gzip, mut zlib) = (
            GzEncoder::new(Vec::new(), Compression::best()),
            ZlibEncoder::new(Vec::new(), Compression::best()),
        );
        gzip.write_all(text.as_bytes()).unwrap();
        zlib.write_all(text.as_bytes()).unwrap();
        let (gzip, zlib) = (gzip.finish().unwrap(), zlib.finish().unwrap());
        assert_eq!(unpacked(gzip.clone()), text.as_bytes());
        assert_eq!(unpacked([&gzip[..], &gzip[..]].concat()), text.repeat(2).as_bytes());
        assert_eq!(unpacked(zlib), text.as_bytes());
        let half = unpacked(gzip[..gzip.len() / 2].to_vec());
        assert!(!half.is_empty() && text.as_bytes().starts_with(&half));
        for plain in ["x^ is no archive", "x", "", "\u{1f}"] {
            assert_eq!(unpacked(plain.as_bytes().to_vec()), plain.as_bytes());
        }
        let bomb = {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(&vec![0; 4 * usize::try_from(LONGEST_FOUND).unwrap()]).unwrap();
            gzip.finish().unwrap()
        };
        assert_eq!(unpacked(bomb).len() as u64, 2 * LONGEST_FOUND);
    }
}
