//! Ids and random bytes. They are passed in, so that a simulation can be replayed from its seed.

use std::fmt::Debug;

use uuid::Uuid;

/// A source of ids and secrets.
pub trait Ids: Send + Sync + Debug + 'static {
    /// Returns a new id: a UUID as text, sortable by creation time.
    fn id(&self) -> String;

    /// Returns 32 unpredictable bytes.
    fn secret(&self) -> [u8; 32];
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only implementation of Ids that uses the system's randomness"
    )]
    fn id(&self) -> String {
        Uuid::now_v7().to_string()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the only implementation of Ids that uses the system's randomness"
    )]
    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}
