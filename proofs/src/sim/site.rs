//! A site that misbehaves: it answers late, wrongly or not at all, shows accepted writes late, and may accept a write
//! after its sender has died.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_marketplace::challenge::{Kind, Verdict};
use vintedbot_marketplace::{Error, Evidence, ItemContent, RemoteItem};

use super::clock::SimClock;

/// The site's reaction to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Accepts, and answers with the item's id.
    Plain,
    /// Accepts, and answers without an id.
    WithoutId,
    /// Accepts, and the answer is lost.
    AcceptAndLose,
    /// The request is lost; the client cannot know.
    LoseRequest,
    /// Refuses explicitly.
    Refuse,
    /// Accepts, and answers the click with a challenge.
    AcceptAndChallenge,
}

/// The script of one run.
#[derive(Clone, Debug)]
pub struct Script {
    /// The reactions to the first writes, in order; later ones are plain.
    pub answers: Vec<Answer>,
    /// The delay until an accepted item is visible; shorter than the settling window.
    pub shows_after: Millis,
    /// The longest duration of a request, up to the request timeout.
    pub latency: Millis,
    /// Whether published items are never shown, so that the evidence is withheld.
    pub withholds: bool,
    /// Whether a published draft gets another id.
    pub new_id: bool,
    pub hides: bool,
    /// How often the page of the form shows a challenge.
    pub challenges: u32,
}

/// An item on the site.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub id: String,
    content: ItemContent,
    /// When it becomes visible as a draft, and as published.
    pub drafted: Millis,
    published: Option<Millis>,
    /// The id of the former draft.
    pub was: String,
}

/// The effect of a request when it arrives.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    Draft { at: Millis, content: Box<ItemContent> },
    Publish { at: Millis, id: String },
}

pub(super) struct State {
    pub script: Script,
    pub items: Vec<Item>,
    pub pending: Vec<Pending>,
    writes: usize,
    next_id: u64,
    challenges: u32,
    publications: u32,
}

/// The site, shared by every process of a run.
#[derive(Clone)]
pub struct Site {
    state: Arc<Mutex<State>>,
    pub(super) clock: Arc<SimClock>,
}

impl Site {
    pub fn new(script: Script, clock: Arc<SimClock>) -> Self {
        let challenges = script.challenges;
        let state = State {
            script,
            items: Vec::new(),
            pending: Vec::new(),
            writes: 0,
            next_id: 100,
            challenges,
            publications: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            clock,
        }
    }

    /// Returns how many publications the workers' clicks made; the independent witness.
    pub fn publications(&self) -> u32 {
        self.state().publications
    }

    /// Returns the id of the published item, whether it is visible or not.
    pub fn published_id(&self) -> Option<String> {
        self.state()
            .items
            .iter()
            .find(|item| item.published.is_some())
            .map(|item| item.id.clone())
    }

    /// Returns when the next request arrives, if one is in flight.
    pub fn next_arrival(&self) -> Option<Millis> {
        let state = self.state();
        state
            .pending
            .iter()
            .map(|pending| match pending {
                Pending::Draft { at, .. } | Pending::Publish { at, .. } => *at,
            })
            .min()
    }

    /// Lets the member publish the draft on the site.
    pub fn publish_by_hand(&self) {
        let mut state = self.state();
        let now = self.clock.now();
        if let Some(id) = state
            .items
            .iter()
            .find(|item| item.published.is_none())
            .map(|item| item.id.clone())
        {
            state.publish(&id, now, false);
            // No click of a worker made this publication.
            state.publications -= 1;
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.arrive(self.clock.now());
        state
    }
}

impl State {
    fn arrive(&mut self, now: Millis) {
        let mut rest = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Draft { at, content } if at <= now => self.draft(*content, at),
                Pending::Publish { at, id } if at <= now => self.publish(&id, at, self.script.new_id),
                other => rest.push(other),
            }
        }
        self.pending = rest;
    }

    fn draft(&mut self, content: ItemContent, at: Millis) {
        self.next_id += 1;
        let id = self.next_id.to_string();
        let drafted = at + self.script.shows_after;
        self.items.push(Item {
            id: id.clone(),
            content,
            drafted,
            published: None,
            was: id,
        });
    }

    /// Publishing a published item has no effect.
    fn publish(&mut self, id: &str, at: Millis, new_id: bool) {
        let shows = at + self.script.shows_after;
        self.next_id += 1;
        let fresh = self.next_id.to_string();
        let Some(item) = self
            .items
            .iter_mut()
            .find(|item| item.id == id && item.published.is_none())
        else {
            return;
        };
        item.published = Some(shows);
        if new_id {
            item.id = fresh;
        }
        self.publications += 1;
    }

    pub(super) fn see(&self, item: &Item, now: Millis) -> Option<RemoteItem> {
        let shown = item.published.is_some_and(|at| at <= now);
        if item.published.is_some() && self.script.withholds {
            return None;
        }
        if !shown && item.published.is_some() && item.id != item.was {
            return Some(self.remote(item, &item.was, true));
        }
        Some(self.remote(item, &item.id, !shown))
    }

    fn remote(&self, item: &Item, id: &str, is_draft: bool) -> RemoteItem {
        RemoteItem {
            id: id.to_owned(),
            title: item.content.title.clone(),
            price: item.content.price.clone(),
            is_draft,
            is_hidden: !is_draft && self.script.hides,
            is_closed: false,
            url: format!("https://site.invalid/items/{id}"),
            photo_ids: vec![format!("photo-of-{}", item.was)],
            description: Some(item.content.description.clone()),
            category_id: Some(item.content.category.id),
        }
    }

    pub(super) fn answer(&mut self) -> Answer {
        self.writes += 1;
        self.script
            .answers
            .get(self.writes - 1)
            .copied()
            .unwrap_or(Answer::Plain)
    }

    pub(super) fn challenge(&mut self) -> Result<(), Error> {
        if self.challenges == 0 {
            return Ok(());
        }
        self.challenges -= 1;
        Err(challenge())
    }
}

pub(super) fn challenge() -> Error {
    let verdict = Verdict {
        kind: Kind::CaptchaInPage,
        message: "a captcha".to_owned(),
        sign: "simulated".to_owned(),
        requires_action: true,
        retry_after_seconds: None,
    };
    Error::Challenge {
        verdict,
        evidence: Box::new(Evidence::default()),
    }
}
