//! The next request of a client: well-formed first, then edited.

use bytes::Bytes;
use rand::RngCore;
use serde_json::{Map, Value};
use std::cell::RefCell;

use super::assertion::{client_claims, grant_claims, jwt, number, saml};
use super::{
    Action, Authorize, BodyForm, Call, Edit, Place, SecretForm, Session, Template, TokenUse, Tweak,
    TweakValue,
};
use crate::oauth::grant::{
    CLIENT_ASSERTION_TYPE, authorization_code, client_credentials, jwt_bearer, refresh_token, saml_bearer,
};
use crate::oauth::params::form_encode;
use crate::oauth::{Params, Secret, base64, base64url, metadata_of, pkce};
use crate::subject::{ClientAuth, ConnectedApp, Endpoints, Target, User};

/// What a request is built from besides the step.
pub struct Context<'c> {
    /// The org.
    pub target: &'c Target,
    /// Its endpoints, discovered ones included.
    pub endpoints: &'c Endpoints,
    /// Base URL of the org.
    pub org: &'c str,
    /// Role of the app.
    pub role: &'c str,
    /// The app that plays.
    pub app: &'c ConnectedApp,
    /// The user whom it plays for.
    pub user: &'c User,
    /// How the client authenticates.
    pub auth: ClientAuth,
    /// What the client knows.
    pub session: &'c Session,
    /// Milliseconds since the epoch, by the org's clock where it is ours.
    pub now: i64,
    /// Where verifiers, states and identifiers come from.
    pub random: &'c RefCell<Dice>,
}

/// Randomness of one play.
pub struct Dice(pub rand::rngs::StdRng);

impl Dice {
    /// So many random bytes in base64url.
    pub fn token(&mut self, bytes: usize) -> String {
        let mut buffer = vec![0; bytes];
        self.0.fill_bytes(&mut buffer);
        base64url(buffer)
    }
}

/// What a step lacks to be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A value that an earlier step did not bring.
    #[error("nothing before this step brought `{0}`")]
    Value(String),
    /// A role that the target does not have.
    #[error("the target has no app `{0}`")]
    App(String),
    /// A key that the target does not give.
    #[error("the target gives no key for the app `{0}`")]
    Key(String),
    /// An endpoint that is not known.
    #[error("the {0} endpoint is not known")]
    Endpoint(&'static str),
    /// A URL or header that cannot be sent.
    #[error("this cannot be sent: {0}")]
    Unsendable(String),
}

/// What is asked of the client.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What to do.
    pub action: &'a Action,
    /// How the request differs from a well-formed one.
    pub tweak: &'a Tweak,
    /// Whether client authentication is sent where the grant does not need it.
    pub authenticated: bool,
}

/// A request that is ready to go out.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The request.
    pub request: http::Request<Bytes>,
    /// Whether only half of the body is sent, with the length of the whole announced.
    pub truncated: bool,
    /// What the session has to remember when it goes out.
    pub remember: Remember,
}

/// Values that the client made up for a request.
#[derive(Clone, Debug, Default)]
pub struct Remember {
    verifier: Option<Option<Secret>>,
    state: Option<String>,
    nonce: Option<String>,
    redirect_uri: Option<String>,
    assertion: Option<Secret>,
}

impl Remember {
    /// Puts them into the session.
    pub fn into_session(self, session: &mut Session) {
        if let Some(verifier) = self.verifier {
            session.verifier = verifier;
            session.code = None;
            session.state = self.state;
            session.nonce = self.nonce;
            session.redirect_uri = self.redirect_uri;
        }
        if self.assertion.is_some() {
            session.assertion = self.assertion;
        }
    }
}

impl Context<'_> {
    /// The audience of assertions: the issuer of the server.
    pub fn audience(&self) -> String {
        self.endpoints.issuer.clone().unwrap_or_else(|| self.org.to_owned())
    }

    /// The value of a name in a suite's text.
    pub fn value(&self, name: &str) -> Option<String> {
        match name {
            "app.client_id" => Some(self.app.client_id.clone()),
            "app.redirect_uri" => Some(self.app.redirect_uri().to_owned()),
            "user.username" => Some(self.user.username.clone()),
            "app.query_redirect_uri" => self.app.redirect_uris.iter().find(|uri| uri.contains('?')).cloned(),
            "app.redirect_scheme" | "app.redirect_host" | "app.redirect_path" => {
                let url = url::Url::parse(self.app.redirect_uri()).ok()?;
                Some(match name {
                    "app.redirect_scheme" => url.scheme().to_owned(),
                    "app.redirect_host" => match url.port() {
                        Some(port) => format!("{}:{port}", url.host_str()?),
                        None => url.host_str()?.to_owned(),
                    },
                    _ => url.path().to_owned(),
                })
            }
            "code_challenge" => {
                self.session.verifier.as_ref().map(|verifier| pkce::Method::S256.challenge(verifier.expose()))
            }
            "issuer" => Some(self.audience()),
            "endpoints.token" => self.endpoints.token.clone(),
            "endpoints.authorize" => self.endpoints.authorize.clone(),
            "now" => Some((self.now / 1000).to_string()),
            name => self.session.value(name).or_else(|| {
                let (role, what) = name.split_once('.')?;
                match what {
                    "client_id" => self.target.apps.get(role).map(|app| app.client_id.clone()),
                    "redirect_uri" => self.target.apps.get(role).map(|app| app.redirect_uri().to_owned()),
                    "username" => self.target.users.get(role).map(|user| user.username.clone()),
                    _ => None,
                }
            }),
        }
    }

    fn fill(&self, template: &Template) -> Result<String, Missing> {
        template.fill(&|name| self.value(name)).map_err(|unknown| Missing::Value(unknown.0))
    }

    fn known(&self, name: &str) -> Result<String, Missing> {
        self.value(name).ok_or_else(|| Missing::Value(name.to_owned()))
    }

    fn token(&self, which: &TokenUse) -> Result<String, Missing> {
        which.token.as_ref().map_or_else(|| self.known("access_token"), |template| self.fill(template))
    }
}

/// A request in the making.
struct Draft {
    method: String,
    url: String,
    query: Params,
    form: Option<Params>,
    json: Option<Value>,
    headers: Vec<(String, String)>,
    basic: Option<(String, String)>,
    text: Option<(String, &'static str)>,
    remember: Remember,
}

impl Draft {
    fn new(method: &str, url: String) -> Self {
        Self {
            method: method.to_owned(),
            url,
            query: Params::new(),
            form: None,
            json: None,
            headers: Vec::new(),
            basic: None,
            text: None,
            remember: Remember::default(),
        }
    }

    fn bearer(mut self, token: &str) -> Self {
        self.headers.push(("authorization".into(), format!("Bearer {token}")));
        self
    }
}

/// Builds the request of a step.
///
/// # Errors
/// [`Missing`], where the client lacks what the step needs.
pub fn build(cx: &Context<'_>, step: &Asked<'_>) -> Result<Outgoing, Missing> {
    let endpoints = cx.endpoints;
    let need = |url: &Option<String>, name: &'static str| url.clone().ok_or(Missing::Endpoint(name));
    let draft = match step.action {
        Action::Authorize(options) => {
            authorize(cx, options, need(&endpoints.authorize, "authorization")?, step)?
        }
        Action::Redeem
        | Action::JwtBearer
        | Action::SamlBearer
        | Action::ClientCredentials
        | Action::Refresh => token_request(cx, step, need(&endpoints.token, "token")?)?,
        Action::Introspect(which) | Action::Revoke(which) => {
            let url = match step.action {
                Action::Introspect(_) => need(&endpoints.introspect, "introspection")?,
                _ => need(&endpoints.revoke, "revocation")?,
            };
            let mut draft = Draft::new(which.method.as_deref().unwrap_or("POST"), url);
            let params =
                Params::new().with("token", cx.token(which)?).with_opt("token_type_hint", which.hint.clone());
            draft.form = Some(params);
            authenticate(cx, step, &mut draft)?;
            if draft.method == "GET" {
                draft.query = draft.form.take().unwrap_or_default();
            }
            draft
        }
        Action::Userinfo(which) => {
            let url = need(&endpoints.userinfo, "userinfo")?;
            Draft::new(which.method.as_deref().unwrap_or("GET"), url).bearer(&cx.token(which)?)
        }
        Action::Identity(which) => {
            let url = cx.known("identity_url")?;
            Draft::new(which.method.as_deref().unwrap_or("GET"), url).bearer(&cx.token(which)?)
        }
        // RFC 8414 §3.1 puts its part before the path of the issuer, OpenID Connect Discovery §4 behind it.
        Action::Discover { oauth: true, below: Some(path) } => {
            Draft::new("GET", format!("{}/.well-known/oauth-authorization-server{path}", cx.org))
        }
        Action::Discover { oauth: false, below: Some(path) } => {
            Draft::new("GET", format!("{}{path}/.well-known/openid-configuration", cx.org))
        }
        Action::Discover { oauth, below: None } => {
            let url = if *oauth {
                endpoints.metadata.clone().unwrap_or_else(|| metadata_of(cx.org))
            } else {
                let path = "/.well-known/openid-configuration";
                endpoints.discovery.clone().unwrap_or_else(|| format!("{}{path}", cx.org))
            };
            Draft::new("GET", url)
        }
        Action::Keys => Draft::new("GET", need(&endpoints.keys, "JSON Web Key Set")?),
        Action::Call(call) => resource(cx, call)?,
        Action::CallOut(out) => resource(cx, &out.call)?,
        Action::Soap(which) => soap(cx, &cx.token(which)?),
        Action::Advance(_) => return Err(Missing::Endpoint("time")),
    };
    finish(cx, step, draft)
}

fn authorize(cx: &Context<'_>, options: &Authorize, url: String, step: &Asked<'_>) -> Result<Draft, Missing> {
    let mut dice = cx.random.borrow_mut();
    let verifier = options.pkce.map(|method| {
        let mut random = [0; 32];
        dice.0.fill_bytes(&mut random);
        (pkce::verifier(random), method)
    });
    let state = match &options.state {
        Some(template) => cx.fill(template)?,
        None => dice.token(16),
    };
    let nonce = options.nonce.then(|| dice.token(16));
    drop(dice);
    let scope = options.scope.as_deref().unwrap_or(&cx.app.scopes);
    let request = authorization_code::Authorize {
        client_id: &cx.app.client_id,
        redirect_uri: cx.app.redirect_uri(),
        scope: (!scope.is_empty()).then(|| scope.join(" ")),
        state: Some(&state),
        challenge: verifier.as_ref().map(|(verifier, method)| (method.challenge(verifier), *method)),
        nonce: nonce.as_deref(),
    };
    let mut draft = Draft::new("GET", url);
    draft.query = request.params();
    for (name, value) in &options.extra {
        draft.query.push(*name, value.as_str());
    }
    // What a tweak sends in place of these is what a redemption must name again.
    let sent = |name: &str, ours: String| {
        step.tweak
            .edits
            .iter()
            .find_map(|edit| match edit {
                Edit::Set(Place::Param, n, value) if n == name => {
                    number(cx, value).ok().and_then(|v| v.as_str().map(str::to_owned))
                }
                _ => None,
            })
            .unwrap_or(ours)
    };
    draft.remember = Remember {
        verifier: Some(verifier.map(|(verifier, _)| Secret::new(verifier))),
        redirect_uri: Some(sent("redirect_uri", cx.app.redirect_uri().to_owned())),
        state: Some(sent("state", state)),
        nonce,
        assertion: None,
    };
    Ok(draft)
}

fn token_request(cx: &Context<'_>, step: &Asked<'_>, url: String) -> Result<Draft, Missing> {
    let mut draft = Draft::new("POST", url);
    let set =
        |name: &str| step.tweak.edits.iter().any(|e| matches!(e, Edit::Set(Place::Param, n, _) if n == name));
    // What the tweak sets need not be known, and what it leaves out neither.
    let value = |name: &str, param: &str| -> Result<String, Missing> {
        let left_out =
            step.tweak.edits.iter().any(|e| matches!(e, Edit::Without(Place::Param, n) if n == param));
        if set(param) || left_out { Ok(cx.value(name).unwrap_or_default()) } else { cx.known(name) }
    };
    let mut presented = None;
    let mut params = match step.action {
        Action::Redeem => {
            let redirect_uri =
                cx.session.redirect_uri.clone().unwrap_or_else(|| cx.app.redirect_uri().to_owned());
            let verifier = cx.session.verifier.as_ref().map(Secret::expose);
            authorization_code::redeem(&value("code", "code")?, &redirect_uri, verifier)
        }
        Action::Refresh => refresh_token::request(&value("refresh_token", "refresh_token")?),
        Action::ClientCredentials => client_credentials::request(None),
        Action::SamlBearer => {
            let assertion = if set("assertion") { String::new() } else { saml(cx, step.tweak)? };
            presented = Some(assertion.clone());
            saml_bearer::request(&assertion)
        }
        _ => {
            let assertion =
                if set("assertion") { String::new() } else { jwt(cx, step.tweak, grant_claims(cx))? };
            presented = Some(assertion.clone());
            jwt_bearer::request(&assertion)
        }
    };
    for (name, value) in &cx.app.extra {
        params.push(name.as_str(), value.as_str());
    }
    draft.form = Some(params);
    draft.remember.assertion = presented.map(Secret::new);
    // An assertion names its client by itself; Salesforce asks for no other authentication.
    let by_assertion = matches!(step.action, Action::JwtBearer | Action::SamlBearer);
    if !by_assertion || step.authenticated {
        authenticate(cx, step, &mut draft)?;
    }
    Ok(draft)
}

fn authenticate(cx: &Context<'_>, step: &Asked<'_>, draft: &mut Draft) -> Result<(), Missing> {
    let id = cx.app.client_id.clone();
    let of = |app: &ConnectedApp| app.client_secret.as_ref().map_or("", Secret::expose).to_owned();
    let secret = match &step.tweak.secret {
        Some(SecretForm::Of(role)) => cx.target.apps.get(role).map(of).unwrap_or_default(),
        Some(form) => form.written(&of(cx.app)).unwrap_or_default(),
        None => of(cx.app),
    };
    if step.tweak.basic_besides {
        let pair = format!("{}:{}", form_encode(&id), form_encode(&secret));
        draft.headers.push(("authorization".into(), format!("Basic {}", base64(pair))));
    }
    let form = draft.form.get_or_insert_default();
    match cx.auth {
        ClientAuth::Post => {
            form.push("client_id", id);
            form.push("client_secret", secret);
        }
        ClientAuth::Basic => draft.basic = Some((id, secret)),
        ClientAuth::None => form.push("client_id", id),
        ClientAuth::PrivateKeyJwt => {
            form.push("client_id", id);
            form.push("client_assertion_type", CLIENT_ASSERTION_TYPE);
            let assertion = jwt(cx, step.tweak, client_claims(cx))?;
            form.push("client_assertion", assertion);
            // A suite that names a secret wants it beside the assertion.
            if step.tweak.secret.is_some() {
                form.push("client_secret", secret);
            }
        }
    }
    Ok(())
}

fn resource(cx: &Context<'_>, call: &Call) -> Result<Draft, Missing> {
    let url = match &call.path {
        Some(path) => {
            let path = cx.fill(path)?;
            match path.strip_prefix(cx.org) {
                _ if path.starts_with('/') => format!("{}{path}", cx.org),
                // `https://ORG.evil` begins like `https://ORG`, and must not get the token.
                Some(rest) if rest.starts_with('/') => format!("{}{rest}", cx.org),
                _ => return Err(Missing::Unsendable(format!("`{path}` is not on the target's host"))),
            }
        }
        None => cx.endpoints.api.clone().ok_or(Missing::Endpoint("resource"))?,
    };
    let method = call.method.as_deref().unwrap_or(if call.json.is_some() { "POST" } else { "GET" });
    let mut draft = Draft::new(method, url);
    draft.json.clone_from(&call.json);
    if call.anonymous {
        return Ok(draft);
    }
    let which = TokenUse { token: call.token.clone(), ..TokenUse::default() };
    Ok(draft.bearer(&cx.token(&which)?))
}

/// The smallest SOAP call that needs a session (Salesforce SOAP API: getUserInfo).
fn soap(cx: &Context<'_>, session: &str) -> Draft {
    let escaped = session.replace('&', "&amp;").replace('<', "&lt;");
    let mut draft = Draft::new("POST", format!("{}/services/Soap/u/60.0", cx.org));
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><env:Envelope xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:urn=\"urn:partner.soap.sforce.com\"><env:Header><urn:SessionHeader><urn:sessionId>{escaped}</urn:sessionId>\
         </urn:SessionHeader></env:Header><env:Body><urn:getUserInfo/></env:Body></env:Envelope>"
    );
    draft.text = Some((body, "text/xml; charset=utf-8"));
    draft.headers.push(("soapaction".into(), "\"\"".into()));
    draft
}

fn finish(cx: &Context<'_>, step: &Asked<'_>, mut draft: Draft) -> Result<Outgoing, Missing> {
    let tweak = step.tweak;
    let in_query = draft.form.is_none();
    for edit in &tweak.edits {
        let text = |value: &TweakValue| -> Result<String, Missing> {
            let value = number(cx, value)?;
            Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        match edit {
            Edit::Set(Place::Param, name, value) => {
                let value = text(value)?;
                match (&mut draft.basic, name.as_str()) {
                    (Some((id, _)), "client_id") => *id = value,
                    (Some((_, secret)), "client_secret") => *secret = value,
                    _ => params(&mut draft, in_query).set(name, value),
                }
            }
            Edit::Without(Place::Param, name) => {
                if matches!(name.as_str(), "client_id" | "client_secret") && draft.basic.is_some() {
                    draft.basic = None;
                } else {
                    params(&mut draft, in_query).remove(name);
                }
            }
            Edit::Twice(Place::Param, name, value) => {
                let list = params(&mut draft, in_query);
                let again = list.get(name).unwrap_or("").to_owned();
                let value = value.as_ref().map_or(Ok(again), text)?;
                params(&mut draft, in_query).push(name.as_str(), value);
            }
            Edit::Set(Place::Header, name, value) => {
                let value = text(value)?;
                draft.headers.retain(|(n, _)| n != name);
                draft.headers.push((name.to_ascii_lowercase(), value));
                if name.eq_ignore_ascii_case("authorization") {
                    draft.basic = None;
                }
            }
            Edit::Without(Place::Header, name) => {
                draft.headers.retain(|(n, _)| n != name);
                if name.eq_ignore_ascii_case("authorization") {
                    draft.basic = None;
                }
            }
            _ => {}
        }
    }
    if let Some((id, secret)) = &draft.basic {
        let plain = if tweak.basic_raw {
            format!("{id}:{secret}")
        } else {
            format!("{}:{}", form_encode(id), form_encode(secret))
        };
        draft.headers.push(("authorization".into(), format!("Basic {}", base64(plain))));
    }
    if tweak.reversed {
        let list = params(&mut draft, in_query);
        let mut pairs: Vec<(String, String)> =
            list.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        pairs.reverse();
        *list = pairs.into_iter().collect();
    }
    assemble(tweak, draft)
}

fn assemble(tweak: &Tweak, mut draft: Draft) -> Result<Outgoing, Missing> {
    if let Some(method) = &tweak.method {
        draft.method.clone_from(method);
        if method == "GET" || method == "HEAD" {
            for (name, value) in draft.form.take().unwrap_or_default().iter() {
                draft.query.push(name, value);
            }
        }
    }
    if tweak.body == Some(BodyForm::Query) {
        for (name, value) in draft.form.replace(Params::new()).unwrap_or_default().iter() {
            draft.query.push(name, value);
        }
    }
    let mut body = String::new();
    let mut content_type = None;
    if let Some((text, kind)) = draft.text {
        (body, content_type) = (text, Some(kind));
    } else if let Some(json) = &draft.json {
        (body, content_type) = (json.to_string(), Some("application/json"));
    } else if let Some(form) = &draft.form {
        (body, content_type) = match tweak.body {
            Some(BodyForm::Json) => {
                let members: Map<String, Value> =
                    form.iter().map(|(n, v)| (n.to_owned(), v.into())).collect();
                (Value::Object(members).to_string(), Some("application/json"))
            }
            Some(BodyForm::Empty) => (String::new(), Some("application/x-www-form-urlencoded")),
            Some(BodyForm::Malformed) => {
                (format!("{}&broken=%zz", form.write()), Some("application/x-www-form-urlencoded"))
            }
            _ => (form.write(), Some("application/x-www-form-urlencoded")),
        };
    }
    let url = match (draft.query.is_empty(), draft.url.contains('?')) {
        (true, _) => draft.url,
        (false, true) => format!("{}&{}", draft.url, draft.query.write()),
        (false, false) => format!("{}?{}", draft.url, draft.query.write()),
    };
    let mut request = http::Request::builder().method(draft.method.as_str()).uri(&url);
    // What is sent unless a tweak says otherwise.
    let free = |name: &str| {
        let left_out =
            |edit: &Edit| matches!(edit, Edit::Without(Place::Header, n) if n.eq_ignore_ascii_case(name));
        !draft.headers.iter().any(|(n, _)| n == name) && !tweak.edits.iter().any(left_out)
    };
    if let Some(kind) = content_type.filter(|_| free("content-type")) {
        request = request.header("content-type", kind);
    }
    if free("accept") {
        request = request.header("accept", "application/json, text/html;q=0.5, */*;q=0.1");
    }
    for (name, value) in &draft.headers {
        request = request.header(name.as_str(), value.as_str());
    }
    let request = request.body(Bytes::from(body)).map_err(|why| Missing::Unsendable(why.to_string()))?;
    Ok(Outgoing { request, truncated: tweak.body == Some(BodyForm::Truncated), remember: draft.remember })
}

fn params(draft: &mut Draft, in_query: bool) -> &mut Params {
    if in_query { &mut draft.query } else { draft.form.get_or_insert_default() }
}
