//! Every reader of foreign bytes on inputs that nobody wrote: the corpus of the fuzzers, and what becomes of it when
//! pieces go missing, double or change places.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::golden::kind;
use crate::reading::READERS;
use crate::support::{at, files, read};

/// The corpus of a reader, each file with its name, and the broken files. Nothing of the first where only
/// the package is there, of which it is no part.
fn corpus(reader: &str) -> Vec<(String, Vec<u8>)> {
    let folder = std::fs::read_dir(at("fuzz/corpus").join(reader));
    let mut found: Vec<_> = folder
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    let broken = files("suites/broken", ".yaml").into_iter().filter(|path| kind(path) == reader);
    found.extend(broken.map(|path| (path.clone(), read(&path).into_bytes())));
    found.sort();
    found
}

#[test]
fn the_corpus_is_read() {
    if !at("fuzz").exists() {
        return;
    }
    for (name, read) in READERS {
        let files = corpus(name);
        assert!(files.len() >= 3, "fuzz/corpus/{name} has {} files", files.len());
        for (file, data) in files {
            assert!(data.len() <= 16 * 1024, "fuzz/corpus/{name}/{file} is too large for a seed");
            read(&data);
        }
    }
}

#[test]
fn every_reader_has_a_fuzz_target_and_ci_runs_it() {
    if !at("fuzz").exists() {
        return;
    }
    let manifest = std::fs::read_to_string(at("fuzz/Cargo.toml")).unwrap();
    for (name, _) in READERS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} stands not in fuzz/Cargo.toml");
        assert!(at("fuzz/fuzz_targets").join(format!("{name}.rs")).exists(), "{name}");
    }
    assert_eq!(std::fs::read_dir(at("fuzz/fuzz_targets")).unwrap().count(), READERS.len());
    assert_eq!(std::fs::read_dir(at("fuzz/corpus")).unwrap().count(), READERS.len());
}

/// What a text is changed by.
#[derive(Clone, Debug)]
enum Edit {
    Cut(Index, usize),
    Double(Index, usize),
    Put(Index, Vec<u8>),
    Move(Index, Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let marks: Vec<&[u8]> = vec![
        b"\0",
        b"\n",
        b"\r\n",
        b" ",
        b"\t",
        b"\"",
        b"'",
        b"`",
        b"{",
        b"}",
        b"[",
        b"]",
        b"(",
        b")",
        b"<",
        b">",
        b"&",
        b"=",
        b":",
        b";",
        b",",
        b".",
        b"%",
        b"%f",
        b"${",
        b"#",
        b"-",
        b"--",
        b"|",
        b"*",
        b"\\",
        b"/",
        b"//",
        b"@",
        b"0",
        b"-1",
        b"9223372036854775808",
        b"1e999",
        b"null",
        b"true",
        b"\xff",
        b"\xc3\xa9",
        b"\xe2\x80\xa8",
        b"\xf0\x9d\x84\x9e",
        b"\xef\xbb\xbf",
    ];
    let some = prop_oneof![
        4 => proptest::sample::select(marks).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 1..6),
    ];
    let (place, length) = (any::<Index>, 1usize..24);
    prop_oneof![
        (place(), length.clone()).prop_map(|(at, n)| Edit::Cut(at, n)),
        (place(), length.clone()).prop_map(|(at, n)| Edit::Double(at, n)),
        (place(), some).prop_map(|(at, what)| Edit::Put(at, what)),
        (place(), place(), length).prop_map(|(from, to, n)| Edit::Move(from, to, n)),
    ]
}

fn edited(mut data: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        if data.is_empty() {
            data.push(b'x');
        }
        let piece = |at: &Index, n: usize| at.index(data.len())..(at.index(data.len()) + n).min(data.len());
        match edit {
            Edit::Cut(at, n) => drop(data.drain(piece(at, *n))),
            Edit::Double(at, n) => {
                let range = piece(at, *n);
                let again = data[range.clone()].to_vec();
                data.splice(range.end..range.end, again);
            }
            Edit::Put(at, what) => {
                let start = at.index(data.len());
                data.splice(start..start, what.iter().copied());
            }
            Edit::Move(from, to, n) => {
                let taken: Vec<u8> = data.drain(piece(from, *n)).collect();
                let to = to.index(data.len() + 1);
                data.splice(to..to, taken);
            }
        }
    }
    data
}

/// Asks a reader of what a strategy thinks up.
fn asked(name: &str, read: fn(&[u8])) {
    let seeds: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, data)| data).collect();
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    let text = any::<String>().prop_map(String::into_bytes);
    let from_seed =
        (any::<Index>(), proptest::collection::vec(edit(), 1..6)).prop_map(move |(seed, edits)| {
            let seed = if seeds.is_empty() { Vec::new() } else { seeds[seed.index(seeds.len())].clone() };
            edited(seed, &edits)
        });
    let inputs = prop_oneof![1 => bytes, 1 => text, 6 => from_seed];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    proptest!(config, |(data in inputs)| read(&data));
}

macro_rules! asked {
    ($($name:ident),+ $(,)?) => {$(
        #[test]
        fn $name() {
            let (name, read) = READERS.iter().find(|(name, _)| *name == stringify!($name)).unwrap();
            asked(name, *read);
        }
    )+

        #[test]
        fn every_reader_is_asked() {
            assert_eq!([$(stringify!($name)),+], READERS.iter().map(|(name, _)| *name).collect::<Vec<_>>()[..]);
        }
    };
}

asked!(
    params,
    jwt,
    saml,
    certificate,
    suite,
    target,
    program,
    transcript,
    har,
    html_form,
    cookie,
    org,
    metadata,
    error,
    load_report,
    master
);
