//! A person in a browser: the authorize URL is told, the callback is listened for on the loopback
//! interface (RFC 8252 §7.3).

use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Error;

/// How long a person may take over logging in and approving.
pub const WITHIN: Duration = Duration::from_secs(300);
/// The longest request line that is read.
const LONGEST: usize = 16 * 1024;

/// A listener on the callback URL of an app.
pub struct Callback {
    listener: TcpListener,
    path: String,
}

impl Callback {
    /// Listens where a loopback `redirect_uri` points to.
    ///
    /// # Errors
    /// It is not on the loopback interface, or the port is taken.
    pub async fn listen(redirect_uri: &str) -> Result<Self, Error> {
        let fail = |why: std::io::Error| Error::Listen { address: redirect_uri.to_owned(), why };
        let wrong = || {
            fail(std::io::Error::other("it is not http://127.0.0.1:PORT/... or http://localhost:PORT/..."))
        };
        let url = url::Url::parse(redirect_uri).map_err(|_| wrong())?;
        let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost")) && url.scheme() == "http";
        if !loopback {
            return Err(wrong());
        }
        let listener = TcpListener::bind(("127.0.0.1", url.port().unwrap_or(80))).await.map_err(fail)?;
        Ok(Self { listener, path: url.path().to_owned() })
    }

    /// Waits for the callback and gives path and query of its request; none when nobody came in time.
    pub async fn wait(&self, within: Duration) -> Option<String> {
        tokio::time::timeout(within, async {
            loop {
                let Ok((mut stream, _)) = self.listener.accept().await else { continue };
                let mut bytes = Vec::new();
                let mut buffer = [0; 2048];
                while !bytes.windows(4).any(|w| w == b"\r\n\r\n") && bytes.len() < LONGEST {
                    match stream.read(&mut buffer).await {
                        Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
                        _ => break,
                    }
                }
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let target = text.split(' ').nth(1).unwrap_or("").to_owned();
                let ours = target.split('?').next() == Some(&self.path) && target.contains('?');
                // Browsers ask for an icon as well; that is not the callback.
                let answer = if ours {
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nCache-Control: no-store\r\n\r\nDone. You can close this page and go back to the terminal.\n"
                } else {
                    "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                };
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
                if ours {
                    return target;
                }
            }
        })
        .await
        .ok()
    }
}
