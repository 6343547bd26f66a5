//! The rules of the script and the behaviours that they apply to requests.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Operation;
use super::echo::Echo;
use crate::validate::FieldError;

/// A kind of challenge or block, in the form that fits a page or a call (see [`crate::pages::challenge`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Challenge {
    /// The page covered by a captcha; HTML with status 200 where JSON was expected.
    CaptchaInPage,
    /// The bot check's 403: its JSON with an address, or its page.
    BotCheckOnCall,
    Cloudflare,
    /// A confirmation by a second factor; code 146.
    SecondFactor,
    /// A redirect to `/users/verification/phone`; code 168.
    AccountVerification,
    /// A redirect to the sign-in; 401.
    LoginLost,
    /// A redirect to `/session-refresh`, which never ends; 401.
    SessionRefresh,
    /// Too many requests; 429.
    RateLimit,
    /// The account is restricted; code 156.
    Restriction,
    /// The page "Something went wrong", also where JSON was expected.
    BrokenPage,
    /// A refusal without a known sign.
    UnknownBlock,
    /// Success with an empty answer. A write has no effect.
    EmptiedJson,
}

/// An answer that the script defines.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    pub status: u16,
    pub json: Value,
    /// The target of a redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// A step of the form after which an overlay appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Photos,
    Title,
    Description,
    Category,
    Brand,
    Size,
    Condition,
    Colors,
    Materials,
    Price,
    PackageSize,
    /// Before the request that a button would send. The request is then not sent.
    Submit,
}

/// An attribute that drivers use to find elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attribute {
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "data-testid")]
    TestId,
    /// Each class of an element is a separate value.
    #[serde(rename = "class")]
    Class,
    #[serde(rename = "name")]
    Name,
}

/// The change of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The attribute is removed.
    Drop,
    /// The attribute's value becomes `with`, or a new value.
    Rename,
    /// A clone without function, with the same attribute, is inserted before the element.
    Duplicate,
    /// The values `value` and `with` are exchanged.
    Swap,
}

/// A change of the form's markup that does not change the form's behaviour.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    pub attribute: Attribute,
    /// The whole value, or a prefix followed by `*`.
    pub value: String,
    pub how: How,
    /// The other value. If it ends in `*`, the text after the prefix is appended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
}

/// The behaviours that apply to a request; several can apply at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Do {
    /// The request is handled only after this delay, in milliseconds.
    pub latency_ms: u64,
    /// The request takes effect and is recorded, and the answer is sent only after this delay, in milliseconds.
    pub answer_late_ms: u64,
    /// The answer repeats the caller's access token; the request has no effect.
    pub echo_token: Option<Echo>,
    /// This answer is sent; the request has no effect.
    pub answer: Option<Scripted>,
    /// A page with a captcha in a frame, status 200; also where JSON was expected.
    pub captcha_page: bool,
    /// The bot check's 403: JSON with a captcha address on calls, a page with the captcha frame on navigation.
    pub status_403: bool,
    /// The answer is a challenge or block; the request has no effect.
    pub challenge: Option<Challenge>,
    /// A captcha covers the form right after this field was used.
    pub overlay_at: Option<Step>,
    /// Changes of the form's markup.
    pub mutate: Vec<Mutation>,
    /// `/items/new` redirects to the home page.
    pub redirect_home: bool,
    /// Redirects form a loop.
    pub redirect_loop: bool,
    /// Half of an answer is sent, then nothing until the client disconnects.
    pub never_finishes: bool,
    /// The page opens an alert box when it loads.
    pub alert_box: bool,
    /// The answer is a file to download instead of a page.
    pub download: bool,
    /// The connection closes without an answer; the request has no effect.
    pub reset: bool,
    /// Readings contain unknown fields, and nulls where the real site has them.
    pub odd_shapes: bool,
    /// Fields with these names are missing from the answer, at every depth.
    pub leave_out: Vec<String>,
    /// Times in inbox and conversations have milliseconds.
    pub millis: bool,
    /// The request takes effect and is recorded, and the answer has status 500.
    pub accept_then_500: bool,
    /// The request takes effect and is recorded, and the connection closes without an answer.
    pub accept_then_cut: bool,
    /// Lists and readings by id show the change only after this time, in milliseconds.
    pub delay_visible_ms: i64,
    /// Lists show the change only after this time, in milliseconds.
    pub list_late_ms: i64,
    /// No list ever shows the change.
    pub never_list: bool,
    /// The item is accepted, but hidden from others, as during a review.
    pub hide: bool,
    /// The write is accepted twice: two records, two ids. Readings of inbox and conversations contain every entry
    /// twice.
    pub twin: bool,
    /// Fields that the site changes when it accepts a write: `title`, `description`, `price` (a decimal number), and a
    /// reply's `body`.
    pub alter: Option<Map<String, Value>>,
    /// A reply's text is stored with other whitespace than it was sent with.
    pub alter_whitespace: bool,
    /// A published draft gets a new id.
    pub new_id_on_publish: bool,
    /// The request is refused with this error under this field.
    pub reject: Option<FieldError>,
    /// The form itself refuses to save or publish: it shows these errors under their fields and sends no request.
    pub refuse_in_form: Vec<FieldError>,
    /// The form shows these alerts under their fields from the start, and still accepts the values.
    pub warn_in_form: Vec<FieldError>,
    /// The form sends its saving request only after this delay, in milliseconds.
    pub send_late_ms: u64,
}

fn name_or_object<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Do, D::Error> {
    use serde::de::Error as _;
    let value = match Value::deserialize(deserializer)? {
        Value::String(name) => Value::Object(Map::from_iter([(name, Value::Bool(true))])),
        other => other,
    };
    serde_json::from_value(value).map_err(D::Error::custom)
}

/// One rule of the script.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub on: Operation,
    /// The member whose requests the rule applies to; absent means all.
    pub member: Option<u64>,
    /// The text that an item's title or a reply's text must contain, ignoring case; absent means any.
    pub title_contains: Option<String>,
    /// How often the rule applies; absent means always.
    pub times: Option<u64>,
    /// The number of matching requests that pass before the rule applies for the first time.
    #[serde(default)]
    pub after: u64,
    /// The name of a behaviour, or an object of behaviours with their values.
    #[serde(rename = "do", deserialize_with = "name_or_object")]
    pub action: Do,
    /// The number of matching requests so far.
    #[serde(default)]
    pub seen: u64,
    /// How often the rule has applied so far.
    #[serde(default)]
    pub struck: u64,
}

impl Rule {
    /// Returns whether the rule applies to this request, and counts the request.
    pub fn strikes(&mut self, operation: Operation, member: Option<u64>, titles: &[String]) -> bool {
        let fits = self.on.covers(operation)
            && self.member.is_none_or(|wanted| member == Some(wanted))
            && self.title_contains.as_ref().is_none_or(|part| {
                let part = part.to_lowercase();
                titles.iter().any(|title| title.to_lowercase().contains(&part))
            });
        if !fits {
            return false;
        }
        self.seen += 1;
        let strikes = self.seen > self.after && self.times.is_none_or(|times| self.struck < times);
        self.struck += u64::from(strikes);
        strikes
    }
}
