//! The app that plays: it builds the next request out of what it knows, absorbs the answer, and can be
//! wrong in every way that a tweak asks for. It sends nothing itself.

mod action;
pub mod answer;
mod assertion;
pub mod id_token;
mod jar;
pub mod login;
pub mod named_credential;
pub mod page;
pub mod renewal;
mod request;
mod session;
pub mod spoil;
mod template;
mod tweak;
pub mod wrong;

pub use action::{Action, Authorize, Call, CallOut, TokenUse};
pub use jar::Jar;
pub use request::{Asked, Context, Dice, Missing, Outgoing, Remember, build};
pub use session::Session;
pub use template::{Template, Unknown};
pub use tweak::{BodyForm, Edit, Encoding, Place, SecretForm, SignatureForm, Tweak, TweakValue};
