//! One end of a ZeroMQ connection: a DEALER that speaks ZMTP 3 (RFC 23/ZMTP, RFC 37/ZMTP 3.1) without security, over TCP.
//! Messages are of one frame. Whatever the peer sends is bounded before it is kept.

use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

/// The longest message that is taken.
pub const LONGEST: usize = 1024 * 1024;
/// The longest command; those that are known are shorter.
const LONGEST_COMMAND: usize = 4096;
/// How long greeting and handshake may take, each way of a connection, and writing one message.
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages that wait to be taken; then the peer waits.
const WAITING: usize = 64;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// Why a connection is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Nobody is there, or not in time.
    #[error("nobody answers: {0}")]
    Away(String),
    /// It was closed, or cut.
    #[error("the connection is closed: {0}")]
    Closed(String),
    /// The peer speaks something else.
    #[error("the peer does not speak ZMTP 3 as a ROUTER does: {0}")]
    Strange(String),
    /// The peer sends more than is taken.
    #[error("a message of {0} bytes is longer than what is taken ({LONGEST})")]
    TooLong(u64),
}

/// A connection on which messages go both ways.
pub struct Dealer {
    incoming: mpsc::Receiver<Result<Bytes, Broken>>,
    writer: Arc<Mutex<Box<dyn AsyncWrite + Send + Unpin>>>,
    reading: tokio::task::JoinHandle<()>,
}

impl Drop for Dealer {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Dealer {
    /// Connects to `HOST:PORT` and tells the name by which the peer is to know this end.
    ///
    /// # Errors
    /// Nobody is there, or it is no ROUTER.
    pub async fn connect(address: &str, identity: &str) -> Result<Self, Broken> {
        let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
        let stream = connected
            .map_err(|_| Broken::Away("it took too long".into()))?
            .map_err(|why| Broken::Away(why.to_string()))?;
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self::over(reader, writer, identity).await
    }

    /// The same over any two streams.
    ///
    /// # Errors
    /// As above.
    pub async fn over(
        mut reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        identity: &str,
    ) -> Result<Self, Broken> {
        let mut writer: Box<dyn AsyncWrite + Send + Unpin> = Box::new(writer);
        let shaken = async {
            write(&mut writer, &greeting()).await?;
            let mut theirs = [0; 64];
            reader.read_exact(&mut theirs).await.map_err(closed)?;
            understood(&theirs)?;
            write(&mut writer, &frame(COMMAND, &ready(identity))).await?;
            is_router(&one(&mut reader).await?)
        };
        timeout(PATIENCE, shaken).await.map_err(|_| Broken::Away("the handshake took too long".into()))??;
        let writer = Arc::new(Mutex::new(writer));
        let (tell, incoming) = mpsc::channel(WAITING);
        let reading = tokio::spawn(listen(reader, writer.clone(), tell));
        Ok(Self { incoming, writer, reading })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub async fn send(&self, message: &[u8]) -> Result<(), Broken> {
        let mut writer = self.writer.lock().await;
        write(&mut *writer, &frame(0, message)).await
    }

    /// Waits for a message. Who stops waiting loses none.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub async fn receive(&mut self) -> Result<Bytes, Broken> {
        self.incoming.recv().await.unwrap_or_else(|| Err(Broken::Closed("it was over before".into())))
    }
}

/// Reads until nothing more comes, and answers what asks whether anybody is there.
async fn listen(
    mut reader: impl AsyncRead + Unpin,
    writer: Arc<Mutex<Box<dyn AsyncWrite + Send + Unpin>>>,
    tell: mpsc::Sender<Result<Bytes, Broken>>,
) {
    loop {
        let message = match one(&mut reader).await {
            Ok(Frame { command: true, body, .. }) => match pong(&body) {
                Some(pong) => match write(&mut *writer.lock().await, &frame(COMMAND, &pong)).await {
                    Ok(()) => continue,
                    Err(why) => Err(why),
                },
                None => continue,
            },
            Ok(Frame { more: true, .. }) => Err(Broken::Strange("a message of several frames".into())),
            Ok(Frame { body, .. }) => Ok(body),
            Err(why) => Err(why),
        };
        let over = message.is_err();
        if tell.send(message).await.is_err() || over {
            return;
        }
    }
}

struct Frame {
    command: bool,
    more: bool,
    body: Bytes,
}

/// Reads one frame.
async fn one(reader: &mut (impl AsyncRead + Unpin)) -> Result<Frame, Broken> {
    let flags = reader.read_u8().await.map_err(closed)?;
    if flags & !(MORE | LONG | COMMAND) != 0 {
        return Err(Broken::Strange(format!("a frame with the flags {flags:#04x}")));
    }
    let length = match flags & LONG {
        0 => u64::from(reader.read_u8().await.map_err(closed)?),
        _ => reader.read_u64().await.map_err(closed)?,
    };
    let command = flags & COMMAND != 0;
    let most = if command { LONGEST_COMMAND } else { LONGEST };
    let size = usize::try_from(length).ok().filter(|size| *size <= most).ok_or(Broken::TooLong(length))?;
    let mut body = Vec::new();
    // It grows with what comes, not with what is announced.
    let mut part = reader.take(size as u64);
    part.read_to_end(&mut body).await.map_err(closed)?;
    if body.len() < size {
        return Err(Broken::Closed("in the middle of a frame".into()));
    }
    Ok(Frame { command, more: flags & MORE != 0, body: body.into() })
}

/// Signature, version 3.0, the mechanism without security, no server, filler.
fn greeting() -> [u8; 64] {
    let mut bytes = [0; 64];
    (bytes[0], bytes[9], bytes[10]) = (0xff, 0x7f, 3);
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

fn understood(greeting: &[u8; 64]) -> Result<(), Broken> {
    if (greeting[0], greeting[9]) != (0xff, 0x7f) {
        return Err(Broken::Strange("it begins with no greeting".into()));
    }
    // Any minor version: libzmq says 3.1 and speaks both.
    if greeting[10] < 3 {
        return Err(Broken::Strange(format!("it speaks version {}", greeting[10])));
    }
    let mechanism = greeting[12..32].split(|byte| *byte == 0).next().unwrap_or_default();
    match mechanism {
        b"NULL" => Ok(()),
        other => Err(Broken::Strange(format!("it asks for {}", other.escape_ascii()))),
    }
}

/// The command that tells what this end is.
fn ready(identity: &str) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", "DEALER"), ("Identity", identity)] {
        body.push(name.len() as u8);
        body.extend(name.as_bytes());
        body.extend(u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
        body.extend(value.as_bytes());
    }
    body
}

/// Whether the first command is that of a ROUTER.
fn is_router(frame: &Frame) -> Result<(), Broken> {
    let body = &frame.body[..];
    if let Some(reason) = body.strip_prefix(b"\x05ERROR").filter(|_| frame.command) {
        return Err(Broken::Strange(format!(
            "it refuses: {}",
            reason.get(1..).unwrap_or_default().escape_ascii()
        )));
    }
    let mut rest = body
        .strip_prefix(b"\x05READY")
        .filter(|_| frame.command)
        .ok_or_else(|| Broken::Strange("it does not say what it is".into()))?;
    while let Some((name, value, after)) = property(rest) {
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            return match value {
                b"ROUTER" => Ok(()),
                other => Err(Broken::Strange(format!("it is a {}", other.escape_ascii()))),
            };
        }
        rest = after;
    }
    Err(Broken::Strange("it does not say what socket it is".into()))
}

/// Name, value and what follows.
fn property(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked((*length).into())?;
    let (length, rest) = rest.split_at_checked(4)?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((name, value, rest))
}

/// What is answered to a PING: its context, of at most 16 bytes, behind a time to live of two.
fn pong(command: &[u8]) -> Option<Vec<u8>> {
    let context = command.strip_prefix(b"\x04PING")?.get(2..)?;
    let mut body = b"\x04PONG".to_vec();
    body.extend(context.iter().take(16));
    Some(body)
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 9);
    match u8::try_from(body.len()) {
        Ok(length) => bytes.extend([flags, length]),
        Err(_) => {
            bytes.push(flags | LONG);
            bytes.extend((body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(body);
    bytes
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Broken> {
    let written = timeout(PATIENCE, async {
        writer.write_all(bytes).await?;
        writer.flush().await
    });
    // Whoever takes nothing for so long is not there; half a frame may be out, so the connection is over.
    written.await.map_err(|_| Broken::Away("it takes nothing any more".into()))?.map_err(closed)
}

fn closed(why: std::io::Error) -> Broken {
    Broken::Closed(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    /// A peer that says these bytes and then closes; what the dealer comes to.
    async fn met(bytes: Vec<u8>) -> (Result<Dealer, Broken>, tokio::io::DuplexStream) {
        let (ours, theirs) = duplex(4 * LONGEST);
        let (reader, writer) = tokio::io::split(ours);
        let (_, mut peer) = (0, theirs);
        peer.write_all(&bytes).await.unwrap();
        peer.shutdown().await.unwrap();
        (Dealer::over(reader, writer, "me").await, peer)
    }

    fn hello(rest: &[&[u8]]) -> Vec<u8> {
        let mut bytes = greeting().to_vec();
        bytes[11] = 1;
        bytes.extend(frame(COMMAND, b"\x05READY\x0bSocket-Type\0\0\0\x06ROUTER"));
        rest.iter().for_each(|part| bytes.extend(*part));
        bytes
    }

    #[tokio::test]
    async fn messages_go_both_ways() {
        let long = vec![7; 300];
        let ping = frame(COMMAND, b"\x04PING\0\x10who");
        let (dealer, mut peer) = met(hello(&[&frame(0, b"one"), &ping, &frame(0, &long)])).await;
        let mut dealer = dealer.unwrap();
        assert_eq!(dealer.receive().await.unwrap(), "one");
        assert_eq!(dealer.receive().await.unwrap(), long);
        assert!(matches!(dealer.receive().await, Err(Broken::Closed(_))));
        dealer.send(&[9; 256]).await.unwrap();
        let mut sent = vec![0; 64 + 2 + 43 + 2 + 8 + 9 + 256];
        peer.read_exact(&mut sent).await.unwrap();
        assert_eq!((&sent[10..16], &sent[64..66]), (&b"\x03\0NULL"[..], &[COMMAND, 43][..]));
        assert_eq!(&sent[66..109], b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x02me");
        assert_eq!(&sent[109..119], b"\x04\x08\x04PONGwho");
        assert_eq!(&sent[119..128], [LONG, 0, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[tokio::test]
    async fn what_is_too_much_or_strange_ends_it() {
        let mut huge = vec![LONG];
        huge.extend(u64::MAX.to_be_bytes());
        let mut large = vec![LONG];
        large.extend((LONGEST as u64 + 1).to_be_bytes());
        let cases: &[(&[u8], &str)] = &[
            (&huge, "longer than what is taken"),
            (&large, "longer than what is taken"),
            (&[MORE, 1, 0, 0, 1, 0], "several frames"),
            (&[0x80, 1, 0], "flags 0x80"),
            (&[0, 9, 0], "closed"),
            (&[COMMAND | LONG, 0, 0, 0, 0, 0, 0, 0x20, 0], "longer than what is taken"),
        ];
        for (bytes, told) in cases {
            let (dealer, _peer) = met(hello(&[bytes])).await;
            let why = dealer.unwrap().receive().await.unwrap_err().to_string();
            assert!(why.contains(told), "{told}: {why}");
        }
    }

    #[tokio::test]
    async fn who_is_no_router_is_told_apart() {
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = hello(&[]);
            change(&mut bytes);
            bytes
        };
        let ready = |body: &[u8]| {
            let mut bytes = greeting().to_vec();
            bytes.extend(frame(COMMAND, body));
            bytes
        };
        let cases = [
            (
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
                "no greeting",
            ),
            (with(&|bytes| bytes[10] = 2), "version 2"),
            (with(&|bytes| bytes[12..17].copy_from_slice(b"CURVE")), "asks for CURVE"),
            (ready(b"\x05READY\x0bSocket-Type\0\0\0\x03PUB"), "it is a PUB"),
            (ready(b"\x05READY"), "what socket it is"),
            (ready(b"\x05READY\x0bSocket-Type\xff\xff\xff\xffROUTER"), "what socket it is"),
            (ready(b"\x05ERROR\x06denied"), "refuses: denied"),
            (ready(b"\x04PING"), "what it is"),
            (vec![0xff; 10], "closed"),
            (Vec::new(), "closed"),
        ];
        for (bytes, told) in cases {
            let why = met(bytes).await.0.err().unwrap().to_string();
            assert!(why.contains(told), "{told}: {why}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_break_it(greeted in proptest::bool::ANY, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let all = if greeted { hello(&[&bytes]) } else { bytes };
                if let (Ok(mut dealer), _peer) = met(all).await {
                    while dealer.receive().await.is_ok() {}
                }
            });
        }
    }
}
