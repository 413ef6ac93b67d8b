/// x
#[derive(Debug)]
pub struct Fault {
    /// x
    pub name: &'static str,
    /// x
    pub doc: &'static str,
    /// x
    pub origins: &'static [&'static str],
}
/// x
pub fn all() -> &'static [Fault] {
    &[]
}
/// x
pub fn find(n: &str) -> Option<&'static Fault> {
    all().iter().find(|f| f.name == n)
}
