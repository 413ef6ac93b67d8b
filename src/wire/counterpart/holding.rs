//! What is held back: calls until others have come, answers until a renewal is over, and a program until it is dead.

use super::*;

/// How long calls are held while no other comes, and an answer while nothing shows that the renewal arrived.
const HELD_FOR: Duration = Duration::from_secs(3);
/// How long a renewal takes at least where calls are refused together, counted from the last that was begun. Nothing
/// tells when a program has read an answer; most have by then, and who renews for itself has begun to. One that is slower
/// shows less of its storm, and is not called wrong for it.
const RENEWAL_TAKES: Duration = Duration::from_millis(100);
/// The same for our own client, which needs no process to be woken.
const OWN_RENEWAL_TAKES: Duration = Duration::from_millis(20);
/// How far a clock that is told to goes on at a time, in milliseconds.
const STEP: u64 = 1000;
/// The same for the machine's clock.
const REAL_STEP: u64 = 50;
/// How long somebody may take to notice that the moment has come that they wait for, in real time.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take until a connection that was given up is seen to be gone, in real time.
const HUNG_UP_WITHIN: Duration = Duration::from_millis(500);

impl Counterpart {
    /// What is done to a call before the org sees it. Tells whether its answer has to wait for a renewal.
    pub(super) async fn hold(&self, endpoint: Endpoint) -> bool {
        if endpoint != self.behaviour.counted {
            return false;
        }
        let mut nth = 0;
        self.calls.send_modify(|calls| {
            *calls += 1;
            nth = *calls;
        });
        match self.behaviour.expire {
            Some(Expire::AfterCalls(calls)) if nth == calls + 1 => {
                self.expire();
                false
            }
            Some(Expire::Every(calls)) => {
                let let_in = self.let_in.load(Ordering::Relaxed);
                let due = let_in > 0 && let_in.is_multiple_of(calls.max(1));
                if due && self.expired_at.swap(let_in, Ordering::Relaxed) != let_in {
                    self.expired.store(false, Ordering::Relaxed);
                    self.expire();
                }
                false
            }
            Some(Expire::AtOnce { calls, late }) if nth <= calls => {
                if nth == calls {
                    self.expire();
                }
                self.gather(nth == calls).await;
                nth > calls - late.min(calls)
            }
            _ => {
                if let Some(calls) = self.behaviour.together.filter(|calls| nth <= *calls) {
                    self.gather(nth == calls).await;
                }
                false
            }
        }
    }

    /// Holds a call until the last of those that are held together has come.
    async fn gather(&self, is_last: bool) {
        if is_last {
            self.gate.send_replace(true);
            return;
        }
        let (mut open, mut come) = (self.gate.subscribe(), self.calls.subscribe());
        let all = open.wait_for(|open| *open);
        tokio::pin!(all);
        loop {
            tokio::select! {
                _ = &mut all => break,
                // No other came for so long: the program has no more of them in flight.
                () = tokio::time::sleep(HELD_FOR) => break,
                _ = come.changed() => {}
            }
        }
    }

    /// Lets a token request wait until all calls that are refused together have been.
    pub(super) async fn let_all_be_refused(&self, endpoint: Endpoint) {
        if endpoint != Endpoint::Token {
            return;
        }
        match self.behaviour.expire {
            Some(Expire::AtOnce { calls, late }) if self.has_expired() => {
                let mut refused = self.refused.subscribe();
                let all = refused.wait_for(|refused| *refused >= calls.saturating_sub(late));
                let _ = tokio::time::timeout(HELD_FOR, all).await;
            }
            None if self.behaviour.together.is_some() => {}
            _ => return,
        }
        // As long as others ask beside it.
        let own = matches!(self.clock, Clock::Own(_));
        let takes = if own { OWN_RENEWAL_TAKES } else { RENEWAL_TAKES };
        let mut asked = self.renewing.subscribe();
        self.renewing.send_modify(|asked| *asked += 1);
        let all = async { while tokio::time::timeout(takes, asked.changed()).await.is_ok() {} };
        let _ = tokio::time::timeout(HELD_FOR, all).await;
    }

    /// Waits until a call with the new token was let in, which shows that the renewal is over.
    pub(super) async fn until_renewed(&self) {
        let mut renewed = self.renewed.subscribe();
        let _ = tokio::time::timeout(HELD_FOR, renewed.wait_for(|renewed| *renewed)).await;
    }

    /// Lets so much time go by, in small steps, and tells how much of it did.
    pub(super) async fn let_go_by(&self, millis: u64, gone: &AtomicU64) {
        let own = matches!(self.clock, Clock::Own(_));
        let step = if own { STEP } else { REAL_STEP };
        for _ in 0..millis.div_ceil(step) {
            if own {
                self.go_on(step).await;
            } else {
                tokio::time::sleep(Duration::from_millis(step)).await;
            }
            gone.fetch_add(step, Ordering::Relaxed);
        }
    }

    /// Tells the clock to go on, and lets who waits for it find out before it goes on again: on a busy machine that takes a
    /// while, which is none of theirs.
    async fn go_on(&self, millis: u64) {
        let ended = self.clock.waits_ended();
        self.clock.advance(i64::try_from(millis).unwrap_or(0));
        let a_moment = || tokio::time::sleep(Duration::from_millis(1));
        a_moment().await;
        let noticed = async {
            while self.clock.is_overdue() {
                a_moment().await;
            }
        };
        let _ = tokio::time::timeout(NOTICED_WITHIN, noticed).await;
        // Who gave up hangs up, and this ends with the connection.
        if self.clock.waits_ended() != ended {
            tokio::time::sleep(HUNG_UP_WITHIN).await;
        }
    }

    /// At which moment of this request the program is killed, where it is.
    pub(super) fn kills(&self, endpoint: Endpoint) -> Option<Moment> {
        let Kill { at, nth } = self.kill?;
        let (Moment::Asked(meant) | Moment::Answered(meant)) = at;
        (meant == endpoint && self.towards.fetch_add(1, Ordering::Relaxed) + 1 == nth).then_some(at)
    }

    /// Has the program killed, and waits until it is gone: it must see nothing of what comes after.
    pub(super) async fn killed(
        &self,
        place: Option<usize>,
        kept: Kept,
        asked: transcript::Request,
        why: &str,
    ) -> Result<Response<Bytes>, ConnectionCut> {
        // First of all, for nobody goes on with this when the program's end of the connection is gone.
        if let Some(place) = place {
            self.keep(place, kept, asked, Answer::Nothing(Failure::Broken(why.to_owned())));
        }
        let mut gone = self.gone.subscribe();
        self.killed.send_replace(true);
        let _ = tokio::time::timeout(HELD_FOR, gone.wait_for(|gone| *gone)).await;
        Err(ConnectionCut)
    }
}
