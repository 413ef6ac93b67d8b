//! Headless Chromium as the user's browser: it renders pages, keeps cookies and runs the scripts of pages, and asks nobody by
//! itself. Each of its requests is stopped before it leaves and answered from here, so no run reaches anybody by it, and what
//! it asks stands in the record. It is led by the Chrome DevTools Protocol over two pipes, which nobody else can open.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::Error;
use super::files::Private;
use super::program::group::Group;
use super::program::is_executable;

/// What it is called, in the order in which it is looked for.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// How long it may take to do as it is told; the first start on a busy machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest message that is read, in bytes.
const LONGEST: u64 = 16 << 20;
/// The most events that wait to be looked at.
const MOST_WAITING: usize = 10_000;
/// Hands it our end of the pipes as its files 3 and 4. Its sandbox does not start for root, who has to go without.
const START: &str = "exec 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null; \
                     if [ \"$(id -u)\" = 0 ]; then set -- --no-sandbox \"$@\"; fi; exec \"$0\" \"$@\"";
/// How it is started: with nothing of its own to ask of anybody, and with no way to them.
const ARGUMENTS: [&str; 19] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-service-autorun",
    "--password-store=basic",
    // One process renders all pages, so that the pages of frames are stopped where the page itself is.
    "--disable-features=IsolateOrigins,site-per-process,Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    // Whoever is asked without being stopped: there is no proxy there, and no name has an address.
    "--proxy-server=http://127.0.0.1:9",
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

/// Where Chromium is on this machine, where it is.
#[allow(clippy::disallowed_methods)]
pub fn find() -> Option<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let at = |name: &&str| folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path));
    NAMES.iter().find_map(at)
}

/// One that runs, with a profile of its own and one page. It ends when this is dropped.
pub(super) struct Chromium {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// The session of its page.
    page: String,
    last: u64,
    waiting: VecDeque<Event>,
    _group: Group,
    _child: Child,
    _profile: Private,
}

/// Why it does no more what it is told, in words. Nobody but it is to blame.
#[derive(Debug)]
pub(super) struct Gone(pub(super) String);

/// Something that it tells by itself.
#[derive(Debug)]
pub(super) enum Event {
    /// It is about to ask somebody.
    Asks(Asked),
    /// A page was read, with everything on it.
    Loaded,
    /// A page shows a box and waits for its button.
    Box,
    /// It has come to an end that no answer of ours can mend.
    Crashed,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    /// What it calls the request.
    id: String,
    /// Method.
    pub(super) method: String,
    /// Absolute URL, without a fragment.
    pub(super) url: String,
    /// Header fields, cookies among them.
    pub(super) headers: Vec<(String, String)>,
    /// Body.
    pub(super) body: String,
    /// Whether a page is to come of it, not a part of one.
    pub(super) is_page: bool,
}

impl Chromium {
    /// Starts it.
    ///
    /// # Errors
    /// It does not start, or does not do as it is told.
    #[allow(clippy::disallowed_methods)]
    pub(super) async fn start(program: &Path) -> Result<Self, Error> {
        let fail = |why: String| cannot(program, why);
        let profile = Private::new()?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(START).arg(program).args(ARGUMENTS);
        command.arg(format!("--user-data-dir={}", profile.path())).arg("about:blank");
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
            .envs(["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|name| (name, profile.path())));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|why| fail(why.to_string()))?;
        let group = Group::of(&child);
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(fail("it has no pipes".into()));
        };
        let mut chromium = Self {
            to,
            from: BufReader::new(from),
            page: String::new(),
            last: 0,
            waiting: VecDeque::new(),
            _group: group,
            _child: child,
            _profile: profile,
        };
        chromium.open().await.map_err(|Gone(why)| fail(why))?;
        Ok(chromium)
    }

    async fn open(&mut self) -> Result<(), Gone> {
        let made = self.call("Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", attach).await?;
        self.page = attached["sessionId"].as_str().unwrap_or("").to_owned();
        self.call("Fetch.enable", json!({ "patterns": [{ "urlPattern": "*" }] })).await?;
        self.call("Page.enable", json!({})).await?;
        self.waiting.clear();
        Ok(())
    }

    /// Goes to a URL. What comes of it comes as events.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn go(&mut self, url: &str) -> Result<(), Gone> {
        self.waiting.clear();
        self.send("Page.navigate", json!({ "url": url })).await.map(drop)
    }

    /// Answers a request.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn answer(
        &mut self,
        asked: &Asked,
        status: u16,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<(), Gone> {
        use base64::Engine as _;
        let headers: Vec<Value> =
            headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let body = base64::engine::general_purpose::STANDARD.encode(body);
        let answer = json!({
            "requestId": asked.id, "responseCode": status, "responseHeaders": headers, "body": body,
        });
        self.send("Fetch.fulfillRequest", answer).await.map(drop)
    }

    /// Lets a request fail, as if a firewall had stopped it.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn refuse(&mut self, asked: &Asked) -> Result<(), Gone> {
        let refusal = json!({ "requestId": asked.id, "errorReason": "BlockedByClient" });
        self.send("Fetch.failRequest", refusal).await.map(drop)
    }

    /// Presses the button of a box that a page shows.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn press(&mut self) -> Result<(), Gone> {
        self.send("Page.handleJavaScriptDialog", json!({ "accept": true })).await.map(drop)
    }

    /// Runs a function on the page with an argument; its answer, where it has one.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn run(&mut self, function: &str, argument: &Value) -> Result<Value, Gone> {
        let expression = format!("({function})({argument})");
        let asked = json!({ "expression": expression, "returnByValue": true, "userGesture": true });
        Ok(self.call("Runtime.evaluate", asked).await?["result"]["value"].take())
    }

    /// The next event; none within that time.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn event(&mut self, within: Duration) -> Result<Option<Event>, Gone> {
        let next = async {
            loop {
                if let Some(event) = self.waiting.pop_front() {
                    return Ok(event);
                }
                let message = self.read().await?;
                self.waiting.extend(event(&message));
            }
        };
        timeout(within, next).await.ok().transpose()
    }

    /// Tells it to do something, and waits until it is done.
    async fn call(&mut self, method: &str, params: Value) -> Result<Value, Gone> {
        let id = self.send(method, params).await?;
        let answered = async {
            loop {
                let mut message = self.read().await?;
                if message["id"] == id {
                    return match message["error"]["message"].as_str() {
                        Some(why) => Err(Gone(format!("{method}: {why}"))),
                        None => Ok(message["result"].take()),
                    };
                }
                if self.waiting.len() < MOST_WAITING {
                    self.waiting.extend(event(&message));
                }
            }
        };
        timeout(PATIENCE, answered).await.map_err(|_| Gone(format!("{method} was not done in time")))?
    }

    async fn send(&mut self, method: &str, params: Value) -> Result<u64, Gone> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if !self.page.is_empty() {
            message["sessionId"] = self.page.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let written = timeout(PATIENCE, self.to.write_all(&bytes)).await;
        let gone = |why: &str| Gone(why.to_owned());
        written.map_err(|_| gone("it does not listen"))?.map_err(|_| gone("it is gone"))?;
        Ok(self.last)
    }

    async fn read(&mut self) -> Result<Value, Gone> {
        let mut bytes = Vec::new();
        let read = (&mut self.from).take(LONGEST).read_until(0, &mut bytes).await;
        if read.is_err() || bytes.pop() != Some(0) {
            return Err(Gone("it is gone".into()));
        }
        serde_json::from_slice(&bytes).map_err(|why| Gone(format!("what it says is not understood: {why}")))
    }
}

/// An event, where a message is one that matters here.
fn event(message: &Value) -> Option<Event> {
    let params = &message["params"];
    match message["method"].as_str()? {
        "Fetch.requestPaused" => Some(Event::Asks(asked(params)?)),
        // A download shows no page: the one before stays.
        "Page.loadEventFired" | "Page.downloadWillBegin" => Some(Event::Loaded),
        "Page.javascriptDialogOpening" => Some(Event::Box),
        "Inspector.targetCrashed" | "Target.targetCrashed" => Some(Event::Crashed),
        _ => None,
    }
}

fn asked(params: &Value) -> Option<Asked> {
    use base64::Engine as _;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let request = &params["request"];
    let fields = request["headers"].as_object()?.iter();
    let parts = request["postDataEntries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let part = |part: &Value| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(part["bytes"].as_str()?).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let body: String = parts.iter().filter_map(part).collect();
    Some(Asked {
        id: text(&params["requestId"])?,
        method: text(&request["method"])?,
        url: text(&request["url"])?,
        headers: fields.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect(),
        body: if parts.is_empty() { text(&request["postData"]).unwrap_or_default() } else { body },
        is_page: params["resourceType"] == "Document",
    })
}

fn cannot(program: &Path, why: String) -> Error {
    Error::Program { command: program.display().to_string(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_with_its_cookies_and_its_body() {
        let told = json!({ "method": "Fetch.requestPaused", "params": {
            "requestId": "1", "resourceType": "Document", "request": {
                "url": "https://org.example/login", "method": "POST",
                "headers": { "Cookie": "sid=1" },
                "postData": "ignored", "postDataEntries": [{ "bytes": "dW49" }, { "bytes": "YW5u" }],
            },
        } });
        let Some(Event::Asks(asked)) = event(&told) else { panic!("{told}") };
        assert_eq!((asked.method.as_str(), asked.body.as_str(), asked.is_page), ("POST", "un=ann", true));
        assert_eq!(asked.headers, [("Cookie".to_owned(), "sid=1".to_owned())]);
    }

    #[test]
    fn what_is_no_event_of_ours_is_passed_over() {
        for told in [json!({}), json!({ "method": 1 }), json!({ "method": "Fetch.requestPaused" }), json!([])]
        {
            assert!(event(&told).is_none(), "{told}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_is_no_chromium_is_told() {
        let why = Chromium::start(Path::new("/bin/true")).await.err().unwrap().to_string();
        assert_eq!(why, "cannot start /bin/true: it is gone");
    }
}
