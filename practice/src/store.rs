//! What the site remembers, and how that survives a restart.
//!
//! One value behind one lock. After each change the whole of it is written beside the state file and moved into
//! place; photo bytes are files of their own. Records are appended to their file one line at a time.

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
    /// Absent means as the settings say.
    #[serde(default)]
    pub pages: Option<Appearance>,
    #[serde(default)]
    pub photo_id: Option<u64>,
    /// Whether it is the site itself that writes under this name.
    #[serde(default)]
    pub is_system: bool,
}

/// Whom an access token signs in, and for how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub member_id: u64,
    /// UTC milliseconds.
    pub expire_time: i64,
    /// What all tokens share that go back to one signing in.
    #[serde(default)]
    pub family: u64,
}

/// What a refresh token is good for, or was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefreshToken {
    pub member_id: u64,
    pub family: u64,
    /// The access token that came with it.
    pub access: String,
    /// UTC milliseconds.
    pub expire_time: i64,
    /// When it was exchanged for the first time. UTC milliseconds.
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

/// What can be set while the site runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How long a change of what is listed takes to show in wardrobe and member page, in milliseconds.
    pub default_visible_delay_ms: i64,
    /// How long a new access token lives, in seconds; about two hours on the real site (as seen 2026, confidence A).
    pub access_token_ttl_s: i64,
    /// How long a refresh token still passes after its first use, in milliseconds.
    #[serde(default)]
    pub refresh_grace_ms: i64,
    /// Whether a refresh ends the access token of before.
    #[serde(default)]
    pub revoke_access_on_refresh: bool,
    /// How the pages look to members who have no wish of their own, and to guests.
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
    /// By refresh token; used ones stay, so that their second use is known for what it is.
    #[serde(default, rename = "refreshes")]
    pub refresh_tokens: HashMap<String, RefreshToken>,
    /// Families of tokens that have ended.
    #[serde(default)]
    pub ended_families: BTreeSet<u64>,
    /// Which client was given a bot check's cookie, by the cookie's value.
    #[serde(default)]
    pub bot_cookies: HashMap<String, String>,
    pub items: BTreeMap<u64, Item>,
    pub photos: BTreeMap<u64, Photo>,
    #[serde(default)]
    pub conversations: BTreeMap<u64, Conversation>,
    pub settings: Settings,
    next_id: u64,
    /// Value and client of those that came without having been given, so that each is recorded once.
    #[serde(skip)]
    pub foreign_bot_cookies: HashSet<(String, String)>,
    /// Until when a request that was not answered is not answered again, by what it is. UTC milliseconds.
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

    /// Reads what an earlier run left, or begins empty.
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

    /// Forgets everything but the records' file and their numbering.
    pub fn reset(&mut self) {
        let files = std::mem::take(&mut self.files);
        let last_seq = self.last_seq;
        *self = Self::empty(self.settings.clone());
        self.files = files;
        self.last_seq = last_seq;
        self.save();
    }

    /// An id that nothing else has.
    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// How the pages look to `member`, or to a guest.
    pub fn pages_of(&self, member: Option<&Member>) -> Appearance {
        let own = member.and_then(|member| member.pages.clone());
        own.unwrap_or_else(|| self.settings.pages.clone())
    }

    pub fn member_by_login(&self, login: &str) -> Option<&Member> {
        self.members.values().find(|member| member.login == login)
    }

    /// Notes that something was accepted, before the answer leaves.
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
            tracing::error!(%error, "a record could not be written");
        }
        self.records.push(Arc::new(record));
    }

    /// Keeps a photo and its bytes.
    pub fn keep_photo(&mut self, photo: Photo) -> io::Result<()> {
        if let Some(path) = &self.files.state {
            fs::write(photo_path(path, photo.id), &photo.bytes)?;
        }
        self.photos.insert(photo.id, photo);
        Ok(())
    }

    /// Writes the state file, where there is one.
    pub fn save(&self) {
        let Some(path) = &self.files.state else { return };
        let beside = path.with_extension("tmp");
        let written = serde_json::to_vec(self)
            .map_err(io::Error::other)
            .and_then(|json| fs::write(&beside, json))
            .and_then(|()| fs::rename(&beside, path));
        if let Err(error) = written {
            tracing::error!(%error, path = %path.display(), "the state file could not be written");
        }
    }
}

/// What a photo's record says, but for the metadata found in it.
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
