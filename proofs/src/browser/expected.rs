//! What has to come of a challenge.

use vintedbot_marketplace::challenge::Kind;

use super::cases::Place;

/// The verdicts that say rightly what struck there. Some challenges show themselves in two ways, and either may be seen
/// first: in the answer to a call, and in what the page makes of it. None: nothing but a stop is asked for.
pub fn verdicts(kind: &str, place: Place) -> Option<Vec<Kind>> {
    let is_call = matches!(place, Place::Call(_));
    let captcha = [Kind::CaptchaInPage, Kind::CaptchaOnCall];
    Some(match kind {
        "captcha_in_page" | "bot_check_on_call" if is_call => captcha.to_vec(),
        "captcha_in_page" => vec![Kind::CaptchaInPage],
        "bot_check_on_call" => captcha.to_vec(),
        // The form takes any page in the place of an answer for a bot check, and shows one.
        "cloudflare" if is_call => vec![Kind::Cloudflare, Kind::CaptchaInPage],
        "cloudflare" => vec![Kind::Cloudflare],
        "second_factor" => vec![Kind::SecondFactor],
        "account_verification" => vec![Kind::AccountVerification],
        "login_lost" => vec![Kind::LoginLost],
        "session_refresh" if is_call => vec![Kind::LoginLost, Kind::SessionRefreshLoop],
        "session_refresh" => vec![Kind::SessionRefreshLoop],
        "rate_limit" => vec![Kind::RateLimited],
        // Only the code of a call is recorded; what a page says of it nobody knows, and a form that is missing stops.
        "restriction" if is_call => vec![Kind::Restricted],
        // An error of the site's server like any other, where we ask ourselves.
        "broken_page" if place == Place::Call("item") => return None,
        "broken_page" if is_call => vec![Kind::BrokenPage, Kind::CaptchaInPage, Kind::UnknownBlock],
        "broken_page" => vec![Kind::BrokenPage],
        "unknown_block" => vec![Kind::UnknownBlock],
        _ => return None,
    })
}
