//! stub
pub mod fault;
use crate::subject::Target;
use bytes::Bytes;
/// x
pub struct Org;
/// x
pub enum Begun {
    /// x
    Reply(Reply),
    /// x
    Pending(Pending),
}
/// x
pub struct Pending;
/// x
pub struct Reply {
    /// x
    pub response: http::Response<Bytes>,
    /// x
    pub delay_ms: u64,
    /// x
    pub cut_after: Option<usize>,
}
impl Org {
    /// x
    pub fn new(_t: &Target, _f: &[&'static fault::Fault], _s: [u8; 32]) -> Org {
        Org
    }
    /// x
    pub fn begin(&self, _r: &http::Request<Bytes>, _now: i64) -> Begun {
        todo!()
    }
    /// x
    pub fn commit(&self, _p: Pending, _now: i64) -> Reply {
        todo!()
    }
    /// x
    pub fn handle(&self, _r: &http::Request<Bytes>, _now: i64) -> Reply {
        todo!()
    }
}
