//! The marketplace of a simulated process: every call takes time, and the process may die during it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use vintedbot_domain::clock::Clock as _;
use vintedbot_marketplace::catalog::Catalog;
use vintedbot_marketplace::{
    AccountContext, BrowserWindow, ChangeKind, Changed, DriverKind, Ending, Error, Evidence, FillStep,
    Filled, ItemContent, ListingFormDriver, ListingFormIdentity, ListingFormRequest, Marketplace, Member,
    OwnItem, Permit, Published, RemoteItem, Saved, Session, StepObserver, TimelineStep, WriteError,
};

use super::actor::{Actor, is_running};
use super::site::{Answer, Pending, Site, challenge};

/// The marketplace of one process.
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

    async fn member(&self, _: &AccountContext) -> Result<Member, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn catalog(&self, _: &AccountContext) -> Result<Catalog, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn wardrobe(&self, _: &AccountContext) -> Result<Vec<RemoteItem>, Error> {
        self.call().await;
        let now = self.site.clock.now();
        let state = self.site.state();
        let shown = state.items.iter().filter(|item| item.drafted <= now);
        Ok(shown.filter_map(|item| state.see(item, now)).collect())
    }

    async fn item(&self, _: &AccountContext, remote_id: &str) -> Result<Option<RemoteItem>, Error> {
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
        _: &AccountContext,
        _remote_id: &str,
        _listed: Option<&RemoteItem>,
    ) -> Result<Option<OwnItem>, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn photo(&self, _: &AccountContext, _url: &str, _max_bytes: usize) -> Result<Bytes, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn try_session(&self, _: &AccountContext, _session: &Session) -> Result<Member, Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn forget(&self, _account_id: &str) {}

    async fn compose(
        &self,
        _: &AccountContext,
        request: ListingFormRequest,
    ) -> Result<Box<dyn ListingFormDriver>, Error> {
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

    async fn end(&self, identity: &ListingFormIdentity) -> Ending {
        self.actor.moment().await;
        if is_running(&identity.worker) && identity.worker != self.actor.process {
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
            let timeline_step = TimelineStep {
                step,
                detail: String::new(),
                selector: None,
                picture: None,
            };
            steps.reached(timeline_step).await?;
        }
        Ok(Filled {
            read_back: Vec::new(),
            evidence: Evidence::default(),
        })
    }

    /// Sends a write. It may arrive at any moment of the request's duration, even if its sender dies.
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
impl ListingFormDriver for Form {
    fn identity(&self) -> ListingFormIdentity {
        ListingFormIdentity {
            worker: self.market.actor.process.clone(),
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

    async fn manual_takeover(&mut self) -> Result<(), Error> {
        Err(Error::Unavailable("not part of the simulation".to_owned()))
    }

    async fn window(&mut self) -> BrowserWindow {
        BrowserWindow::Closed
    }

    async fn quit(self: Box<Self>) -> Ending {
        self.market.actor.moment().await;
        Ending::Ended
    }
}
