//! The inbox through the web session, on a site that is not always kind.

use serde_json::{Value, json};
use vintedbot_connector::Connector;
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{
    EntryContent, Error, Inbox as _, Language, Marketplace as _, OutgoingReply, Seat, WriteError,
};

use crate::site::{Allowed, Forbidden, Site, photos, seat};

/// A conversation with a buyer, on a site of its own.
pub struct Desk {
    pub site: Site,
    pub connector: Connector,
    pub seat: Seat,
    pub conversation_id: String,
}

impl Desk {
    pub async fn open() -> Self {
        let site = Site::start().await;
        let connector = site.plain();
        let seat = seat(Language::Fr);
        let member = connector.member(&seat).await.expect("a member");
        let member_id: u64 = member.id.parse().expect("a number");
        let opening = json!({ "member_id": member_id, "buyer": "camille", "text": "Bonjour !", "photos": 1 });
        let opened = site.admin("POST", "conversations", opening).await;
        let conversation_id = opened["id"].as_u64().expect("an id").to_string();
        Self {
            site,
            connector,
            seat,
            conversation_id,
        }
    }

    pub async fn script(&self, on: &str, action: Value) {
        let rule = json!({ "on": on, "times": 1, "do": action });
        self.site.script(rule).await;
    }

    pub fn reply(&self, text: &str) -> OutgoingReply {
        OutgoingReply {
            reply_id: "reply-1".to_owned(),
            conversation_id: self.conversation_id.clone(),
            text: text.to_owned(),
            photos: Vec::new(),
        }
    }

    pub async fn send(&self, text: &str) -> Result<Option<String>, WriteError> {
        self.connector
            .send_reply(&self.seat, &Allowed, &self.reply(text))
            .await
    }

    /// How often the site took a reply with this text.
    pub async fn taken(&self, text: &str) -> usize {
        let records = self.site.records("reply").await;
        records.iter().filter(|record| record["body"] == text).count()
    }
}

#[tokio::test]
async fn a_conversation_is_listed_and_read_and_reading_it_marks_nothing() {
    let desk = Desk::open().await;
    for _ in 0..2 {
        let page = desk.connector.inbox_page(&desk.seat, 1).await.expect("a page");
        let row = &page.rows[0];
        assert_eq!(row.conversation_id, desk.conversation_id);
        assert!(row.unread && row.update_time.is_some() && page.site_time.is_some());
        assert_eq!((page.unreadable, page.has_more), (0, Some(false)));
        let read = desk
            .connector
            .conversation(&desk.seat, &desk.conversation_id)
            .await;
        let read = read.expect("answers").expect("is there");
        assert_eq!(read.person.as_ref().expect("a buyer").login, "camille");
        let EntryContent::Message { body, photo_urls } = &read.entries[0].content else {
            panic!("{:?}", read.entries);
        };
        assert_eq!((body.as_str(), photo_urls.len()), ("Bonjour !", 1));
        let bytes = desk.connector.photo(&desk.seat, &photo_urls[0], 10_000_000).await;
        assert!(!bytes.expect("its photo").is_empty());
    }
    desk.connector
        .mark_read(&desk.seat, &desk.conversation_id)
        .await
        .expect("is marked");
    let page = desk.connector.inbox_page(&desk.seat, 1).await.expect("a page");
    assert!(!page.rows[0].unread);
    let none = desk.connector.conversation(&desk.seat, "999999999").await;
    assert!(none.expect("answers").is_none());
}

#[tokio::test]
async fn a_challenge_at_any_call_is_told_as_one() {
    let desk = Desk::open().await;
    for (on, challenge, kind) in [
        ("inbox", "bot_check_on_call", Kind::CaptchaOnCall),
        ("conversation", "rate_limit", Kind::RateLimited),
        ("mark_read", "restriction", Kind::Restricted),
    ] {
        desk.script(on, json!({ "challenge": challenge })).await;
        let error = match on {
            "inbox" => desk.connector.inbox_page(&desk.seat, 1).await.map(drop),
            "conversation" => desk
                .connector
                .conversation(&desk.seat, &desk.conversation_id)
                .await
                .map(drop),
            _ => desk.connector.mark_read(&desk.seat, &desk.conversation_id).await,
        };
        match error {
            Err(Error::Challenge { verdict, .. }) => assert_eq!(verdict.kind, kind, "{on}"),
            other => panic!("{on}: {other:?}"),
        }
    }
    // Never "nothing there".
    desk.script(
        "inbox",
        json!({ "answer": { "status": 200, "json": { "conversations": [], "code": 0 } } }),
    )
    .await;
    assert!(desk.connector.inbox_page(&desk.seat, 1).await.is_err());
    desk.script("conversation", json!({ "leave_out": ["messages"] }))
        .await;
    let emptied = desk
        .connector
        .conversation(&desk.seat, &desk.conversation_id)
        .await;
    assert!(emptied.is_err(), "{emptied:?}");
}

#[tokio::test]
async fn a_reply_is_sent_once_with_its_photos() {
    let desk = Desk::open().await;
    let reply = OutgoingReply {
        photos: photos(2),
        ..desk.reply("Voilà l'étiquette")
    };
    let sent = desk.connector.send_reply(&desk.seat, &Allowed, &reply).await;
    let id = sent.expect("is sent").expect("the site says which");
    assert_eq!(desk.taken("Voilà l'étiquette").await, 1);
    let read = desk
        .connector
        .conversation(&desk.seat, &desk.conversation_id)
        .await;
    let read = read.expect("answers").expect("is there");
    let entry = read
        .entries
        .iter()
        .find(|entry| entry.remote_id.as_deref() == Some(&*id));
    let EntryContent::Message { photo_urls, .. } = &entry.expect("the message").content else {
        panic!("{entry:?}");
    };
    assert_eq!(photo_urls.len(), 2);
    let late = desk
        .connector
        .send_reply(&desk.seat, &Forbidden, &desk.reply("late"))
        .await;
    assert!(matches!(late, Err(WriteError::NotSent(_))), "{late:?}");
    assert_eq!(desk.taken("late").await, 0);
}

#[tokio::test]
async fn what_becomes_of_a_reply_is_told_as_far_as_it_is_known() {
    let desk = Desk::open().await;
    for (text, action, times) in [
        ("five hundred", json!({ "accept_then_500": true }), 1),
        ("cut", json!({ "accept_then_cut": true }), 1),
        ("captcha", json!({ "challenge": "bot_check_on_call" }), 0),
    ] {
        desk.script("reply", action).await;
        let sent = desk.send(text).await;
        assert!(matches!(sent, Err(WriteError::Unknown(_))), "{text}: {sent:?}");
        assert_eq!(desk.taken(text).await, times, "{text}");
    }
    for (text, words) in [("idiot", "harassment"), ("a@example.org", "e-mail")] {
        match desk.send(text).await {
            Err(WriteError::Refused(error)) => assert!(error.to_string().contains(words), "{error}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    desk.script("reply", json!({ "leave_out": ["id"] })).await;
    assert_eq!(desk.send("anonymous").await.expect("is sent"), None);
    assert_eq!(desk.taken("anonymous").await, 1);
    // The site goes on refusing connections for a moment after it: this comes last.
    desk.script("reply", json!({ "reset": true })).await;
    let lost = desk.send("lost").await;
    assert!(matches!(lost, Err(WriteError::Unknown(_))), "{lost:?}");
    assert_eq!(desk.taken("lost").await, 0);
}
