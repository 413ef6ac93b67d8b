//! A counterexample made small: what is smaller and goes wrong in the same way takes its place, until nothing does.

use super::game::{Error, Game, Kind, Played};

/// The most rounds over a counterexample; each leaves it smaller.
const ROUNDS: usize = 40;
/// How many are played beside each other.
const BATCH: usize = 16;

/// A counterexample that cannot be made smaller.
pub(super) struct Small<C> {
    /// What is done.
    pub case: C,
    /// What came of it.
    pub played: Played,
    /// How many were played for it.
    pub plays: usize,
}

/// Makes a counterexample small, as long as it goes wrong in the same way.
///
/// # Errors
/// The world got in the way.
pub(super) async fn shrink<G: Game>(
    game: &G,
    case: &G::Case,
    played: Played,
    kind: &Kind,
) -> Result<Small<G::Case>, Error> {
    let mut small = Small { case: case.clone(), played, plays: 0 };
    for _ in 0..ROUNDS {
        let smaller = game.smaller(&small.case, small.played.way(kind));
        if !small.first_of(game, &smaller, kind).await? {
            break;
        }
    }
    for at in 0..game.delays(&small.case).len() {
        small.shorten(game, at, kind).await?;
    }
    Ok(small)
}

impl<C: Clone> Small<C> {
    /// Takes the first of these that goes wrong in the same way; false where none does.
    async fn first_of<G: Game<Case = C>>(
        &mut self,
        game: &G,
        smaller: &[C],
        kind: &Kind,
    ) -> Result<bool, Error> {
        for some in smaller.chunks(BATCH) {
            // It stays as large as it is.
            if *game.player().stop.borrow() {
                return Ok(false);
            }
            let played = game.play(some).await?;
            self.plays += some.len();
            let found = some.iter().zip(played).find(|(_, played)| played.way(kind).is_some());
            if let Some((case, played)) = found {
                (self.case, self.played) = (case.clone(), played);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Finds the smallest delay at that place, to the second.
    async fn shorten<G: Game<Case = C>>(&mut self, game: &G, at: usize, kind: &Kind) -> Result<(), Error> {
        let mut long = game.delays(&self.case)[at];
        let mut short = 0;
        while long - short > 1 {
            let middle = short + (long - short) / 2;
            let shorter = game.with_delay(&self.case, at, middle);
            if self.first_of(game, &[shorter], kind).await? {
                long = middle;
            } else {
                short = middle;
            }
        }
        Ok(())
    }
}
