//! The source of randomness of the SDK.

use rand::distr::{Distribution, StandardUniform};

/// Returns a new random UUID (version 4), as text.
pub fn uuid() -> String {
    uuid::Builder::from_random_bytes(random()).into_uuid().to_string()
}

/// Returns a random number in the range 0 (inclusive) to 1 (exclusive).
pub fn fraction() -> f64 {
    random()
}

#[expect(
    clippy::disallowed_methods,
    reason = "an SDK runs in the caller's program, which does not pass randomness in"
)]
fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    rand::random()
}
