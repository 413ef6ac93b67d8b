//! A call-out: what a Named Credential of Salesforce does to call a resource, from the token on.

use super::{Actor, Done, World};
use crate::client::wrong::Wrongs;
use crate::client::{Action, Call, CallOut, Missing, Tweak, named_credential};
use crate::oauth::Endpoint;
use crate::subject::Protocol;
use crate::subject::named_credential::STORED_TOKEN;
use crate::suite::Step;

impl World<'_> {
    /// Gets a token where none is known, calls, and where the answer asks for it gets another token and calls once more.
    pub(super) async fn call_out(
        &mut self,
        number: usize,
        step: &Step,
        actor: &Actor,
        out: &CallOut,
    ) -> Done {
        let signs_each = out.credential.protocol == Protocol::Jwt;
        let mut stored = out.call.token.clone();
        let mut known = stored.is_some() || self.session.access_token.is_some() && !signs_each;
        let mut renewed = false;
        loop {
            if !known {
                match self.callout_token(number, step, actor, out).await {
                    Ok(()) => {}
                    Err(done) => return done,
                }
            }
            let mut said = step.clone();
            if stored.is_some() {
                said.tweak.words.push(STORED_TOKEN.to_owned());
            }
            let call = Action::Call(Call { token: stored.take(), ..out.call.clone() });
            let mut tweak = self.callout_tweak(out, &call);
            tweak.edits.extend(step.tweak.edits.iter().cloned());
            let tweak = Tweak { edits: tweak.edits, ..step.tweak.clone() };
            let at = match self.asked(number, &said, actor, call, tweak).await {
                Ok(at) => at,
                Err(done) => return done,
            };
            if renewed || !out.credential.renews_on(self.exchanges[at].status()) {
                return Done::Exchange(at);
            }
            (renewed, known) = (true, false);
        }
    }

    /// Gets a token. An error is where the step ends without one.
    async fn callout_token(
        &mut self,
        number: usize,
        step: &Step,
        actor: &Actor,
        out: &CallOut,
    ) -> Result<(), Done> {
        let missing = || Missing::Value("code".to_owned());
        let Some(action) = named_credential::action(&out.credential, &self.session) else {
            return Err(Done::Missing(missing().to_string()));
        };
        let tweak = self.callout_tweak(out, &action);
        if out.credential.protocol == Protocol::Jwt {
            // The assertion is the token, and goes nowhere else.
            let asks = Step { action, tweak, ..step.clone() };
            self.build(actor, &asks).map_err(|why| Done::Missing(why.to_string()))?;
            self.session.access_token = self.session.assertion.clone();
            return Ok(());
        }
        let auth = named_credential::client_auth(&out.credential, actor.auth, Wrongs::default());
        let actor = Actor { app: actor.app.clone(), user: actor.user.clone(), auth };
        let at = self.asked(number, step, &actor, action, tweak).await?;
        if self.exchanges[at].granted() { Ok(()) } else { Err(Done::Exchange(at)) }
    }

    fn callout_tweak(&self, out: &CallOut, action: &Action) -> Tweak {
        let now = self.clock.now();
        named_credential::tweak(&out.credential, action, out.kid.as_deref(), now, Wrongs::default())
    }

    /// One request of the step. An error is where it cannot be made.
    async fn asked(
        &mut self,
        number: usize,
        step: &Step,
        actor: &Actor,
        action: Action,
        tweak: Tweak,
    ) -> Result<usize, Done> {
        let endpoint = action.endpoint().unwrap_or(Endpoint::Resource);
        let asks = Step { action, tweak, client_auth: None, ..step.clone() };
        let outgoing = self.build(actor, &asks).map_err(|why| Done::Missing(why.to_string()))?;
        self.pace(&asks).await.map_err(Done::Missing)?;
        let timed = self.transport.send(&outgoing).await;
        Ok(self.record(number, step, actor, endpoint, &outgoing, timed, None))
    }
}
