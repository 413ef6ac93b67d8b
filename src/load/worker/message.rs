//! Messages between a Locust master (2.x) and its workers: msgpack of `[type, data, node]`. Pure. Whatever a master says is
//! bounded, and what it does not need to say is not read.

use rmpv::Value;
use rmpv::decode::read_value_with_max_depth;
use std::collections::BTreeMap;

/// How deep a message may be nested.
const DEEPEST: usize = 64;
/// The most user classes that a message may name.
const MOST_CLASSES: usize = 10_000;
/// The most users of a class.
const MOST_USERS: u64 = 1_000_000;
/// The longest name.
const LONGEST_NAME: usize = 500;

/// The message by which the bridge asks for the report of a worker, and by which the worker answers.
pub const REPORT: &str = "grantcheck_report";

/// What a master says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The worker is known now, by that number.
    Ack(Option<u64>),
    /// So many users of each class there are to be, all told.
    Spawn {
        /// When it was said, in seconds since the epoch; what is not newer than the last is dropped.
        at: f64,
        /// Users by class.
        users: BTreeMap<String, u64>,
    },
    /// It is there.
    Heartbeat,
    /// The test is over; there may be another.
    Stop,
    /// The worker is to leave.
    Quit,
    /// The connection is to be made anew.
    Reconnect,
    /// The bridge wants the report of the test.
    Report,
    /// What does not concern us.
    Other(String),
}

/// Why a message says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the master said what nobody understands: {0}")]
pub struct Strange(pub &'static str);

/// Reads a message.
///
/// # Errors
/// It is none, or says what nobody could mean.
pub fn read(bytes: &[u8]) -> Result<Said, Strange> {
    let mut rest = bytes;
    let value = read_value_with_max_depth(&mut rest, DEEPEST).map_err(|_| Strange("no msgpack"))?;
    if !rest.is_empty() {
        return Err(Strange("more than one message"));
    }
    let Value::Array(parts) = value else { return Err(Strange("no list")) };
    let [kind, data, _node] = &parts[..] else { return Err(Strange("no list of type, data and node")) };
    let kind = kind.as_str().filter(|kind| kind.len() <= LONGEST_NAME).ok_or(Strange("no type"))?;
    Ok(match kind {
        "ack" => Said::Ack(member(data, "index").and_then(Value::as_u64)),
        "spawn" => spawn(data)?,
        "heartbeat" => Said::Heartbeat,
        "stop" => Said::Stop,
        "quit" => Said::Quit,
        "reconnect" => Said::Reconnect,
        REPORT => Said::Report,
        other => Said::Other(other.to_owned()),
    })
}

fn spawn(data: &Value) -> Result<Said, Strange> {
    let at = member(data, "timestamp").and_then(Value::as_f64).filter(|at| at.is_finite());
    let classes = member(data, "user_classes_count").and_then(Value::as_map);
    let (Some(at), Some(classes)) = (at, classes) else {
        return Err(Strange("a spawn without a time or users"));
    };
    if classes.len() > MOST_CLASSES {
        return Err(Strange("too many user classes"));
    }
    let mut users = BTreeMap::new();
    for (name, count) in classes {
        let name = name.as_str().filter(|name| name.len() <= LONGEST_NAME);
        let count = count.as_u64().filter(|count| *count <= MOST_USERS);
        let (Some(name), Some(count)) = (name, count) else {
            return Err(Strange("a user class without a name or number"));
        };
        users.insert(name.to_owned(), count);
    }
    Ok(Said::Spawn { at, users })
}

/// The member of that name of a map.
fn member<'v>(data: &'v Value, name: &str) -> Option<&'v Value> {
    data.as_map()?.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// Writes a message.
pub fn write(kind: &str, data: Value, node: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory cannot fail.
    let _ = rmpv::encode::write_value(&mut bytes, &Value::Array(vec![kind.into(), data, node.into()]));
    bytes
}

/// A map of these members.
pub fn map<'n>(members: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// `user_classes_count` and `user_count`.
pub fn users(users: &BTreeMap<String, u64>) -> [(&'static str, Value); 2] {
    let all: u64 = users.values().sum();
    let counts = users.iter().map(|(name, count)| (name.as_str().into(), (*count).into()));
    [("user_classes_count", Value::Map(counts.collect())), ("user_count", all.into())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spawned(at: Value, users: Value) -> Result<Said, Strange> {
        read(&write(
            "spawn",
            map([("timestamp", at), ("user_classes_count", users), ("host", Value::Nil)]),
            "me",
        ))
    }

    #[test]
    fn what_a_master_says_is_read() {
        let users = map([("A", 3.into()), ("B", 0.into())]);
        let wanted = [("A".to_owned(), 3), ("B".to_owned(), 0)].into();
        assert_eq!(spawned(1.5.into(), users), Ok(Said::Spawn { at: 1.5, users: wanted }));
        assert_eq!(read(&write("ack", map([("index", 2.into())]), "me")), Ok(Said::Ack(Some(2))));
        // Masters before 2.10.2 say no number.
        assert_eq!(read(&write("ack", Value::Nil, "me")), Ok(Said::Ack(None)));
        assert_eq!(read(&write("stop", Value::Nil, "me")), Ok(Said::Stop));
        assert_eq!(read(&write(REPORT, Value::Nil, "me")), Ok(Said::Report));
        assert_eq!(read(&write("logs", Value::Nil, "me")), Ok(Said::Other("logs".into())));
        // As Python's msgpack writes ["heartbeat", None, "w"].
        assert_eq!(read(b"\x93\xa9heartbeat\xc0\xa1w"), Ok(Said::Heartbeat));
    }

    #[test]
    fn what_nobody_could_mean_is_refused() {
        let one = || map([("A", 1.into())]);
        for (bytes, told) in [
            (vec![], "no msgpack"),
            (vec![0x92, 0xa1], "no msgpack"),
            (vec![0xc0], "no list"),
            (vec![0x91, 0xc0], "type, data and node"),
            (b"\x93\xa4stop\xc0\xa1w\xc0".to_vec(), "more than one"),
            (write(&"x".repeat(501), Value::Nil, "me"), "no type"),
            // Lists that announce more than there is, and lists in lists without end.
            (vec![0xdd, 0xff, 0xff, 0xff, 0xff], "no msgpack"),
            (vec![0xc6, 0xff, 0xff, 0xff, 0xff], "no msgpack"),
            (vec![0x91; 100_000], "no msgpack"),
            (vec![0x81; 100_000], "no msgpack"),
        ] {
            let why = read(&bytes).unwrap_err().to_string();
            assert!(why.contains(told), "{told}: {why}");
        }
        for (at, users) in [
            (Value::Nil, one()),
            (f64::NAN.into(), one()),
            (1.0.into(), Value::Nil),
            (1.0.into(), map([("A", (-1).into())])),
            (1.0.into(), map([("A", 1_000_001.into())])),
            (1.0.into(), Value::Map(vec![(1.into(), 1.into())])),
            (1.0.into(), Value::Map(vec![("A".into(), 1.into()); MOST_CLASSES + 1])),
        ] {
            assert!(spawned(at, users).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
