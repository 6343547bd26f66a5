//! The one place where the SDK asks for randomness.

use rand::distr::{Distribution, StandardUniform};

/// A new random UUID (version 4), as text.
pub fn uuid() -> String {
    uuid::Builder::from_random_bytes(random()).into_uuid().to_string()
}

/// A random number from 0 (included) to 1 (excluded).
pub fn fraction() -> f64 {
    random()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client on somebody else's machine has nobody who could pass randomness in"
)]
fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    rand::random()
}
