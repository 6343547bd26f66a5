//! What a rule can make befall a request, and the rule itself.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Operation;
use super::echo::Echo;
use crate::validate::FieldError;

/// A kind of challenge or block, in the form that fits a page or a call (see [`crate::pages::challenge`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Challenge {
    /// The page itself under a captcha; HTML with status 200 where JSON was expected.
    CaptchaInPage,
    /// The bot check's 403: its JSON with an address, or its page.
    BotCheckOnCall,
    Cloudflare,
    /// A confirmation in a second step; code 146.
    SecondFactor,
    /// `/users/verification/phone`; code 168.
    AccountVerification,
    /// To the sign-in; 401.
    LoginLost,
    /// To `/session-refresh`, which spins for ever; 401.
    SessionRefresh,
    /// 429.
    RateLimit,
    /// The account may not do this; code 156.
    Restriction,
    /// "Something went wrong", in a page, also where JSON was expected.
    BrokenPage,
    /// A refusal that shows no known sign.
    UnknownBlock,
    /// Success, with nothing in it. What would write has no effect.
    EmptiedJson,
}

/// An answer as the script spells it out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    pub status: u16,
    pub json: Value,
    /// Where it leads, for a redirect.
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
    /// Before the request that a button would send, which is then not sent.
    Submit,
}

/// An attribute by which pages are usually driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attribute {
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "data-testid")]
    TestId,
    /// Each of an element's classes counts by itself.
    #[serde(rename = "class")]
    Class,
    #[serde(rename = "name")]
    Name,
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is not there.
    Drop,
    /// It says `with`, or something new.
    Rename,
    /// A clone that does nothing stands before the element and carries it too.
    Duplicate,
    /// Elements with `value` have `with`, and the other way round.
    Swap,
}

/// A change of the form's markup that leaves what the form does as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    pub attribute: Attribute,
    /// The whole value; one that ends in `*` is a prefix.
    pub value: String,
    pub how: How,
    /// The other value; one that ends in `*` takes over what followed the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
}

/// What befalls a request; several may befall the same one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Do {
    /// The answer waits this long before anything else happens, in milliseconds.
    pub latency_ms: u64,
    /// The request takes effect, is recorded, and is answered only after this long, in milliseconds.
    pub answer_late_ms: u64,
    /// The answer repeats the caller's access token; the request has no effect.
    pub echo_token: Option<Echo>,
    /// This is the answer; the request has no effect.
    pub answer: Option<Scripted>,
    /// A page with a captcha in a frame, status 200; also where JSON was expected.
    pub captcha_page: bool,
    /// The bot check's 403: JSON with a captcha address on calls, a page with its frame on navigation.
    pub status_403: bool,
    /// A challenge or block is the answer; the request has no effect.
    pub challenge: Option<Challenge>,
    /// A captcha appears over the form right after this field was touched.
    pub overlay_at: Option<Step>,
    /// The form's markup is another.
    pub mutate: Vec<Mutation>,
    /// `/items/new` sends the visitor home.
    pub redirect_home: bool,
    /// Redirects that lead to one another.
    pub redirect_loop: bool,
    /// Half an answer, then nothing until the client leaves.
    pub never_finishes: bool,
    /// The page opens an alert box as it loads.
    pub alert_box: bool,
    /// A file to download instead of a page.
    pub download: bool,
    /// The connection closes without an answer, and without effect.
    pub reset: bool,
    /// Readings carry fields that nobody knows, and nulls where the real site has them.
    pub odd_shapes: bool,
    /// Fields of these names are missing in the answer, however deep they are.
    pub leave_out: Vec<String>,
    /// Times in inbox and conversations have milliseconds.
    pub millis: bool,
    /// The request takes effect, is recorded, and is answered with status 500.
    pub accept_then_500: bool,
    /// The request takes effect, is recorded, and the connection closes without an answer.
    pub accept_then_cut: bool,
    /// Neither lists nor readings by id show the change for this long, in milliseconds.
    pub delay_visible_ms: i64,
    /// Lists do not show the change for this long, in milliseconds.
    pub list_late_ms: i64,
    /// No list ever shows it.
    pub never_list: bool,
    /// It is accepted, but hidden from others, as while under review.
    pub hide: bool,
    /// It is accepted twice: two records, two ids. Inbox and conversations that are read have every entry twice.
    pub twin: bool,
    /// Fields that the site changes in what it accepts: `title`, `description`, `price` (a decimal number), and a
    /// reply's `body`.
    pub alter: Option<Map<String, Value>>,
    /// A reply's text is kept with other whitespace than it was sent with.
    pub alter_whitespace: bool,
    /// A published draft gets a new id.
    pub new_id_on_publish: bool,
    /// It is refused with this error under this field.
    pub reject: Option<FieldError>,
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
    /// Only requests of this member.
    pub member: Option<u64>,
    /// Only requests about an item whose title, or replies whose text, contains this, case ignored.
    pub title_contains: Option<String>,
    /// How often it strikes; absent means always.
    pub times: Option<u64>,
    /// How many fitting requests pass before it strikes for the first time.
    #[serde(default)]
    pub after: u64,
    /// A behaviour's name alone, or an object of behaviours with their values.
    #[serde(rename = "do", deserialize_with = "name_or_object")]
    pub action: Do,
    /// How many requests have fitted so far.
    #[serde(default)]
    pub seen: u64,
    /// How often it has struck so far.
    #[serde(default)]
    pub struck: u64,
}

impl Rule {
    /// Whether it strikes this request, which it counts.
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
