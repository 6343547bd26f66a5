//! A site that misbehaves: it answers late, wrongly or not at all, shows late what it accepted, and may accept what was
//! sent after its sender has died.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use vintedbot_domain::clock::{Clock as _, Millis};
use vintedbot_marketplace::catalog::Catalog;
use vintedbot_marketplace::challenge::{Kind, Verdict};
use vintedbot_marketplace::{
    ChangeKind, Changed, Composer, ComposerIdentity, ComposerRequest, DriverKind, Ending, Error, Evidence,
    FillStep, Filled, Frame, ItemContent, Marketplace, Member, OwnItem, Permit, Published, RemoteItem, Saved,
    Seat, Session, StepObserver, Window, WriteError,
};

use super::actor::{Actor, is_running};
use super::clock::SimClock;

/// What the site does to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Accepts and says so, with the item's id.
    Plain,
    /// Accepts and says so; the id was not seen.
    WithoutId,
    /// Accepts, and the answer is lost.
    AcceptAndLose,
    /// Is not reached, and the client cannot know.
    LoseRequest,
    /// Refuses, in so many words.
    Refuse,
    /// Asks for a person after the click; it was accepted.
    AcceptAndChallenge,
}

/// The script of one run.
#[derive(Clone, Debug)]
pub struct Script {
    /// For each write in turn; afterwards plain.
    pub answers: Vec<Answer>,
    /// How long after it was accepted an item shows, below the settling window.
    pub shows_after: Millis,
    /// The longest that a request is under way, up to the request time-out.
    pub latency: Millis,
    /// What was published is never shown: the evidence is withheld.
    pub withholds: bool,
    /// A published draft gets another id.
    pub new_id: bool,
    pub hides: bool,
    /// The page of the form asks for a person, this many times.
    pub challenges: u32,
}

/// An item on the site.
#[derive(Clone, Debug)]
struct Item {
    id: String,
    content: ItemContent,
    /// When it shows as a draft, and as published.
    drafted: Millis,
    published: Option<Millis>,
    /// The id that it had as a draft.
    was: String,
}

/// What a request will do when it arrives.
#[derive(Clone, Debug)]
enum Pending {
    Draft { at: Millis, content: Box<ItemContent> },
    Publish { at: Millis, id: String },
}

struct State {
    script: Script,
    items: Vec<Item>,
    pending: Vec<Pending>,
    writes: usize,
    next_id: u64,
    challenges: u32,
    publications: u32,
}

/// The site, shared by every process of a run.
#[derive(Clone)]
pub struct Site {
    state: Arc<Mutex<State>>,
    clock: Arc<SimClock>,
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

    /// How many times a click of ours made something visible to everybody: the independent witness.
    pub fn publications(&self) -> u32 {
        self.state().publications
    }

    /// The id of the published item, whether it is shown or not.
    pub fn published_id(&self) -> Option<String> {
        self.state()
            .items
            .iter()
            .find(|item| item.published.is_some())
            .map(|item| item.id.clone())
    }

    /// When the next request arrives, if one is under way.
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

    /// The member publishes the draft with their own hand.
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
            // Not the doing of a click of ours.
            state.publications -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

    /// Publishing what is published already publishes nothing.
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

    fn see(&self, item: &Item, now: Millis) -> Option<RemoteItem> {
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

    fn answer(&mut self) -> Answer {
        self.writes += 1;
        self.script
            .answers
            .get(self.writes - 1)
            .copied()
            .unwrap_or(Answer::Plain)
    }

    fn challenge(&mut self) -> Result<(), Error> {
        if self.challenges == 0 {
            return Ok(());
        }
        self.challenges -= 1;
        Err(challenge())
    }
}

fn challenge() -> Error {
    let verdict = Verdict {
        kind: Kind::CaptchaInPage,
        message: "a captcha".to_owned(),
        sign: "simulated".to_owned(),
        needs_manual: true,
        retry_after_seconds: None,
    };
    Error::Challenge {
        verdict,
        evidence: Box::new(Evidence::default()),
    }
}

/// One process's way to the site.
pub struct Market {
    pub site: Site,
    pub actor: Arc<Actor>,
}

impl Market {
    async fn call(&self) {
        self.actor.moment().await;
        let latency = self.site.state().script.latency;
        let took = self.actor.below(u64::try_from(latency).unwrap_or(1).max(1));
        self.site.clock.advance(i64::try_from(took).unwrap_or(0));
        self.actor.moment().await;
    }
}

#[async_trait]
impl Marketplace for Market {
    fn driver(&self) -> DriverKind {
        DriverKind::Browserless
    }

    async fn member(&self, _: &Seat) -> Result<Member, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn catalog(&self, _: &Seat) -> Result<Catalog, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn wardrobe(&self, _: &Seat) -> Result<Vec<RemoteItem>, Error> {
        self.call().await;
        let now = self.site.clock.now();
        let state = self.site.state();
        let shown = state.items.iter().filter(|item| item.drafted <= now);
        Ok(shown.filter_map(|item| state.see(item, now)).collect())
    }

    async fn item(&self, _: &Seat, remote_id: &str) -> Result<Option<RemoteItem>, Error> {
        self.call().await;
        let now = self.site.clock.now();
        let state = self.site.state();
        Ok(state
            .items
            .iter()
            .filter_map(|item| state.see(item, now))
            .find(|item| item.id == remote_id))
    }

    async fn own_item(
        &self,
        _: &Seat,
        _remote_id: &str,
        _listed: Option<&RemoteItem>,
    ) -> Result<Option<OwnItem>, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn photo(&self, _: &Seat, _url: &str, _max_bytes: usize) -> Result<Bytes, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn try_session(&self, _: &Seat, _session: &Session) -> Result<Member, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn forget(&self, _account_id: &str) {}

    async fn compose(&self, _: &Seat, request: ComposerRequest) -> Result<Box<dyn Composer>, Error> {
        self.actor.moment().await;
        let market = Self {
            site: self.site.clone(),
            actor: Arc::clone(&self.actor),
        };
        Ok(Box::new(Form {
            market,
            content: request.content,
            draft: None,
        }))
    }

    async fn end(&self, identity: &ComposerIdentity) -> Ending {
        self.actor.moment().await;
        if is_running(&identity.owner) && identity.owner != self.actor.process {
            Ending::Unknown
        } else {
            Ending::Ended
        }
    }
}

struct Form {
    market: Market,
    content: ItemContent,
    draft: Option<String>,
}

impl Form {
    async fn page(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.market.call().await;
        self.market.site.state().challenge()?;
        for step in [FillStep::FormOpened, FillStep::ReadBack] {
            let frame = Frame {
                step,
                detail: String::new(),
                selector: None,
                picture: None,
            };
            steps.reached(frame).await?;
        }
        Ok(Filled {
            read_back: Vec::new(),
            evidence: Evidence::default(),
        })
    }

    /// Sends a write: it may arrive at any moment of the request's time, whatever becomes of its sender.
    async fn send(
        &mut self,
        permit: &dyn Permit,
        publishes: Option<String>,
    ) -> Result<Option<String>, WriteError> {
        self.market.actor.moment().await;
        if !permit.still_valid() {
            return Err(WriteError::NotSent(Error::Unavailable(
                "too late to click".to_owned(),
            )));
        }
        let (answer, arrival) = {
            let mut state = self.market.site.state();
            let answer = state.answer();
            let latency = u64::try_from(state.script.latency).unwrap_or(1).max(1);
            let arrival =
                self.market.site.clock.now() + i64::try_from(self.market.actor.below(latency)).unwrap_or(0);
            if !matches!(answer, Answer::LoseRequest | Answer::Refuse) {
                state.pending.push(match &publishes {
                    Some(id) => Pending::Publish {
                        at: arrival,
                        id: id.clone(),
                    },
                    None => Pending::Draft {
                        at: arrival,
                        content: Box::new(self.content.clone()),
                    },
                });
            }
            (answer, arrival)
        };
        self.market.actor.moment().await;
        self.market
            .site
            .clock
            .set(arrival.max(self.market.site.clock.now()));
        let lost = || Error::Unavailable("the connection was lost".to_owned());
        let made = {
            let state = self.market.site.state();
            match &publishes {
                Some(id) => state
                    .items
                    .iter()
                    .find(|item| item.was == *id || item.id == *id)
                    .map(|item| item.id.clone()),
                None => state.items.last().map(|item| item.id.clone()),
            }
        };
        self.market.actor.moment().await;
        match answer {
            Answer::Plain => Ok(made),
            Answer::WithoutId => Ok(None),
            Answer::AcceptAndLose | Answer::LoseRequest => Err(WriteError::Unknown(lost())),
            Answer::AcceptAndChallenge => Err(WriteError::Unknown(challenge())),
            Answer::Refuse => Err(WriteError::Refused(lost())),
        }
    }
}

#[async_trait]
impl Composer for Form {
    fn identity(&self) -> ComposerIdentity {
        ComposerIdentity {
            owner: self.market.actor.process.clone(),
            driver_url: None,
            session_id: None,
            driver: None,
            browser: None,
            profile_dir: None,
        }
    }

    async fn fill(&mut self, steps: &dyn StepObserver) -> Result<Filled, Error> {
        self.page(steps).await
    }

    async fn open_draft(&mut self, remote_id: &str, steps: &dyn StepObserver) -> Result<Filled, Error> {
        let filled = self.page(steps).await?;
        let now = self.market.site.clock.now();
        let state = self.market.site.state();
        let shown = state
            .items
            .iter()
            .filter_map(|item| state.see(item, now))
            .find(|item| item.id == remote_id);
        match shown {
            Some(item) if item.is_draft => {
                drop(state);
                self.draft = Some(remote_id.to_owned());
                Ok(filled)
            }
            _ => Err(Error::NotADraft {
                remote_id: remote_id.to_owned(),
            }),
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.market.actor.moment().await;
        self.market.site.state().challenge()
    }

    async fn save_draft(&mut self, permit: &dyn Permit) -> Result<Saved, WriteError> {
        Ok(Saved {
            remote_id: self.send(permit, None).await?,
        })
    }

    async fn publish(&mut self, permit: &dyn Permit) -> Result<Published, WriteError> {
        let draft = self.draft.clone();
        Ok(Published {
            remote_id: self.send(permit, draft).await?,
            evidence: Evidence::default(),
        })
    }

    async fn open_item(
        &mut self,
        _remote_id: &str,
        _kind: ChangeKind,
        _steps: &dyn StepObserver,
    ) -> Result<Filled, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn change(&mut self, _permit: &dyn Permit) -> Result<Changed, WriteError> {
        Err(WriteError::NotSent(Error::Unavailable(
            "not part of the simulation".to_owned(),
        )))
    }

    async fn hand_over(&mut self) -> Result<(), Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn window(&mut self) -> Window {
        Window::Closed
    }

    async fn quit(self: Box<Self>) -> Ending {
        self.market.actor.moment().await;
        Ending::Ended
    }
}
