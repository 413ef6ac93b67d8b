//! What the plays of a run share: the budget, the clock's begin, and the positive controls, each played once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Mutex, OnceCell, mpsc, watch};

use super::client::Plain;
use super::plan::Planned;
use super::rows::Judged;
use super::{Options, Progress, Surroundings, client, play};
use crate::oauth::Secret;
use crate::org::Org;
use crate::subject::{Brought, Grant, Login};
use crate::suite::client::Play;
use crate::suite::told::Told;
use crate::suite::{self, Scenario, Step};
use crate::transcript::{Exchange, Taken};
use crate::wire::Clock;
use crate::wire::authority::Authority;
use crate::wire::browser::Person;
use crate::wire::host::Host;

/// What the plays of a run share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) surroundings: Surroundings,
    pub(super) progress: mpsc::UnboundedSender<Progress>,
    pub(super) stop: watch::Receiver<bool>,
    /// Who logs in where the target says `login: browser`.
    pub(super) person: Person,
    /// Moment at which the clocks of embedded orgs begin.
    pub(super) begin: i64,
    /// The refresh token that the target gave in place of a login, or what it was rotated to.
    given: std::sync::Mutex<Option<Secret>>,
    spent: AtomicU32,
    port: OnceLock<u16>,
    /// What controls of a scenario were given of a recording.
    taken: std::sync::Mutex<HashMap<String, Taken>>,
    controls: Mutex<HashMap<String, Arc<OnceCell<Arc<Played>>>>>,
    /// Who vouches for the hosts of an org that programs reach over TLS.
    authority: OnceLock<Arc<Authority>>,
    /// What came of the client under test where nothing was in its way.
    plain: Mutex<HashMap<String, Arc<OnceCell<Plain>>>>,
}

/// What came of a positive control.
pub(super) struct Played {
    /// Whether its last step succeeded.
    pub(super) succeeded: bool,
    /// What happened instead, where it did not.
    pub(super) why_not: String,
    /// Its exchanges.
    pub(super) exchanges: Vec<Exchange>,
}

impl Shared {
    pub(super) fn new(
        options: Options,
        surroundings: Surroundings,
        progress: mpsc::UnboundedSender<Progress>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let begin = options.begin;
        Self {
            given: std::sync::Mutex::new(match &options.target.login {
                Login::Given(Grant { token: Brought::RefreshToken(token), .. }) => Some(token.clone()),
                _ => None,
            }),
            options,
            surroundings,
            progress,
            stop,
            person: Person::default(),
            begin: begin.unwrap_or_else(crate::wire::clock::real_now),
            spent: AtomicU32::new(0),
            port: OnceLock::new(),
            taken: std::sync::Mutex::default(),
            controls: Mutex::default(),
            authority: OnceLock::new(),
            plain: Mutex::default(),
        }
    }

    /// Puts an embedded org on a socket. Every org of a run listens on the same port, one after another, so that a
    /// scenario and its control speak of the same server.
    pub(super) async fn host(&self, org: Arc<Org>, clock: Clock) -> Result<Host, crate::wire::Error> {
        let port = self.port.get().copied().unwrap_or(0);
        let host = Host::start(org, clock, &format!("127.0.0.1:{port}")).await?;
        let _ = self.port.set(host.port());
        Ok(host)
    }

    /// The refresh token that plays begin with, where the target gives one.
    pub(super) fn given(&self) -> std::sync::MutexGuard<'_, Option<Secret>> {
        self.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What the controls of a scenario were given of a recording so far.
    pub(super) fn taken(&self, scenario: &str) -> Taken {
        let mut taken = self.taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        taken.entry(scenario.to_owned()).or_default().clone()
    }

    /// Counts one token request against the budget of a foreign target.
    pub(super) fn spend(&self) -> Result<(), String> {
        if self.options.target.is_embedded() || self.options.replay.is_some() {
            return Ok(());
        }
        let spent = self.spent.fetch_add(1, Ordering::Relaxed);
        match self.options.budget {
            Some(budget) if spent >= budget => {
                Err(format!("the budget of {budget} token requests is used up"))
            }
            _ => Ok(()),
        }
    }

    /// Who vouches for the hosts of an org that programs reach over TLS: one for the run, made when it is asked for.
    pub(super) fn authority(&self) -> Result<Arc<Authority>, crate::wire::Error> {
        if let Some(authority) = self.authority.get() {
            return Ok(authority.clone());
        }
        let new = Authority::new()?;
        Ok(self.authority.get_or_init(|| new).clone())
    }

    /// What comes of the client under test where nothing is in its way. Played once for all scenarios that tell it the
    /// same.
    pub(super) async fn plain(&self, scenario: &Scenario, play: &Play) -> Plain {
        let Play { flow, told: Told { calls, concurrency, processes, store, args, .. }, .. } = play;
        let Scenario { app, user, settings, .. } = scenario;
        let many = format!("{calls}/{concurrency}/{processes}/{store}");
        let key = format!("{flow}/{many}/{args:?}/{app}/{user}/{settings:?}");
        let cell = self.plain.lock().await.entry(key.clone()).or_default().clone();
        cell.get_or_init(|| async { client::plain(self, scenario, play, &key).await }).await.clone()
    }

    /// The positive control of a step: the scenario up to it, without its tweak or with the stand-ins that
    /// `control:` names. Played once for all scenarios that are the same up to there.
    pub(super) async fn control(&self, scenario: &Scenario, position: usize) -> Arc<Played> {
        let Control { steps, stand_ins, mut key } = Control::of(scenario, position);
        if self.options.replay.is_some() {
            // A recording has the controls of a scenario beside it, whoever played them first.
            key.insert_str(0, &scenario.full_name());
        }
        let cell = self.controls.lock().await.entry(key.clone()).or_default().clone();
        let scenario = Scenario { steps, cleanup: Vec::new(), checks: Vec::new(), ..scenario.clone() };
        let played = cell
            .get_or_init(|| async { Arc::new(play::control(self, &scenario, &stand_ins, &key).await) })
            .await;
        played.clone()
    }
}

/// A positive control before it is played.
pub(super) struct Control {
    /// What is done.
    pub(super) steps: Vec<Step>,
    /// App and user for the whole play.
    pub(super) stand_ins: (Option<String>, Option<String>),
    /// The same for controls that are the same play.
    pub(super) key: String,
}

impl Control {
    /// The control of a step that must be refused.
    pub(super) fn of(scenario: &Scenario, position: usize) -> Self {
        let step = &scenario.steps[position];
        let (mut app, mut user, mut auth) = (None, None, None);
        if let Some(suite::Control::Otherwise { app: a, user: u, client_auth }) = &step.control {
            (app, user, auth) = (a.clone(), u.clone(), *client_auth);
        }
        let plain = |step: &Step, last: bool| Step {
            expect: None,
            control: None,
            times: 1,
            at_once: false,
            together: false,
            tweak: if last { crate::client::Tweak::default() } else { step.tweak.clone() },
            client_auth: if last { auth.or(step.client_auth) } else { step.client_auth },
            app: if last && step.app.is_some() {
                app.clone().or_else(|| step.app.clone())
            } else {
                step.app.clone()
            },
            user: if last && step.user.is_some() {
                user.clone().or_else(|| step.user.clone())
            } else {
                step.user.clone()
            },
            ..step.clone()
        };
        // What goes out together with it might use up what it needs.
        let first = (0..=position).rev().find(|at| !scenario.steps[*at].together).unwrap_or(0);
        let steps: Vec<Step> = scenario.steps[..=position]
            .iter()
            .enumerate()
            .filter(|(i, _)| *i < first || *i == position)
            .map(|(i, step)| plain(step, i == position))
            .collect();
        let stand_ins = (app.filter(|_| step.app.is_none()), user.filter(|_| step.user.is_none()));
        let key = key(scenario, &steps, &stand_ins);
        Self { steps, stand_ins, key }
    }
}

/// What makes two controls the same play: everything that shapes their requests.
fn key(scenario: &Scenario, steps: &[Step], stand_ins: &(Option<String>, Option<String>)) -> String {
    use std::fmt::Write as _;
    let mut key = format!("{}/{}/{:?}/{:?}", scenario.app, scenario.user, scenario.settings, stand_ins);
    if let Some(stubs) = &scenario.stubs {
        let _ = write!(key, "/{stubs:?}");
    }
    for step in steps {
        let _ = write!(
            key,
            "/{:?}/{:?}/{:?}/{:?}/{:?}/{:?}",
            step.action, step.app, step.user, step.client_auth, step.tweak, step.capture
        );
    }
    key
}

/// Plays one planned scenario and judges it.
pub(super) async fn play_and_judge(shared: &Shared, planned: &Planned) -> Option<Judged> {
    play::scenario(shared, planned).await
}
