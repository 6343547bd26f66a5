//! The state of the site and its persistence.
//!
//! The state is one value behind one lock. After each change, all of it is written to a temporary file, which then
//! replaces the state file. Photo bytes are separate files. Records are appended to their file, one line each.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::appearance::Appearance;
use crate::inbox::Conversation;
use crate::items::Item;
use crate::ontology::Locale;
use crate::script::Rule;
use crate::{Config, Error, clock};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    pub id: u64,
    /// The number in the access token, which is not the member's id.
    pub account_id: u64,
    pub login: String,
    pub language: Locale,
    /// The appearance of this member's pages. Absent means the appearance in the settings.
    #[serde(default)]
    pub pages: Option<Appearance>,
    #[serde(default)]
    pub photo_id: Option<u64>,
    /// Whether the site itself writes under this name.
    #[serde(default)]
    pub is_system: bool,
}

/// The member and the expiry of an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub member_id: u64,
    /// UTC milliseconds.
    pub expire_time: i64,
    /// The id that all tokens of one sign-in share.
    #[serde(default)]
    pub family: u64,
}

/// A refresh token, used or unused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshToken {
    pub member_id: u64,
    pub family: u64,
    /// The access token of the same pair.
    pub access: String,
    /// UTC milliseconds.
    pub expire_time: i64,
    /// The time of the first exchange, in UTC milliseconds.
    pub use_time: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Photo {
    pub id: u64,
    pub member_id: u64,
    pub temp_uuid: String,
    pub sha256: String,
    pub content_type: String,
    pub width: u32,
    pub height: u32,
    #[serde(skip)]
    pub bytes: Bytes,
}

/// The settings that can be changed while the site runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The time until wardrobe and member page show a change, in milliseconds.
    pub default_visible_delay_ms: i64,
    /// The lifetime of a new access token in seconds; about two hours on the real site (as seen 2026, confidence A).
    pub access_token_ttl_s: i64,
    /// How long a refresh token stays valid after its first use, in milliseconds.
    #[serde(default)]
    pub refresh_grace_ms: i64,
    /// Whether a refresh ends the previous access token.
    #[serde(default)]
    pub revoke_access_on_refresh: bool,
    /// The appearance of the pages for guests and for members without their own setting.
    #[serde(default)]
    pub pages: Appearance,
}

impl Settings {
    fn with_delay(default_visible_delay_ms: i64) -> Self {
        Self {
            default_visible_delay_ms,
            access_token_ttl_s: 7_200,
            refresh_grace_ms: 0,
            revoke_access_on_refresh: true,
            pages: Appearance::default(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    pub members: BTreeMap<u64, Member>,
    /// By access token.
    pub sessions: HashMap<String, Session>,
    /// The refresh tokens. Used tokens are kept, so that a second use is detected.
    #[serde(default, rename = "refreshes")]
    pub refresh_tokens: HashMap<String, RefreshToken>,
    /// Token families that have ended.
    #[serde(default)]
    pub ended_families: BTreeSet<u64>,
    /// The client that received a bot check's cookie, by the cookie's value.
    #[serde(default)]
    pub bot_cookies: HashMap<String, String>,
    pub items: BTreeMap<u64, Item>,
    pub photos: BTreeMap<u64, Photo>,
    #[serde(default)]
    pub conversations: BTreeMap<u64, Conversation>,
    pub settings: Settings,
    next_id: u64,
    /// The value and client of each copied bot check cookie, so that each is recorded once.
    #[serde(skip)]
    pub foreign_bot_cookies: HashSet<(String, String)>,
    /// The time until which the repetition of an unanswered request is not answered either, by request. UTC
    /// milliseconds.
    #[serde(skip)]
    pub unanswered: HashMap<String, i64>,
    #[serde(skip)]
    pub rules: Vec<Rule>,
    #[serde(skip)]
    pub records: Vec<Arc<Value>>,
    #[serde(skip)]
    last_seq: u64,
    #[serde(skip)]
    files: Files,
}

#[derive(Debug, Default)]
struct Files {
    records: Option<File>,
    state: Option<PathBuf>,
}

impl State {
    fn empty(settings: Settings) -> Self {
        Self {
            members: BTreeMap::new(),
            sessions: HashMap::new(),
            refresh_tokens: HashMap::new(),
            ended_families: BTreeSet::new(),
            bot_cookies: HashMap::new(),
            items: BTreeMap::new(),
            photos: BTreeMap::new(),
            conversations: BTreeMap::new(),
            settings,
            next_id: 3_000,
            foreign_bot_cookies: HashSet::new(),
            unanswered: HashMap::new(),
            rules: Vec::new(),
            records: Vec::new(),
            last_seq: 0,
            files: Files::default(),
        }
    }

    /// Reads the state of an earlier run, or starts with an empty state.
    pub fn open(config: Config) -> Result<Self, Error> {
        let settings = Settings::with_delay(config.visible_delay_ms);
        let mut state = match &config.state {
            Some(path) if path.exists() => {
                let mut state: Self = parse(path, &read(path)?)?;
                for photo in state.photos.values_mut() {
                    photo.bytes = read(&photo_path(path, photo.id))?.into();
                }
                state.settings = settings;
                state
            }
            _ => Self::empty(settings),
        };
        if let Some(path) = &config.records {
            let file = |source| Error::File {
                path: path.clone(),
                source,
            };
            if path.exists() {
                for line in read(path)?
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                {
                    state.records.push(Arc::new(parse(path, line)?));
                }
            }
            state.last_seq = state
                .records
                .last()
                .and_then(|last| last["seq"].as_u64())
                .unwrap_or(0);
            state.files.records = Some(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .map_err(file)?,
            );
        }
        if let Some(path) = config.state {
            let folder = photo_folder(&path);
            fs::create_dir_all(&folder).map_err(|source| Error::File { path: folder, source })?;
            state.files.state = Some(path);
        }
        Ok(state)
    }

    /// Clears everything except the records' file and numbering.
    pub fn reset(&mut self) {
        let files = std::mem::take(&mut self.files);
        let last_seq = self.last_seq;
        *self = Self::empty(self.settings.clone());
        self.files = files;
        self.last_seq = last_seq;
        self.save();
    }

    /// Returns an unused id.
    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Returns the appearance of the pages for `member`, or for a guest.
    pub fn pages_of(&self, member: Option<&Member>) -> Appearance {
        let own = member.and_then(|member| member.pages.clone());
        own.unwrap_or_else(|| self.settings.pages.clone())
    }

    pub fn member_by_login(&self, login: &str) -> Option<&Member> {
        self.members.values().find(|member| member.login == login)
    }

    /// Records an accepted write. The record is written before the answer is sent.
    pub fn record(&mut self, kind: &str, member_id: u64, fields: Value) {
        self.last_seq += 1;
        let login = self
            .members
            .get(&member_id)
            .map_or("", |member| member.login.as_str());
        let mut record = Map::new();
        record.insert("seq".into(), self.last_seq.into());
        record.insert("time".into(), clock::now_ms().into());
        record.insert("kind".into(), kind.into());
        record.insert("member_id".into(), member_id.into());
        record.insert("member_login".into(), login.into());
        if let Value::Object(fields) = fields {
            record.extend(fields);
        }
        let record = Value::Object(record);
        if let Some(file) = &mut self.files.records
            && let Err(error) = file.write_all(format!("{record}\n").as_bytes())
        {
            tracing::error!(%error, "cannot write a record");
        }
        self.records.push(Arc::new(record));
    }

    /// Stores a photo and its bytes.
    pub fn store_photo(&mut self, photo: Photo) -> io::Result<()> {
        if let Some(path) = &self.files.state {
            fs::write(photo_path(path, photo.id), &photo.bytes)?;
        }
        self.photos.insert(photo.id, photo);
        Ok(())
    }

    /// Writes the state file, if one is configured.
    pub fn save(&self) {
        let Some(path) = &self.files.state else { return };
        let beside = path.with_extension("tmp");
        let written = serde_json::to_vec(self)
            .map_err(io::Error::other)
            .and_then(|json| fs::write(&beside, json))
            .and_then(|()| fs::rename(&beside, path));
        if let Err(error) = written {
            tracing::error!(%error, path = %path.display(), "cannot write the state file");
        }
    }
}

/// Returns the fields of a photo's record, without the photo's metadata.
pub fn photo_record(photo: &Photo) -> Value {
    json!({
        "photo_id": photo.id,
        "sha256": photo.sha256,
        "bytes": photo.bytes.len(),
        "content_type": photo.content_type,
        "width": photo.width,
        "height": photo.height,
    })
}

fn photo_folder(state: &Path) -> PathBuf {
    state.with_extension("photos")
}

fn photo_path(state: &Path, id: u64) -> PathBuf {
    photo_folder(state).join(id.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path, json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|source| Error::Parse {
        path: path.to_owned(),
        source,
    })
}
