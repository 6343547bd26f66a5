//! Reads of threads: lists, pages, counts and counterparties.

use vintedbot_domain::Reason;
use vintedbot_domain::inbox::{self, Archive, Filter, Note, Snooze, Thread};

use crate::conversations::{self, ThreadSpec, label, mark, world_with};
use crate::support::{START, World, page, reason};

async fn listed(world: &World, filter: Filter) -> Vec<String> {
    let page = inbox::list(&world.context, &world.caller, &filter, &page(0, ""))
        .await
        .expect("a list");
    assert!(page.next_page_token.is_empty());
    page.items.into_iter().map(|thread| thread.remote_id).collect()
}

#[tokio::test]
async fn threads_are_newest_first_under_every_filter() {
    let (world, account, ids) = world_with(&[
        ThreadSpec {
            remote_id: "old",
            time: 1,
            unread: true,
            ..ThreadSpec::default()
        },
        ThreadSpec {
            remote_id: "new",
            time: 3,
            offer: true,
            ..ThreadSpec::default()
        },
        ThreadSpec {
            remote_id: "mid",
            time: 2,
            waiting: true,
            ..ThreadSpec::default()
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

    let (context, caller) = (&world.context, &world.caller);
    let archive = Archive {
        ids: vec![ids[1].clone()],
        unarchive: false,
        request_id: None,
    };
    inbox::archive(context, caller, archive.clone())
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
    inbox::snooze(context, caller, away).await.expect("is snoozed");
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
    inbox::label(context, caller, label(&[&ids[0], &ids[2]], &["vip"], &[]))
        .await
        .expect("is labelled");
    let vip = Filter {
        label: "vip".to_owned(),
        ..all()
    };
    assert_eq!(listed(&world, vip.clone()).await, ["old"]);
    world.clock.advance(60_000);
    assert_eq!(listed(&world, vip).await, ["mid", "old"], "its time is over");
    let since = inbox::get(context, caller, &ids[2])
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
    inbox::archive(context, caller, unarchive).await.expect("is back");
    assert_eq!(listed(&world, changed).await, ["new"]);
}

#[tokio::test]
async fn moving_thread_shifts_no_page() {
    let spec: Vec<_> = (0..6)
        .map(|at| ThreadSpec {
            time: at,
            ..ThreadSpec::default()
        })
        .collect();
    let (world, _, ids) = world_with(&spec).await;
    let (context, caller, all) = (&world.context, &world.caller, Filter::default());
    let first = inbox::list(context, caller, &all, &page(3, ""))
        .await
        .expect("a page");
    // The last thread gets a message, and a thread of an earlier page changes.
    conversations::touch(&world, &ids[0], |row| row.last_message_time = START + 99).await;
    inbox::mark(context, caller, mark(&[&ids[5]], true))
        .await
        .expect("is marked");
    let second = inbox::list(context, caller, &all, &page(3, &first.next_page_token))
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
    let refused = inbox::list(context, caller, &other, &page(3, &first.next_page_token)).await;
    assert_eq!(reason(refused), Some(Reason::PageTokenInvalid));
}

#[tokio::test]
async fn messages_are_paged_in_both_orders() {
    let (world, _, ids) = world_with(&[ThreadSpec {
        messages: 5,
        ..ThreadSpec::default()
    }])
    .await;
    for (oldest_first, expected) in [(true, [1, 2, 3, 4, 5]), (false, [5, 4, 3, 2, 1])] {
        let (mut positions, mut token) = (Vec::new(), String::new());
        loop {
            let page = page(2, &token);
            let page = inbox::list_messages(&world.context, &world.caller, &ids[0], oldest_first, &page)
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
async fn counts_exclude_archived_snoozed_and_deleted_threads() {
    let (world, account, ids) = world_with(&[
        ThreadSpec {
            unread: true,
            messages: 3,
            waiting: true,
            ..ThreadSpec::default()
        },
        ThreadSpec {
            offer: true,
            ..ThreadSpec::default()
        },
        ThreadSpec {
            unread: true,
            messages: 1,
            ..ThreadSpec::default()
        },
        ThreadSpec {
            unread: true,
            messages: 1,
            ..ThreadSpec::default()
        },
    ])
    .await;
    let (context, caller) = (&world.context, &world.caller);
    inbox::label(
        context,
        caller,
        label(&[&ids[0], &ids[2], &ids[3]], &["vip"], &[]),
    )
    .await
    .expect("is labelled");
    inbox::label(context, caller, label(&[&ids[1]], &["later"], &[]))
        .await
        .expect("is labelled");
    let archive = Archive {
        ids: vec![ids[2].clone()],
        unarchive: false,
        request_id: None,
    };
    inbox::archive(context, caller, archive)
        .await
        .expect("is archived");
    inbox::delete(context, caller, &ids[3], None)
        .await
        .expect("is hidden");
    let counts = inbox::counts(context, caller).await.expect("counts");
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
async fn threads_of_another_workspace_are_not_found() {
    let (world, _, ids) = world_with(&[ThreadSpec {
        messages: 1,
        ..ThreadSpec::default()
    }])
    .await;
    let (context, stranger, id) = (&world.context, world.stranger().await, ids[0].as_str());
    let thread = inbox::get(context, &world.caller, id).await.expect("is there");
    let none = [
        reason(inbox::get(context, &stranger, id).await),
        reason(inbox::list_messages(context, &stranger, id, true, &page(0, "")).await),
        reason(inbox::mark(context, &stranger, mark(&[id], true)).await),
        reason(inbox::label(context, &stranger, label(&[id], &["x"], &[])).await),
        reason(inbox::delete(context, &stranger, id, None).await),
        reason(inbox::person(context, &stranger, &thread.person.id).await),
        reason(
            inbox::set_note(
                context,
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
    let all = inbox::list(context, &stranger, &Filter::default(), &page(0, ""))
        .await
        .expect("a list");
    assert!(all.items.is_empty());
    assert_eq!(
        inbox::counts(context, &stranger).await.expect("counts"),
        inbox::InboxCounts::default()
    );
}

#[tokio::test]
async fn counterparty_page_covers_all_accounts() {
    let (world, account, _) = world_with(&[]).await;
    let other = world.account("Second shop").await;
    let spec = |remote_id, time, offer| ThreadSpec {
        remote_id,
        member_id: "7",
        time,
        offer,
        messages: 2,
        ..ThreadSpec::default()
    };
    let one = conversations::store(&world, &account, &spec("one", 1, true)).await;
    let two = conversations::store(&world, &other, &spec("two", 2, false)).await;
    conversations::store(
        &world,
        &other,
        &ThreadSpec {
            member_id: "8",
            offer: true,
            ..ThreadSpec::default()
        },
    )
    .await;
    let (context, caller) = (&world.context, &world.caller);
    let thread: Thread = inbox::get(context, caller, &one).await.expect("is there");
    let page = inbox::person(context, caller, &thread.person.id)
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
