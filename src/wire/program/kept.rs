//! What is kept of a stream: its beginning and its end.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use crate::wire::agent::authorize_url;

/// The most bytes that are kept of each stream; half of them are its beginning, half its end.
const MOST_OUTPUT: usize = 256 * 1024;
/// For how long nothing has to come behind the beginning of a line that it is taken for a whole one.
const PROMPT: Duration = Duration::from_millis(500);
/// The longest line in which an authorize URL is looked for.
const LONGEST_LINE: usize = 16 * 1024;

/// Beginning and end of a stream.
#[derive(Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// How many bytes came between them.
    left_out: usize,
    /// The line that is not over yet, where somebody wants to know of authorize URLs.
    line: Vec<u8>,
    users: Option<UnboundedSender<String>>,
}

impl Kept {
    /// One that passes on the authorize URLs that come by.
    pub(super) fn telling(users: Option<UnboundedSender<String>>) -> Self {
        Self { users, ..Self::default() }
    }

    /// Reads to the end.
    pub(super) async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let reading = stream.read(&mut buffer);
            let read = match self.line.is_empty() {
                true => reading.await,
                // A prompt waits behind its URL, without ending the line.
                false => match timeout(PROMPT, reading).await {
                    Ok(read) => read,
                    Err(_) => {
                        self.end_line();
                        continue;
                    }
                },
            };
            match read {
                Ok(length @ 1..) => self.push(&buffer[..length]),
                _ => return,
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.tell(bytes);
        let room = (MOST_OUTPUT / 2 - self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(MOST_OUTPUT / 2);
        self.tail.drain(..over);
        self.left_out += over;
    }

    fn tell(&mut self, bytes: &[u8]) {
        if self.users.is_none() {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() <= LONGEST_LINE {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if let (Some(users), Some(url)) = (&self.users, authorize_url(&line)) {
            let _ = users.send(url.to_owned());
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.left_out > 0
    }

    pub(super) fn text(mut self) -> String {
        let tail: &[u8] = self.tail.make_contiguous();
        if self.left_out == 0 {
            self.head.extend_from_slice(tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        // Between words, so that no half of a secret stays, which nobody would recognise.
        let end = self.head.iter().rposition(|byte| ends_word(*byte)).map_or(self.head.len(), |at| at + 1);
        let start = tail.iter().position(|byte| ends_word(*byte)).unwrap_or(0);
        let left_out = self.left_out + self.head.len() - end + start;
        let (head, tail) =
            (String::from_utf8_lossy(&self.head[..end]), String::from_utf8_lossy(&tail[start..]));
        format!("{head}\n[{left_out} bytes are left out]\n{tail}")
    }
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pieces: &[&[u8]]) -> Kept {
        let mut kept = Kept::default();
        pieces.iter().for_each(|piece| kept.push(piece));
        kept
    }

    #[test]
    fn what_fits_is_kept_as_it_came() {
        let whole = vec![b'a'; MOST_OUTPUT];
        let kept = kept(&[&whole[..1000], &whole[1000..]]);
        assert!(!kept.is_cut());
        assert_eq!(kept.text().as_bytes(), whole);
    }

    #[test]
    fn no_word_is_cut_in_two() {
        let line = b"access_token=00Dxx0000001gPL\n";
        let lines = line.repeat(MOST_OUTPUT / 10);
        let kept = kept(&[&lines]);
        assert!(kept.is_cut());
        let text = kept.text();
        let odd: Vec<_> =
            text.lines().filter(|one| !one.is_empty() && one.as_bytes() != &line[..line.len() - 1]).collect();
        assert!(matches!(odd[..], [marker] if marker.ends_with(" bytes are left out]")), "{odd:?}");
        let left: usize = odd[0].trim_start_matches('[').split(' ').next().unwrap().parse().unwrap();
        assert_eq!(text.len() - odd[0].len() - 2 + left, lines.len());
        assert!(text.len() < MOST_OUTPUT + 100);
    }

    #[tokio::test]
    async fn a_url_with_a_prompt_behind_it_is_told_before_the_line_is_over() {
        use tokio::io::AsyncWriteExt as _;
        let url = "http://127.0.0.1:1/services/oauth2/authorize?client_id=x";
        let (users, mut sent) = tokio::sync::mpsc::unbounded_channel();
        let (mut program, stream) = tokio::io::duplex(1024);
        let mut kept = Kept::telling(Some(users));
        let reading = kept.read(Some(stream));
        tokio::pin!(reading);
        program.write_all(format!("Visit {url} and press Enter:").as_bytes()).await.unwrap();
        let told = tokio::select! {
            told = sent.recv() => told,
            () = &mut reading => None,
        };
        assert_eq!(told.as_deref(), Some(url));
        drop(program);
        reading.await;
        assert!(sent.try_recv().is_err(), "it is told once");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(kept(&[b"a\xffb"]).text(), "a\u{fffd}b");
    }
}
