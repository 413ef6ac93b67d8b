//! What comes of a request: the org's own answer, or one that the suite has in its place.

use super::*;

/// What comes of a request.
enum Came {
    /// An answer.
    Answer(Response<Bytes>),
    /// Nothing, and why.
    Nothing(&'static str),
    /// Whatever it is, it is kept when it is over.
    Kept(Result<Response<Bytes>, ConnectionCut>),
}

impl Came {
    /// The same, with another answer.
    fn map(self, change: impl FnOnce(Response<Bytes>) -> Response<Bytes>) -> Self {
        match self {
            Self::Answer(response) => Self::Answer(change(response)),
            came => came,
        }
    }
}

/// A request that is not answered, or half: when this is dropped, the client has gone, or was left to itself for long enough.
struct Waiting {
    counterpart: Arc<Counterpart>,
    place: Option<usize>,
    kept: Kept,
    /// For how long it was, in milliseconds.
    waited: Arc<AtomicU64>,
    request: transcript::Request,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let waited = self.waited.load(Ordering::Relaxed);
        let kept = Kept { took: waited.saturating_mul(1000), ..self.kept };
        let request = std::mem::take(&mut self.request);
        self.counterpart.keep(place, kept, request, Answer::Nothing(Failure::TimedOut(waited)));
    }
}

impl Counterpart {
    /// The answer in place of the org's own, where there is one for this request.
    fn instead(&self, endpoint: Endpoint, grant_type: Option<&str>) -> Option<&Instead> {
        // All that it is for count, so that `from` means the nth of them whatever else answers.
        let mut found = None;
        for (instead, asked) in self.behaviour.answers.iter().zip(&self.asked) {
            if !instead.is_for(endpoint, grant_type) {
                continue;
            }
            let nth = asked.fetch_add(1, Ordering::Relaxed) + 1;
            if found.is_none() && instead.covers(nth) {
                found = Some(instead);
            }
        }
        found
    }

    /// Answers a request as the suite has it, and keeps it.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        request: &Request<Bytes>,
        action: &'static str,
        door: Door,
    ) -> Result<Response<Bytes>, ConnectionCut> {
        let Some(here) = self.place.get() else { return Err(ConnectionCut) };
        let place = self.begin_over(request.extensions().get());
        if place.is_none() && self.cuts {
            return Err(ConnectionCut);
        }
        let (at, watch) = (self.clock.now(), Watch::start());
        let endpoint = endpoint_of(request.uri().path());
        let kept = Kept { at, took: 0, action, endpoint };
        let asked = recorded(
            request,
            match door {
                Door::Org => &here.org,
                Door::Instance => &here.instance,
                Door::Rogue => &here.rogue,
            },
        );
        let killed = self.kills(endpoint);
        let came = match door {
            _ if matches!(killed, Some(Moment::Asked(_))) => {
                return self
                    .killed(place, kept, asked, "the program was killed before anything was done")
                    .await;
            }
            Door::Org | Door::Instance => self.answered(&asked, request, kept, place).await,
            // Whoever looks for keys there finds those of an attacker.
            Door::Rogue if request.uri().path().ends_with("/keys") => {
                Came::Answer(json(&forge::rogue_key_set()))
            }
            Door::Rogue => Came::Answer(nothing()),
        };
        let (answer, outcome) = match came {
            _ if matches!(killed, Some(Moment::Answered(_))) => {
                let why = "the program was killed after all was done and before it was told";
                return self.killed(place, kept, asked, why).await;
            }
            Came::Answer(mut response) => {
                // A server tells the time by its clock, which is not the machine's where it stands still.
                let fields = response.headers_mut();
                if matches!(self.clock, Clock::Own(_))
                    && !fields.contains_key(http::header::DATE)
                    && let Some(date) = http_date(self.clock.now()).and_then(|date| date.parse().ok())
                {
                    fields.insert(http::header::DATE, date);
                }
                (Answer::Response(received(&response)), Ok(response))
            }
            Came::Nothing(why) => (Answer::Nothing(Failure::Broken(why.to_owned())), Err(ConnectionCut)),
            Came::Kept(outcome) => return outcome,
        };
        if let Some(place) = place {
            self.keep(place, Kept { took: watch.micros(), ..kept }, asked, answer);
        }
        outcome
    }

    /// What the org, or the suite in its place, answers.
    async fn answered(
        self: &Arc<Self>,
        asked: &transcript::Request,
        request: &Request<Bytes>,
        kept: Kept,
        place: Option<usize>,
    ) -> Came {
        let endpoint = kept.endpoint;
        let late = self.hold(endpoint).await;
        self.let_all_be_refused(endpoint).await;
        let grant_type = asked.form().get("grant_type").map(str::to_owned);
        let instead = self.instead(endpoint, grant_type.as_deref());
        let own = async || match host::handle(&self.org, &self.clock, request).await {
            Ok(response) => Came::Answer(response),
            Err(_) => Came::Nothing("the org cut the connection"),
        };
        let waiting = || Waiting {
            counterpart: self.clone(),
            place,
            kept,
            waited: Arc::default(),
            request: asked.clone(),
        };
        let came = match instead.map(|instead| &instead.does) {
            Some(Does::Answer(canned)) => {
                self.clock.wait(Duration::from_millis(canned.delay_ms)).await;
                Came::Answer(self.written(canned))
            }
            Some(Does::Cut(Cut::Before)) => Came::Nothing("it was cut before anything was done"),
            Some(Does::Cut(Cut::After)) => {
                own().await;
                Came::Nothing("it was cut after all was done and before it was told")
            }
            Some(Does::Hang(millis)) => {
                let waiting = waiting();
                self.let_go_by(*millis, &waiting.waited).await;
                drop(waiting);
                Came::Kept(Err(ConnectionCut))
            }
            Some(Does::Cut(Cut::Middle)) => match own().await {
                Came::Answer(response) => {
                    if let Some(place) = place {
                        let why = "it was cut in the middle of the answer".to_owned();
                        self.keep(place, kept, asked.clone(), Answer::Nothing(Failure::Broken(why)));
                    }
                    Came::Kept(Ok(half(response, async {})))
                }
                came => came,
            },
            Some(Does::Stall(millis)) => match own().await {
                Came::Answer(response) => {
                    let (waiting, counterpart, millis) = (waiting(), self.clone(), *millis);
                    Came::Kept(Ok(half(response, async move {
                        counterpart.let_go_by(millis, &waiting.waited).await;
                        drop(waiting);
                    })))
                }
                came => came,
            },
            Some(Does::Write(way)) => own().await.map(|r| rewritten(self.signed(r, None), *way)),
            Some(Does::Alter(members)) => {
                let headers = instead.map(|instead| instead.headers.as_slice()).unwrap_or_default();
                let signed = |r| self.signed(self.altered(r, members), fitting(members).as_ref());
                own().await.map(|r| self.with_fields(signed(r), headers))
            }
            Some(Does::IdToken(forged)) => own().await.map(|r| self.signed(r, Some(forged))),
            None if endpoint == Endpoint::Keys && self.behaviour.keys != Keys::default() => {
                Came::Answer(json(&forge::key_set(&self.behaviour.keys, self.has_rolled())))
            }
            None => own().await.map(|r| self.signed(r, None)),
        };
        let counts = endpoint == self.behaviour.counted;
        if counts && matches!(&came, Came::Answer(response) if response.status().is_success()) {
            self.renewed.send_if_modified(|renewed| !std::mem::replace(renewed, self.has_expired()));
            self.let_in.fetch_add(1, Ordering::Relaxed);
        }
        if counts && !late {
            self.refused.send_modify(|refused| *refused += 1);
        }
        if late {
            self.until_renewed().await;
        }
        came
    }

    /// An answer of the org with other members in its JSON body.
    fn altered(&self, response: Response<Bytes>, members: &[(String, Option<Value>)]) -> Response<Bytes> {
        let (mut parts, body) = response.into_parts();
        let Ok(Value::Object(mut object)) = serde_json::from_slice(&body) else {
            return Response::from_parts(parts, body);
        };
        for (name, value) in members {
            match value {
                Some(Value::String(text)) => object.insert(name.clone(), self.filled(text).into()),
                Some(value) => object.insert(name.clone(), value.clone()),
                None => object.shift_remove(name),
            };
        }
        parts.headers.remove(http::header::CONTENT_LENGTH);
        Response::from_parts(parts, Bytes::from(Value::Object(object).to_string()))
    }

    /// Whether another key than the first signs ID tokens by now.
    pub(super) fn has_rolled(&self) -> bool {
        let brought = self.id_tokens.load(Ordering::Relaxed);
        self.behaviour.keys.rolled_at.is_some_and(|nth| brought >= nth)
    }

    /// An answer of the org whose ID token, where it has one, is signed as the suite has it.
    fn signed(&self, response: Response<Bytes>, forged: Option<&Forged>) -> Response<Bytes> {
        if !self.has_id_token(&response) {
            return response;
        }
        self.id_tokens.fetch_add(1, Ordering::Relaxed);
        let rolled = self.has_rolled();
        if forged.is_none() && !rolled {
            return response;
        }
        let own = Forged::default();
        let (mut parts, body) = response.into_parts();
        let Ok(Value::Object(mut object)) = serde_json::from_slice(&body) else {
            return Response::from_parts(parts, body);
        };
        let text = object.get("id_token").and_then(Value::as_str).unwrap_or_default();
        let fill = |text: &str| self.filled(text);
        let new = forge::id_token(text, forged.unwrap_or(&own), rolled, &fill, self.clock.now());
        object.extend(new.map(|new| ("id_token".to_owned(), new.into())));
        parts.headers.remove(http::header::CONTENT_LENGTH);
        Response::from_parts(parts, Bytes::from(Value::Object(object).to_string()))
    }

    fn has_id_token(&self, response: &Response<Bytes>) -> bool {
        response.status() == StatusCode::OK
            && response.body().windows(10).any(|bytes| bytes == b"\"id_token\"")
    }

    /// An answer with these header fields. A date may be as long ago, or as far ahead, as the suite says.
    fn with_fields(&self, mut response: Response<Bytes>, fields: &[(String, String)]) -> Response<Bytes> {
        for (name, value) in fields {
            let value = self.dated(name, value).unwrap_or_else(|| self.filled(value));
            // The reader of suites has seen to it that both can be sent.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// The date that a header names by how far away it is.
    fn dated(&self, name: &str, value: &str) -> Option<String> {
        let is_date = ["date", "retry-after", "expires"].iter().any(|date| name.eq_ignore_ascii_case(date));
        let (sign, rest) = match value.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let away = duration(rest).filter(|_| is_date)?;
        http_date(self.clock.now().saturating_add(sign * away))
    }

    /// An answer that a suite wrote out.
    fn written(&self, canned: &Canned) -> Response<Bytes> {
        let (kind, body) = match &canned.body {
            Body::Empty => (None, Bytes::new()),
            Body::Text(text) => (Some("text/plain;charset=UTF-8"), self.filled(text).into()),
            Body::Json(value) => {
                (Some("application/json;charset=UTF-8"), self.filled(&value.to_string()).into())
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(canned.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        self.with_fields(response, &canned.headers)
    }
}

/// An answer whose JSON says the same, written in another way.
fn rewritten(response: Response<Bytes>, way: Written) -> Response<Bytes> {
    let (mut parts, body) = response.into_parts();
    let Ok(Value::Object(members)) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, body);
    };
    let text = match way {
        Written::Spaced => {
            let pretty = serde_json::to_string_pretty(&members).unwrap_or_default();
            format!("\r\n{}\r\n", pretty.replace("\": ", "\" : ").replace('\n', "\r\n"))
        }
        Written::Reversed => Value::Object(members.into_iter().rev().collect()).to_string(),
        // Tokens stay as they are, so that they are known wherever they stand.
        Written::Escaped => {
            let text = Value::Object(members).to_string();
            text.replace("\"Bearer\"", "\"\\u0042earer\"").replace("://", ":\\/\\/")
        }
    };
    parts.headers.remove(http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Bytes::from(text))
}

/// The ID token of an answer that has another access token than the org's own: it belongs to that one.
fn fitting(members: &[(String, Option<Value>)]) -> Option<Forged> {
    let member = |name: &str| members.iter().find(|(known, _)| known == name);
    let token = member("access_token").filter(|_| member("id_token").is_none())?.1.as_ref()?.as_str()?;
    let at_hash = jwt::half_hash("RS256", token).map(Value::from);
    Some(Forged { claims: vec![("at_hash".to_owned(), at_hash)], ..Forged::default() })
}

/// An answer of which half goes out, and then nothing until that is over.
fn half(mut response: Response<Bytes>, over: impl Future<Output = ()> + Send + 'static) -> Response<Bytes> {
    response.extensions_mut().insert(Half(Arc::new(Mutex::new(Some(Box::pin(over))))));
    response
}

/// What a host answers that does not want to be noticed.
fn nothing() -> Response<Bytes> {
    json(&Value::Object(serde_json::Map::new()))
}

fn json(value: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(value.to_string()));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
