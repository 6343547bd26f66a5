//! A lane that answers buyers: each cell is a separate conversation with one reply.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::time::{Instant, sleep};
use vintedbot_domain::ids::{Ids as _, SystemIds};
use vintedbot_sdk::v1::reply::State;
use vintedbot_sdk::v1::{ListThreadsRequest, Reply, SendReplyRequest};

use super::{LOOK_EVERY, Lane};
use crate::crash::answering::{Cell, Ended, Kill, Outcome, Script};
use crate::instance::Browser;
use crate::records::Site;

impl<'a> Lane<'a> {
    /// Starts an instance and measures the usual duration of a reply.
    pub async fn open_for_replies(folder: &Path, site: &'a Site, failpoints: &str) -> Result<Self> {
        let mut lane = Self::bare(folder, site, Browser::Off, failpoints).await?;
        let calm = Cell {
            script: Script::Nothing,
            kills: Vec::new(),
        };
        let began = Instant::now();
        match lane.reply(&calm).await?.ended {
            Ended::Sent => {
                lane.usual.publish = began.elapsed();
                Ok(lane)
            }
            other => bail!("a reply without kills was not sent: {other:?}"),
        }
    }

    /// Sends one reply, through its kills.
    pub async fn reply(&mut self, cell: &Cell) -> Result<Outcome> {
        let id = SystemIds.id();
        let text = format!("Oui, toujours disponible ! {}", &id[id.len() - 12..]);
        let thread_id = self.thread(&text).await?;
        if let Some(rule) = cell.script.rule(&text) {
            self.site.add_rule(&rule).await?;
        }
        let mut left: VecDeque<Kill> = cell.kills.iter().copied().collect();
        self.arm(armed(&left)).await?;
        let request = SendReplyRequest {
            thread_id,
            text: text.clone(),
            request_id: SystemIds.id(),
            ..Default::default()
        };
        let mut kills = 0;
        let mut deadline = Instant::now() + self.limit;
        let mut timer = self.timer(&left);
        let mut trouble = String::new();
        let reply = loop {
            if self.victim.is_halted() || timer.is_some_and(|timer| timer <= Instant::now()) {
                self.victim.kill().await?;
                left.pop_front();
                kills += 1;
                self.victim.restart(armed(&left)).await?;
                timer = self.timer(&left);
                deadline = Instant::now() + self.limit;
            }
            if Instant::now() > deadline {
                break None;
            }
            match self.look(&request).await {
                // The reply was faster than usual. The kill is made nevertheless.
                Ok(reply) if has_come_to_rest(&reply) => match left.front() {
                    Some(Kill::Random(_)) => timer = Some(Instant::now()),
                    Some(Kill::At(_)) if self.halts_soon().await => {}
                    _ => break Some(reply),
                },
                Ok(_) => sleep(LOOK_EVERY).await,
                // The kill interrupted the call.
                Err(error) => {
                    trouble = format!("{error:#}");
                    sleep(LOOK_EVERY).await;
                }
            }
        };
        let missed = left.into_iter().filter_map(|kill| match kill {
            Kill::At(stage) => Some(stage),
            Kill::Random(_) => None,
        });
        let missed = missed.collect();
        let ended = match reply {
            None => Ended::Neither(format!("not in time; {trouble}")),
            Some(reply) if reply.state() == State::Sent => Ended::Sent,
            Some(reply) if reply.state() == State::Unconfirmed => {
                self.victim.client.inbox().resolve_not_sent(&reply.id).await?;
                Ended::Asked
            }
            Some(reply) => Ended::Neither(format!(
                "{}: {}",
                reply.state().as_str_name(),
                reply.reason_message
            )),
        };
        Ok(Outcome {
            cell: cell.clone(),
            text,
            kills,
            missed,
            ended,
        })
    }

    /// Repeats the call; the idempotency key makes repetitions one reply.
    async fn look(&self, request: &SendReplyRequest) -> Result<Reply> {
        let inbox = self.victim.client.inbox();
        let sent = inbox.send_reply(request.clone()).await?;
        Ok(inbox.reply(&sent.id).await?)
    }

    /// Lets a buyer write, and waits until the message is stored here.
    async fn thread(&mut self, text: &str) -> Result<String> {
        let account = self.victim.client.accounts().get(&self.account_id).await?;
        let opening = json!({
            "member_id": account.member_id.parse::<u64>()?,
            "buyer": format!("buyer_{}", &text[text.len() - 12..]),
            "text": "Bonjour, est-ce disponible ?",
        });
        let opened = self.site.post("conversations", &opening).await?;
        let remote_id = opened["id"]
            .as_u64()
            .context("the answer contains no conversation id")?
            .to_string();
        let deadline = Instant::now() + self.limit;
        while Instant::now() < deadline {
            let inbox = self.victim.client.inbox();
            inbox.sync_now(&self.account_id).await?;
            let request = ListThreadsRequest {
                page_size: 20,
                ..Default::default()
            };
            let threads = inbox.list(request).try_collect::<Vec<_>>().await?;
            if let Some(thread) = threads.into_iter().find(|thread| thread.remote_id == remote_id) {
                return Ok(thread.id);
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("conversation {remote_id} was not read in time")
    }

    fn timer(&self, left: &VecDeque<Kill>) -> Option<Instant> {
        match left.front() {
            Some(Kill::Random(part)) => Some(Instant::now() + self.usual.publish.mul_f64(*part)),
            _ => None,
        }
    }
}

fn armed(left: &VecDeque<Kill>) -> Option<vintedbot_worker::Stage> {
    match left.front() {
        Some(Kill::At(stage)) => Some(*stage),
        _ => None,
    }
}

fn has_come_to_rest(reply: &Reply) -> bool {
    let state = reply.state();
    state == State::Unconfirmed && reply.requires_action
        || matches!(
            state,
            State::Sent | State::Failed | State::Blocked | State::Cancelled
        )
}
