//! Buyers write and get replies. Each message arrives once and is seen live, and each reply is sent once.

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};
use vintedbot_proofs::records::What;
use vintedbot_sdk::v1::reply::State;
use vintedbot_sdk::v1::{
    EventKind, ListMessagesRequest, ListThreadsRequest, Message, Reply, SendReplyRequest, Thread, message,
};
use vintedbot_sdk::{Code, ErrorReason, Upload};

use super::refusals::refused;
use super::world::World;

/// Runs the chapter of the inbox.
///
/// # Errors
///
/// Fails if a message or a reply is missing, duplicated, or reported with a wrong state.
pub async fn run_chapter(world: &World) -> Result<()> {
    let fixture = Fixture::open(world).await?;
    fixture.received().await.context("received")?;
    fixture.nothing_new().await.context("nothing new")?;
    fixture.of_every_kind().await.context("of every kind")?;
    fixture.emptied().await.context("emptied")?;
    fixture.unending().await.context("unending")?;
    fixture.answered().await.context("answered")?;
    fixture.cancelled_reply().await.context("cancelled")?;
    fixture.in_doubt().await.context("in doubt")?;
    fixture.not_taken().await.context("not taken")?;
    fixture.confirmed().await.context("confirmed")?;
    fixture.challenged().await.context("challenged")
}

/// A conversation between the account and a buyer.
struct Fixture<'a> {
    world: &'a World,
    conversation_id: u64,
    thread_id: String,
}

impl<'a> Fixture<'a> {
    async fn open(world: &'a World) -> Result<Self> {
        let member_id: u64 = world
            .client
            .accounts()
            .get(&world.account.id)
            .await?
            .member_id
            .parse()?;
        let opening =
            json!({"member_id": member_id, "buyer": "camille", "text": "Bonjour, est-ce disponible ?"});
        let opened = world.site.post("conversations", &opening).await?;
        let conversation_id = opened["id"].as_u64().context("an id")?;
        let fixture = Self {
            world,
            conversation_id,
            thread_id: String::new(),
        };
        fixture.sync().await?;
        let thread = fixture.find().await?.context("the thread was not read")?;
        world
            .watched
            .wait_for(EventKind::ThreadCreated, &thread.id)
            .await?;
        Ok(Self {
            thread_id: thread.id,
            ..fixture
        })
    }

    async fn sync(&self) -> Result<vintedbot_sdk::v1::SyncNowResponse> {
        Ok(self.world.client.inbox().sync_now(&self.world.account.id).await?)
    }

    async fn find(&self) -> Result<Option<Thread>> {
        let threads: Vec<Thread> = self
            .world
            .client
            .inbox()
            .list(ListThreadsRequest::default())
            .try_collect()
            .await?;
        let remote_id = self.conversation_id.to_string();
        Ok(threads.into_iter().find(|thread| thread.remote_id == remote_id))
    }

    async fn thread(&self) -> Result<Thread> {
        Ok(self.world.client.inbox().get(&self.thread_id).await?)
    }

    async fn messages(&self) -> Result<Vec<Message>> {
        let request = ListMessagesRequest {
            thread_id: self.thread_id.clone(),
            oldest_first: true,
            ..Default::default()
        };
        Ok(self.world.client.inbox().messages(request).try_collect().await?)
    }

    async fn happens(&self, what: Value) -> Result<Value> {
        let place = format!("conversations/{}", self.conversation_id);
        self.world.site.post(&place, &what).await
    }

    /// Returns how often the site accepted a reply with this text.
    async fn taken(&self, text: &str) -> Result<usize> {
        let records = self.world.site.records(0).await?;
        let is_it = |what: &What| matches!(what, What::Reply(reply) if reply.body == text);
        Ok(records.iter().filter(|record| is_it(&record.what)).count())
    }

    async fn sent(&self, text: &str) -> Result<Reply> {
        let inbox = self.world.client.inbox();
        let reply = inbox.send(&self.thread_id, text).await?;
        ensure!(reply.state() == State::Queued, "{reply:?}");
        Ok(inbox.settled(&reply.id).await?)
    }

    async fn received(&self) -> Result<()> {
        let thread = self.thread().await?;
        ensure!(
            thread.unread && thread.unread_count == 1 && thread.waiting_for_me && thread.message_count == 1,
            "{thread:?}"
        );
        self.happens(json!({"do": "write", "text": "Je peux venir ce soir", "photos": 1}))
            .await?;
        self.sync().await?;
        let messages = self.messages().await?;
        let texts: Vec<&str> = messages.iter().map(|one| one.text.as_str()).collect();
        ensure!(
            texts == ["Bonjour, est-ce disponible ?", "Je peux venir ce soir"],
            "{texts:?}"
        );
        let new = &messages[1];
        self.world
            .watched
            .wait_for(EventKind::MessageReceived, &new.id)
            .await?;
        ensure!(new.author() == message::Author::Person, "{new:?}");
        let photo_id = new.attachments.first().map(|one| one.photo_id.clone());
        let photo_id = photo_id
            .filter(|id| !id.is_empty())
            .context("its photo was not fetched")?;
        self.world.client.media().get(photo_id).await?;
        ensure!(self.thread().await?.unread_count == 2, "two are unread");
        self.world
            .client
            .inbox()
            .mark_read([self.thread_id.clone()])
            .await?;
        ensure!(!self.thread().await?.unread, "it was read");
        Ok(())
    }

    async fn nothing_new(&self) -> Result<()> {
        // A row that changed in the current second is read once more after that second. It is also marked as read on
        // the site.
        sleep(Duration::from_secs(3)).await;
        self.sync().await?;
        self.sync().await?;
        let head = self.world.watched.count();
        let again = self.sync().await?;
        ensure!(
            again.requests == 1 && again.new_messages == 0 && again.new_threads == 0,
            "{again:?}"
        );
        sleep(Duration::from_millis(300)).await;
        ensure!(self.world.watched.count() == head, "nothing new was news");
        Ok(())
    }

    async fn of_every_kind(&self) -> Result<()> {
        self.happens(json!({"do": "status", "title": "Bonne nouvelle", "subtitle": "Quelqu'un aime"}))
            .await?;
        self.happens(json!({"do": "entry", "entity_type": "horoscope", "entity": {"sign": "leo"}}))
            .await?;
        self.sync().await?;
        let messages = self.messages().await?;
        let [.., status, unknown] = messages.as_slice() else {
            anyhow::bail!("{messages:?}");
        };
        ensure!(
            matches!(&status.content, Some(message::Content::Status(status)) if status.title == "Bonne nouvelle"),
            "{status:?}"
        );
        ensure!(
            matches!(&unknown.content, Some(message::Content::Unknown(one))
                if one.entity_type == "horoscope" && one.json.contains("leo")),
            "{unknown:?}"
        );
        ensure!(messages.len() == 4, "{messages:?}");
        Ok(())
    }

    async fn emptied(&self) -> Result<()> {
        let before = self.messages().await?;
        let rule = json!({"on": "inbox", "times": 1, "do": {"answer": {"status": 200, "json": {"code": 0}}}});
        self.world.site.add_rule(&rule).await?;
        ensure!(self.sync().await.is_err(), "an emptied answer was believed");
        let account = self.world.client.accounts().get(&self.world.account.id).await?;
        let late = account.inbox_freshness.context("how fresh it is")?;
        ensure!(late.late_reason() != ErrorReason::Unspecified, "{late:?}");
        if account.pause.is_some() {
            self.world
                .client
                .accounts()
                .resume(&self.world.account.id)
                .await?;
        }
        self.sync().await?;
        ensure!(self.messages().await? == before, "something was lost");
        Ok(())
    }

    /// A list whose pages repeat for ever does not count as completely read.
    async fn unending(&self) -> Result<()> {
        let row = json!({
            "id": self.conversation_id,
            "description": "Encore",
            "unread": false,
            "updated_at": "2100-01-01T00:00:00+00:00",
        });
        let pagination = json!({"total_pages": 5, "total_entries": 100, "per_page": 20});
        let answer =
            json!({"status": 200, "json": {"conversations": [row], "pagination": pagination, "code": 0}});
        let rule = json!({"on": "inbox", "times": 2, "do": {"answer": answer}});
        self.world.site.add_rule(&rule).await?;
        let inbox = self.world.client.inbox();
        refused(
            inbox.sync_now(&self.world.account.id).await,
            Code::FailedPrecondition,
            ErrorReason::SiteResponseUnexpected,
        )?;
        // New messages are still found, because the watermark has not moved.
        let before = self.messages().await?.len();
        self.happens(json!({"do": "write", "text": "Vous êtes là ?"}))
            .await?;
        self.sync().await?;
        ensure!(
            self.messages().await?.len() == before + 1,
            "a message was passed over"
        );
        Ok(())
    }

    async fn answered(&self) -> Result<()> {
        let inbox = self.world.client.inbox();
        let text = "Oui, toujours disponible !";
        let photo = self
            .world
            .client
            .media()
            .upload(Upload::bytes(self.world.photo()?))
            .await?;
        let request = SendReplyRequest {
            thread_id: self.thread_id.clone(),
            text: format!("  {text}\n"),
            photo_ids: vec![photo.photo.context("the photo")?.id],
            request_id: "6f2f1c1e-6d0b-4d7c-9f4e-1f1d8a1c0a11".to_owned(),
            ..Default::default()
        };
        let reply = inbox.send_reply(request.clone()).await?;
        ensure!(
            inbox.send_reply(request).await?.id == reply.id,
            "one call, one reply"
        );
        let reply = inbox.settled(&reply.id).await?;
        ensure!(reply.state() == State::Sent, "{reply:?}");
        self.world
            .watched
            .wait_for(EventKind::ReplySent, &reply.id)
            .await?;
        ensure!(
            self.taken(text).await? == 1,
            "taken {} times",
            self.taken(text).await?
        );
        self.sync().await?;
        let reply = inbox.reply(&reply.id).await?;
        let messages = self.messages().await?;
        let ours: Vec<_> = messages.iter().filter(|one| one.reply_id == reply.id).collect();
        ensure!(
            ours.len() == 1 && ours[0].id == reply.message_id && ours[0].text == text,
            "{reply:?} {messages:?}"
        );
        ensure!(ours[0].attachments.len() == 1, "{:?}", ours[0]);
        ensure!(!self.thread().await?.waiting_for_me, "the last word is ours");
        // The same text, sent again on purpose, is another message.
        let (one, two) = (self.sent("ok").await?, self.sent("ok").await?);
        ensure!(
            one.state() == State::Sent && two.state() == State::Sent,
            "{one:?} {two:?}"
        );
        ensure!(self.taken("ok").await? == 2, "two messages");
        self.sync().await?;
        let (one, two) = (inbox.reply(&one.id).await?, inbox.reply(&two.id).await?);
        ensure!(one.message_id != two.message_id, "{one:?} {two:?}");
        Ok(())
    }

    async fn cancelled_reply(&self) -> Result<()> {
        let inbox = self.world.client.inbox();
        let reply = inbox.send(&self.thread_id, "Non, désolé").await?;
        let cancelled = inbox.cancel(&reply.id).await?;
        ensure!(cancelled.state() == State::Cancelled, "{cancelled:?}");
        inbox.cancel(&reply.id).await.context("taking it back twice")?;
        sleep(Duration::from_secs(2)).await;
        ensure!(
            self.taken("Non, désolé").await? == 0,
            "the cancelled reply was sent"
        );
        Ok(())
    }

    /// The site accepts the reply and its answer is lost, in several ways.
    async fn in_doubt(&self) -> Result<()> {
        for (at, action) in [
            json!({"accept_then_500": true}),
            json!({"accept_then_cut": true, "delay_visible_ms": 500}),
            json!({"leave_out": ["id"]}),
            json!({"reset": true}),
        ]
        .into_iter()
        .enumerate()
        {
            let text = format!("Je l'envoie demain, numéro {at}");
            let rule = json!({"on": "reply", "title_contains": text, "times": 1, "do": action});
            self.world.site.add_rule(&rule).await?;
            let reply = self.sent(&text).await?;
            ensure!(reply.state() == State::Sent, "{rule}: {reply:?}");
            ensure!(
                self.taken(&text).await? == 1,
                "{rule}: {}",
                self.taken(&text).await?
            );
        }
        Ok(())
    }

    async fn not_taken(&self) -> Result<()> {
        let inbox = self.world.client.inbox();
        let reply = self.sent("Ecris-moi à sophie@example.org").await?;
        ensure!(
            reply.state() == State::Failed && reply.reason() == ErrorReason::SiteRefused,
            "{reply:?}"
        );
        ensure!(!reply.reason_message.is_empty(), "{reply:?}");
        refused(
            inbox.retry(&reply.id).await,
            Code::FailedPrecondition,
            ErrorReason::ReplyStateInvalid,
        )?;
        for (text, photo_ids) in [("x".repeat(5_000), vec![]), (String::new(), vec![])] {
            let request = SendReplyRequest {
                thread_id: self.thread_id.clone(),
                text,
                photo_ids,
                ..Default::default()
            };
            refused(
                inbox.send_reply(request).await,
                Code::InvalidArgument,
                ErrorReason::ValidationFailed,
            )?;
        }
        self.happens(json!({"do": "allow", "reply": false})).await?;
        self.happens(json!({"do": "write", "text": "Trop tard"})).await?;
        self.sync().await?;
        refused(
            inbox.send(&self.thread_id, "Dommage").await,
            Code::FailedPrecondition,
            ErrorReason::ReplyNotAllowed,
        )?;
        self.happens(json!({"do": "allow", "reply": true})).await?;
        self.happens(json!({"do": "write", "text": "Si, finalement"}))
            .await?;
        self.sync().await?;
        Ok(())
    }

    async fn confirmed(&self) -> Result<()> {
        let inbox = self.world.client.inbox();
        let text = "Je confirme avant d'envoyer";
        let request = SendReplyRequest {
            thread_id: self.thread_id.clone(),
            text: text.to_owned(),
            manual: true,
            ..Default::default()
        };
        let reply = inbox.send_reply(request).await?;
        ensure!(reply.state() == State::AwaitingConfirmation, "{reply:?}");
        let confirmation = reply.confirmation.clone().context("its confirmation")?;
        self.world
            .secret("a reply's confirm token", &confirmation.confirm_token);
        let checked = inbox.check(&reply.id, &confirmation).await?;
        ensure!(checked.state() == State::AwaitingConfirmation, "{checked:?}");
        ensure!(self.taken(text).await? == 0, "a dry run sent it");
        inbox.confirm(&reply.id, &confirmation).await?;
        refused(
            inbox.confirm(&reply.id, &confirmation).await,
            Code::FailedPrecondition,
            ErrorReason::ConfirmationUsed,
        )?;
        let reply = inbox.settled(&reply.id).await?;
        ensure!(
            reply.state() == State::Sent && self.taken(text).await? == 1,
            "{reply:?}"
        );
        Ok(())
    }

    /// A captcha instead of an answer pauses the account. The reply is sent after a person has resumed the account.
    async fn challenged(&self) -> Result<()> {
        let inbox = self.world.client.inbox();
        let text = "Bonne journée à vous";
        let rule = json!({"on": "conversation", "times": 1, "do": {"challenge": "bot_check_on_call"}});
        self.world.site.add_rule(&rule).await?;
        let reply = self.sent(text).await?;
        ensure!(
            reply.state() == State::Blocked && reply.reason() == ErrorReason::ChallengeBotCheck,
            "{reply:?}"
        );
        refused(
            inbox.retry(&reply.id).await,
            Code::FailedPrecondition,
            ErrorReason::AccountPaused,
        )?;
        self.world
            .client
            .accounts()
            .resume(&self.world.account.id)
            .await?;
        inbox.retry(&reply.id).await?;
        let reply = inbox.settled(&reply.id).await?;
        ensure!(
            reply.state() == State::Sent && self.taken(text).await? == 1,
            "{reply:?}"
        );
        Ok(())
    }
}
