//! Ids and random bytes, passed in, so that a simulation replays from its seed.

use std::fmt::Debug;

use uuid::Uuid;

/// Where ids and secrets come from.
pub trait Ids: Send + Sync + Debug + 'static {
    /// A new id: a UUID as text, sortable by the time of its making.
    fn id(&self) -> String;

    /// 32 unpredictable bytes.
    fn secret(&self) -> [u8; 32];
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one implementation that the rule points to"
    )]
    fn id(&self) -> String {
        Uuid::now_v7().to_string()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one implementation that the rule points to"
    )]
    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}
