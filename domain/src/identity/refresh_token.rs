//! Refresh tokens: the signed id of a session and the number of its refreshes (its generation).
//!
//! A token is derived from the session's row and the instance's key, so that no secret is stored, and the same
//! generation always has the same token.

use zeroize::Zeroizing;

use crate::keys::{Keys, Purpose};

/// The prefix of every refresh token, by which people and scanners recognise a leaked one.
const PREFIX: &str = "vbr_";
/// The maximum length of a token, in bytes. Ours have about 120.
const LENGTH_MAX: usize = 512;

/// Returns the token of a session's generation.
pub(super) fn issue(keys: &Keys, session_id: &str, generation: i64) -> Zeroizing<String> {
    let signed = keys.sign(Purpose::RefreshToken, &format!("{session_id} {generation}"));
    Zeroizing::new(format!("{PREFIX}{signed}"))
}

/// Returns the session and the generation of a token that this instance issued, else `None`.
pub(super) fn verify(keys: &Keys, token: &str) -> Option<(String, i64)> {
    if token.len() > LENGTH_MAX {
        return None;
    }
    let payload = keys.verify(Purpose::RefreshToken, token.strip_prefix(PREFIX)?)?;
    let (session_id, generation) = payload.split_once(' ')?;
    Some((session_id.to_owned(), generation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_names_its_session_and_generation() {
        let keys = Keys::new([7; 32]);
        let token = issue(&keys, "a-session", 3);
        assert_eq!(verify(&keys, &token), Some(("a-session".to_owned(), 3)));
        assert_eq!(issue(&keys, "a-session", 3), token);
        assert_eq!(verify(&Keys::new([8; 32]), &token), None);
        for wrong in [
            "",
            "vbr_",
            &token[4..],
            &token[..token.len() - 2],
            &"x".repeat(1_000_000),
        ] {
            assert_eq!(verify(&keys, wrong), None);
        }
    }
}
