//! The expected outcome of each challenge.

use vintedbot_marketplace::challenge::Kind;

use super::cases::ChallengePoint;

/// Returns the verdicts that correctly name the challenge at this point. Some challenges are visible in two places: in
/// the answer to a call, and in the page's reaction to it. Either may be detected first. `None` accepts any stop.
pub fn verdicts(kind: &str, place: ChallengePoint) -> Option<Vec<Kind>> {
    let is_call = matches!(place, ChallengePoint::Call(_));
    let captcha = [Kind::CaptchaInPage, Kind::CaptchaOnCall];
    Some(match kind {
        "captcha_in_page" | "bot_check_on_call" if is_call => captcha.to_vec(),
        "captcha_in_page" => vec![Kind::CaptchaInPage],
        "bot_check_on_call" => captcha.to_vec(),
        // The form treats any page in place of an answer as a bot check, and shows it.
        "cloudflare" if is_call => vec![Kind::Cloudflare, Kind::CaptchaInPage],
        "cloudflare" => vec![Kind::Cloudflare],
        "second_factor" => vec![Kind::SecondFactor],
        "account_verification" => vec![Kind::AccountVerification],
        "login_lost" => vec![Kind::LoginLost],
        "session_refresh" if is_call => vec![Kind::LoginLost, Kind::SessionRefreshLoop],
        "session_refresh" => vec![Kind::SessionRefreshLoop],
        "rate_limit" => vec![Kind::RateLimited],
        // Only the code of a call is known. The page's text is not known, and a missing form stops the run.
        "restriction" if is_call => vec![Kind::Restricted],
        // For this call of vintedbot itself, the page is a server error like any other.
        "broken_page" if place == ChallengePoint::Call("item") => return None,
        "broken_page" if is_call => vec![Kind::BrokenPage, Kind::CaptchaInPage, Kind::UnknownBlock],
        "broken_page" => vec![Kind::BrokenPage],
        "unknown_block" => vec![Kind::UnknownBlock],
        _ => return None,
    })
}
