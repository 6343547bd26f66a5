//! The inbox over the web session, also when the site misbehaves.

use serde_json::{Value, json};
use vintedbot_connector::Connector;
use vintedbot_marketplace::challenge::Kind;
use vintedbot_marketplace::{
    AccountContext, Entry, EntryContent, Error, Inbox as _, Language, Marketplace as _, OutgoingReply, Side,
    WriteError,
};

use crate::site::{Allowed, Forbidden, Site, account_context, photos};

/// A site with a conversation between the member and a buyer.
pub struct Fixture {
    pub site: Site,
    pub connector: Connector,
    pub account_context: AccountContext,
    pub conversation_id: String,
}

impl Fixture {
    pub async fn open() -> Self {
        let site = Site::start().await;
        let connector = site.plain();
        let account_context = account_context(Language::Fr);
        let member = connector.member(&account_context).await.expect("a member");
        let member_id: u64 = member.id.parse().expect("a number");
        let opening = json!({ "member_id": member_id, "buyer": "camille", "text": "Bonjour !", "photos": 1 });
        let opened = site.admin("POST", "conversations", opening).await;
        let conversation_id = opened["id"].as_u64().expect("an id").to_string();
        Self {
            site,
            connector,
            account_context,
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
            .send_reply(&self.account_context, &Allowed, &self.reply(text))
            .await
    }

    /// Returns how often the site accepted a reply with this text.
    pub async fn taken(&self, text: &str) -> usize {
        let records = self.site.records("reply").await;
        records.iter().filter(|record| record["body"] == text).count()
    }
}

#[tokio::test]
async fn reading_a_conversation_marks_nothing_as_read() {
    let fixture = Fixture::open().await;
    for _ in 0..2 {
        let page = fixture
            .connector
            .inbox_page(&fixture.account_context, 1)
            .await
            .expect("a page");
        let row = &page.rows[0];
        assert_eq!(row.conversation_id, fixture.conversation_id);
        assert!(row.unread && row.update_time.is_some() && page.site_time.is_some());
        assert_eq!((page.unreadable, page.has_more), (0, Some(false)));
        let read = fixture
            .connector
            .conversation(&fixture.account_context, &fixture.conversation_id)
            .await;
        let read = read.expect("answers").expect("is there");
        assert_eq!(read.person.as_ref().expect("a buyer").login, "camille");
        let EntryContent::Message { body, photo_urls } = &read.entries[0].content else {
            panic!("{:?}", read.entries);
        };
        assert_eq!((body.as_str(), photo_urls.len()), ("Bonjour !", 1));
        let bytes = fixture
            .connector
            .photo(&fixture.account_context, &photo_urls[0], 10_000_000)
            .await;
        assert!(!bytes.expect("its photo").is_empty());
    }
    fixture
        .connector
        .mark_read(&fixture.account_context, &fixture.conversation_id)
        .await
        .expect("is marked");
    let page = fixture
        .connector
        .inbox_page(&fixture.account_context, 1)
        .await
        .expect("a page");
    assert!(!page.rows[0].unread);
    let none = fixture
        .connector
        .conversation(&fixture.account_context, "999999999")
        .await;
    assert!(none.expect("answers").is_none());
}

#[tokio::test]
async fn offers_have_sides_and_ids_as_far_as_known() {
    let fixture = Fixture::open().await;
    let (site, login) = (&fixture.site, &fixture.account_context.practice_login);
    let member = fixture
        .connector
        .member(&fixture.account_context)
        .await
        .expect("a member");
    let own: u64 = member.id.parse().expect("a number");
    let other = json!({ "login": "camille", "language": "fr" });
    let other = site.admin("POST", "members", other).await["id"].clone();
    for (seller, buyer, side) in [
        (json!(own), "camille", Side::Seller),
        (other.clone(), login.as_str(), Side::Buyer),
    ] {
        let item = json!({ "title": "Sweat gris", "price": 20, "catalog_id": 7030 });
        let item = json!({ "member_id": seller, "item": item, "photos": 1 });
        let item = site.admin("POST", "items", item).await["item"]["id"].clone();
        let opening = json!({ "member_id": seller, "buyer": buyer, "item_ids": [item], "text": "Bonjour !" });
        let opened = site.admin("POST", "conversations", opening).await;
        let act = format!("conversations/{}", opened["id"]);
        let offer = |price: u64, from: &str| json!({ "do": "offer", "price": price, "from": from });
        let request = site.admin("POST", &act, offer(1400, "buyer")).await["id"].clone();
        site.admin("POST", &act, offer(1800, "seller")).await;
        // The answer names neither the account's side, nor the counterparty, nor the authors.
        fixture
            .script(
                "conversation",
                json!({ "leave_out": ["current_user_side", "opposite_user", "user_id"] }),
            )
            .await;
        let read = fixture
            .connector
            .conversation(&fixture.account_context, &opened["id"].to_string())
            .await;
        let read = read.expect("answers").expect("is there");
        let deal = read.transaction.expect("a transaction");
        assert_eq!((deal.side, deal.is_open()), (Some(side), true));
        let offers: Vec<&Entry> = read.entries.iter().skip(1).collect();
        let is_current = |entry: &Entry| {
            matches!(
                entry.content,
                EntryContent::OfferRequest { current: true, .. }
                    | EntryContent::SellerOffer { current: true, .. }
            )
        };
        assert!(offers.iter().all(|entry| is_current(entry)), "{offers:?}");
        let (own, other) = (Some(own.to_string()), Some(other.to_string()));
        let authors = if side == Side::Seller {
            [other, own]
        } else {
            [own, other]
        };
        let seen: Vec<_> = offers.iter().map(|entry| entry.member_id.clone()).collect();
        assert_eq!(seen, authors, "{side:?}");
        let id = offers[0].remote_id.as_deref().expect("an id");
        assert_ne!(
            id,
            request.to_string(),
            "the message has another id than the request"
        );
    }
}

#[tokio::test]
async fn challenge_at_any_inbox_call_is_reported() {
    let fixture = Fixture::open().await;
    for (on, challenge, kind) in [
        ("inbox", "bot_check_on_call", Kind::CaptchaOnCall),
        ("conversation", "rate_limit", Kind::RateLimited),
        ("mark_read", "restriction", Kind::Restricted),
    ] {
        fixture.script(on, json!({ "challenge": challenge })).await;
        let error = match on {
            "inbox" => fixture
                .connector
                .inbox_page(&fixture.account_context, 1)
                .await
                .map(drop),
            "conversation" => fixture
                .connector
                .conversation(&fixture.account_context, &fixture.conversation_id)
                .await
                .map(drop),
            _ => {
                fixture
                    .connector
                    .mark_read(&fixture.account_context, &fixture.conversation_id)
                    .await
            }
        };
        match error {
            Err(Error::Challenge { verdict, .. }) => assert_eq!(verdict.kind, kind, "{on}"),
            other => panic!("{on}: {other:?}"),
        }
    }
    // A failed read is never reported as an empty inbox.
    fixture
        .script(
            "inbox",
            json!({ "answer": { "status": 200, "json": { "conversations": [], "code": 0 } } }),
        )
        .await;
    assert!(
        fixture
            .connector
            .inbox_page(&fixture.account_context, 1)
            .await
            .is_err()
    );
    fixture
        .script("conversation", json!({ "leave_out": ["messages"] }))
        .await;
    let emptied = fixture
        .connector
        .conversation(&fixture.account_context, &fixture.conversation_id)
        .await;
    assert!(emptied.is_err(), "{emptied:?}");
}

#[tokio::test]
async fn reply_is_sent_once_with_its_photos() {
    let fixture = Fixture::open().await;
    let reply = OutgoingReply {
        photos: photos(2),
        ..fixture.reply("Voilà l'étiquette")
    };
    let sent = fixture
        .connector
        .send_reply(&fixture.account_context, &Allowed, &reply)
        .await;
    let id = sent.expect("is sent").expect("the site says which");
    assert_eq!(fixture.taken("Voilà l'étiquette").await, 1);
    let read = fixture
        .connector
        .conversation(&fixture.account_context, &fixture.conversation_id)
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
    let late = fixture
        .connector
        .send_reply(&fixture.account_context, &Forbidden, &fixture.reply("late"))
        .await;
    assert!(matches!(late, Err(WriteError::NotSent(_))), "{late:?}");
    assert_eq!(fixture.taken("late").await, 0);
}

#[tokio::test]
async fn reply_outcome_is_reported_as_far_as_known() {
    let fixture = Fixture::open().await;
    for (text, action, times) in [
        ("five hundred", json!({ "accept_then_500": true }), 1),
        ("cut", json!({ "accept_then_cut": true }), 1),
        ("captcha", json!({ "challenge": "bot_check_on_call" }), 0),
    ] {
        fixture.script("reply", action).await;
        let sent = fixture.send(text).await;
        assert!(matches!(sent, Err(WriteError::Unknown(_))), "{text}: {sent:?}");
        assert_eq!(fixture.taken(text).await, times, "{text}");
    }
    for (text, words) in [("idiot", "harassment"), ("a@example.org", "e-mail")] {
        match fixture.send(text).await {
            Err(WriteError::Refused(error)) => assert!(error.to_string().contains(words), "{error}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    fixture.script("reply", json!({ "leave_out": ["id"] })).await;
    assert_eq!(fixture.send("anonymous").await.expect("is sent"), None);
    assert_eq!(fixture.taken("anonymous").await, 1);
    // This case comes last, because the site refuses connections for a moment after it.
    fixture.script("reply", json!({ "reset": true })).await;
    let lost = fixture.send("lost").await;
    assert!(matches!(lost, Err(WriteError::Unknown(_))), "{lost:?}");
    assert_eq!(fixture.taken("lost").await, 0);
}
