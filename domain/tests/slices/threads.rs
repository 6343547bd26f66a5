//! What is read of threads.

use vintedbot_domain::Reason;
use vintedbot_domain::inbox::{self, Archive, Filter, Note, Snooze, Thread};

use crate::conversations::{self, Told, label, mark, world_with};
use crate::support::{START, World, page, reason};

async fn listed(world: &World, filter: Filter) -> Vec<String> {
    let page = inbox::list(&world.domain, &world.caller, &filter, &page(0, ""))
        .await
        .expect("a list");
    assert!(page.next_page_token.is_empty());
    page.items.into_iter().map(|thread| thread.remote_id).collect()
}

#[tokio::test]
async fn the_thread_with_the_newest_message_comes_first_and_each_filter_keeps_its_own() {
    let (world, account, ids) = world_with(&[
        Told {
            remote_id: "old",
            time: 1,
            unread: true,
            ..Told::default()
        },
        Told {
            remote_id: "new",
            time: 3,
            offer: true,
            ..Told::default()
        },
        Told {
            remote_id: "mid",
            time: 2,
            waiting: true,
            ..Told::default()
        },
    ])
    .await;
    let all = Filter::default;
    assert_eq!(listed(&world, all()).await, ["new", "mid", "old"]);
    assert_eq!(
        listed(
            &world,
            Filter {
                unread: Some(true),
                ..all()
            }
        )
        .await,
        ["old"]
    );
    assert_eq!(
        listed(
            &world,
            Filter {
                unread: Some(false),
                ..all()
            }
        )
        .await,
        ["new", "mid"]
    );
    assert_eq!(
        listed(
            &world,
            Filter {
                has_offer: Some(true),
                ..all()
            }
        )
        .await,
        ["new"]
    );
    assert_eq!(
        listed(
            &world,
            Filter {
                waiting_for_me: Some(true),
                ..all()
            }
        )
        .await,
        ["mid"]
    );
    assert_eq!(
        listed(
            &world,
            Filter {
                waiting_for_me: Some(false),
                ..all()
            }
        )
        .await,
        ["new", "old"]
    );
    let of = |id: &str| Filter {
        account_ids: vec![id.to_owned()],
        ..all()
    };
    assert_eq!(listed(&world, of(&account.id)).await.len(), 3);
    assert!(listed(&world, of(&ids[0])).await.is_empty());

    let (domain, caller) = (&world.domain, &world.caller);
    let archive = Archive {
        ids: vec![ids[1].clone()],
        unarchive: false,
        request_id: None,
    };
    inbox::archive(domain, caller, archive.clone())
        .await
        .expect("is archived");
    assert_eq!(listed(&world, all()).await, ["mid", "old"]);
    assert_eq!(
        listed(
            &world,
            Filter {
                archived: true,
                ..all()
            }
        )
        .await,
        ["new"]
    );
    let away = Snooze {
        id: ids[2].clone(),
        until: Some(START + 60_000),
        request_id: None,
    };
    inbox::snooze(domain, caller, away).await.expect("is put away");
    assert_eq!(listed(&world, all()).await, ["old"]);
    assert_eq!(
        listed(
            &world,
            Filter {
                snoozed: true,
                ..all()
            }
        )
        .await,
        ["mid"]
    );
    inbox::label(domain, caller, label(&[&ids[0], &ids[2]], &["vip"], &[]))
        .await
        .expect("is labelled");
    let vip = Filter {
        label: "vip".to_owned(),
        ..all()
    };
    assert_eq!(listed(&world, vip.clone()).await, ["old"]);
    world.clock.advance(60_000);
    assert_eq!(listed(&world, vip).await, ["mid", "old"], "its time is over");
    let since = inbox::get(domain, caller, &ids[2])
        .await
        .expect("is there")
        .sequence;
    let changed = Filter {
        changed_since: Some(since),
        ..all()
    };
    assert!(listed(&world, changed.clone()).await.is_empty());
    let unarchive = Archive {
        unarchive: true,
        ..archive
    };
    inbox::archive(domain, caller, unarchive).await.expect("is back");
    assert_eq!(listed(&world, changed).await, ["new"]);
}

#[tokio::test]
async fn a_thread_that_moves_up_meanwhile_shifts_no_page() {
    let told: Vec<_> = (0..6)
        .map(|at| Told {
            time: at,
            ..Told::default()
        })
        .collect();
    let (world, _, ids) = world_with(&told).await;
    let (domain, caller, all) = (&world.domain, &world.caller, Filter::default());
    let first = inbox::list(domain, caller, &all, &page(3, ""))
        .await
        .expect("a page");
    // The last one gets a message, and one that was shown changes.
    conversations::touch(&world, &ids[0], |row| row.last_message_time = START + 99).await;
    inbox::mark(domain, caller, mark(&[&ids[5]], true))
        .await
        .expect("is marked");
    let second = inbox::list(domain, caller, &all, &page(3, &first.next_page_token))
        .await
        .expect("a page");
    let shown: Vec<_> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|thread| thread.id.as_str())
        .collect();
    assert_eq!(
        shown,
        [&ids[5], &ids[4], &ids[3], &ids[2], &ids[1]].map(String::as_str)
    );
    let other = Filter {
        unread: Some(true),
        ..Filter::default()
    };
    let refused = inbox::list(domain, caller, &other, &page(3, &first.next_page_token)).await;
    assert_eq!(reason(refused), Some(Reason::PageTokenInvalid));
}

#[tokio::test]
async fn messages_come_in_both_orders_page_by_page() {
    let (world, _, ids) = world_with(&[Told {
        messages: 5,
        ..Told::default()
    }])
    .await;
    for (oldest_first, expected) in [(true, [1, 2, 3, 4, 5]), (false, [5, 4, 3, 2, 1])] {
        let (mut positions, mut token) = (Vec::new(), String::new());
        loop {
            let page = page(2, &token);
            let page = inbox::list_messages(&world.domain, &world.caller, &ids[0], oldest_first, &page)
                .await
                .expect("a page");
            positions.extend(page.items.into_iter().map(|message| message.position));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(positions, expected);
    }
}

#[tokio::test]
async fn counts_leave_out_what_is_archived_put_away_or_deleted() {
    let (world, account, ids) = world_with(&[
        Told {
            unread: true,
            messages: 3,
            waiting: true,
            ..Told::default()
        },
        Told {
            offer: true,
            ..Told::default()
        },
        Told {
            unread: true,
            messages: 1,
            ..Told::default()
        },
        Told {
            unread: true,
            messages: 1,
            ..Told::default()
        },
    ])
    .await;
    let (domain, caller) = (&world.domain, &world.caller);
    inbox::label(domain, caller, label(&[&ids[0], &ids[2], &ids[3]], &["vip"], &[]))
        .await
        .expect("is labelled");
    inbox::label(domain, caller, label(&[&ids[1]], &["later"], &[]))
        .await
        .expect("is labelled");
    let archive = Archive {
        ids: vec![ids[2].clone()],
        unarchive: false,
        request_id: None,
    };
    inbox::archive(domain, caller, archive)
        .await
        .expect("is archived");
    inbox::delete(domain, caller, &ids[3], None)
        .await
        .expect("is hidden");
    let counts = inbox::counts(domain, caller).await.expect("counts");
    let total = counts.total;
    assert_eq!(
        (
            total.threads,
            total.unread_threads,
            total.unread_messages,
            total.waiting_for_me,
            total.with_offer
        ),
        (2, 1, 3, 1, 1)
    );
    assert_eq!(counts.accounts, [(account.id, total)]);
    let labels: Vec<_> = counts
        .labels
        .iter()
        .map(|(label, one)| (label.as_str(), one.threads))
        .collect();
    assert_eq!(labels, [("later", 1), ("vip", 1)]);
    assert_eq!((counts.archived, counts.snoozed), (1, 0));
}

#[tokio::test]
async fn nobody_reaches_the_threads_of_another_owner() {
    let (world, _, ids) = world_with(&[Told {
        messages: 1,
        ..Told::default()
    }])
    .await;
    let (domain, stranger, id) = (&world.domain, world.stranger().await, ids[0].as_str());
    let thread = inbox::get(domain, &world.caller, id).await.expect("is there");
    let none = [
        reason(inbox::get(domain, &stranger, id).await),
        reason(inbox::list_messages(domain, &stranger, id, true, &page(0, "")).await),
        reason(inbox::mark(domain, &stranger, mark(&[id], true)).await),
        reason(inbox::label(domain, &stranger, label(&[id], &["x"], &[])).await),
        reason(inbox::delete(domain, &stranger, id, None).await),
        reason(inbox::person(domain, &stranger, &thread.person.id).await),
        reason(
            inbox::set_note(
                domain,
                &stranger,
                Note {
                    id: id.to_owned(),
                    note: "x".to_owned(),
                    request_id: None,
                },
            )
            .await,
        ),
    ];
    assert_eq!(none, [Some(Reason::NotFound); 7]);
    let all = inbox::list(domain, &stranger, &Filter::default(), &page(0, ""))
        .await
        .expect("a list");
    assert!(all.items.is_empty());
    assert_eq!(
        inbox::counts(domain, &stranger).await.expect("counts"),
        inbox::InboxCounts::default()
    );
}

#[tokio::test]
async fn a_persons_page_has_their_threads_and_offers_across_accounts() {
    let (world, account, _) = world_with(&[]).await;
    let other = world.account("Second shop").await;
    let told = |remote_id, time, offer| Told {
        remote_id,
        member_id: "7",
        time,
        offer,
        messages: 2,
        ..Told::default()
    };
    let one = conversations::store(&world, &account, &told("one", 1, true)).await;
    let two = conversations::store(&world, &other, &told("two", 2, false)).await;
    conversations::store(
        &world,
        &other,
        &Told {
            member_id: "8",
            offer: true,
            ..Told::default()
        },
    )
    .await;
    let (domain, caller) = (&world.domain, &world.caller);
    let thread: Thread = inbox::get(domain, caller, &one).await.expect("is there");
    let page = inbox::person(domain, caller, &thread.person.id)
        .await
        .expect("a page");
    assert_eq!(page.person.member_id, "7");
    assert_eq!(
        page.threads.iter().map(|thread| &thread.id).collect::<Vec<_>>(),
        [&two, &one]
    );
    assert_eq!(
        page.offers
            .iter()
            .map(|offer| &offer.thread_id)
            .collect::<Vec<_>>(),
        [&one]
    );
}
