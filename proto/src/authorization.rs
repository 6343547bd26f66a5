//! The authorization of every method, as in the options `scope` and `role` of `vintedbot/v1/authorization.proto`.

use crate::v1::Role;

/// A method, and what its callers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// The path of its calls, such as `/vintedbot.v1.AuthService/GetMe`.
    pub path: &'static str,
    /// The option `scope`: scopes of an API token, or one of the words that it describes.
    pub scopes: &'static [&'static str],
    /// The option `role`. Unspecified for a public method.
    pub role: Role,
}

/// Every method of the package, sorted by path.
pub static METHODS: &[Method] = include!("gen/authorization.rs");
