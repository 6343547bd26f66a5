use bytes::Bytes;
use futures::{FutureExt as _, TryStreamExt};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait as _;
use vintedbot_domain::events::{Ephemeral, Kind, Wake};
use vintedbot_domain::listings::ListingInput;
use vintedbot_domain::media::{self, NewPhoto, files};
use vintedbot_domain::store::entities::file_removals;
use vintedbot_domain::{Error, Reason};

use crate::postgres::Postgres;
use crate::support::{World, brighter, page, picture, reason, request_id, violated};

#[tokio::test]
async fn the_same_content_is_one_photo() {
    let world = World::new().await;
    let first = media::upload(&world.domain, &world.caller, picture(1), request_id())
        .await
        .expect("is stored");
    let renamed = NewPhoto {
        file_name: "C:\\fotos\\b.png".to_owned(),
        ..picture(1)
    };
    let second = media::upload(&world.domain, &world.caller, renamed, None)
        .await
        .expect("is found");
    assert!(!first.existing && second.existing);
    assert_eq!(first.photo, second.photo);
    assert_eq!(first.photo.file_name, "1.png");
    assert!(
        first.photo.near_duplicates.is_empty(),
        "it is no duplicate of itself"
    );

    let stranger = world.stranger().await;
    let theirs = media::upload(&world.domain, &stranger, picture(1), None)
        .await
        .expect("is stored");
    assert!(!theirs.existing);
    assert_eq!(theirs.photo.sha256, first.photo.sha256);
    assert_ne!(theirs.photo.id, first.photo.id);
    assert!(
        theirs.photo.near_duplicates.is_empty(),
        "nobody learns of another owner's photos"
    );
}

#[tokio::test]
async fn near_duplicates_are_told_within_and_between_calls() {
    let world = World::new().await;
    let first = world.photo(1).await;
    let new = vec![brighter(&picture(1)), picture(2), brighter(&picture(2))];
    let stored = media::upload_many(&world.domain, &world.caller, new, None)
        .await
        .expect("are stored");
    let near: Vec<Vec<_>> = stored
        .iter()
        .map(|uploaded| {
            uploaded
                .photo
                .near_duplicates
                .iter()
                .map(|near| near.photo_id.clone())
                .collect()
        })
        .collect();
    assert_eq!(near, [vec![first.id], vec![], vec![stored[1].photo.id.clone()]]);
}

#[tokio::test]
async fn one_bad_photo_among_several_leaves_nothing_behind() {
    let world = World::new().await;
    let bad = NewPhoto {
        bytes: Bytes::from_static(b"no picture at all"),
        file_name: "a/b/c.jpg".to_owned(),
    };
    let refused = media::upload_many(&world.domain, &world.caller, vec![picture(1), bad], None).await;
    let Err(Error::Rejected(rejection)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(rejection.reason, Reason::PhotoNotAnImage);
    assert_eq!(rejection.metadata.get("index").map(String::as_str), Some("1"));
    assert_eq!(
        rejection.metadata.get("file_name").map(String::as_str),
        Some("c.jpg")
    );
    let all = media::list(&world.domain, &world.caller, None, &page(0, ""))
        .await
        .expect("a list");
    assert!(all.items.is_empty());
    let long = NewPhoto {
        file_name: "x".repeat(256),
        ..picture(1)
    };
    assert_eq!(
        violated(media::upload(&world.domain, &world.caller, long, None).await),
        ["photos[0].file_name"]
    );
}

#[tokio::test]
async fn a_request_id_used_for_other_photos_is_refused_and_their_files_are_gone() {
    let world = World::new().await;
    let id = request_id();
    media::upload(&world.domain, &world.caller, picture(1), id.clone())
        .await
        .expect("is stored");
    let again = media::upload(&world.domain, &world.caller, picture(1), id.clone())
        .await
        .expect("is found");
    assert!(again.existing);
    let refused = media::upload(&world.domain, &world.caller, picture(2), id).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));
    let other = world.photo(2).await;
    media::delete(&world.domain, &world.caller, &other.id, None)
        .await
        .expect("is deleted");
    let key = files::photo_key(&other.sha256).expect("a key");
    assert!(!world.domain.files.exists(&key).await.expect("answers"));
}

#[tokio::test]
async fn progress_is_told_under_the_request_id() {
    let world = World::new().await;
    let mut watching = world
        .domain
        .feed
        .subscribe(&world.domain.store, &world.caller.owner_id);
    let id = request_id();
    media::upload_many(
        &world.domain,
        &world.caller,
        vec![picture(1), picture(2)],
        id.clone(),
    )
    .await
    .expect("stored");
    let mut told = Vec::new();
    while let Ok(wake) = watching.try_recv() {
        if let Wake::Ephemeral(progress) = wake
            && let Ephemeral::Photos {
                request_id,
                done,
                total,
                ..
            } = &*progress
        {
            assert_eq!(Some(request_id), id.as_ref());
            told.push((*done, *total));
        }
    }
    assert_eq!(told, [(0, 2), (1, 2), (2, 2)]);
}

#[tokio::test]
async fn a_photo_that_a_listing_has_is_not_deleted() {
    let (world, account) = World::with_account().await;
    let photo = world.photo(1).await;
    let input = ListingInput {
        photo_ids: vec![photo.id.clone()],
        ..ListingInput::default()
    };
    let listing = world.listing(&account, input).await;
    let refused = media::delete(&world.domain, &world.caller, &photo.id, None).await;
    let Err(Error::Rejected(rejection)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(rejection.reason, Reason::ResourceInUse);
    assert_eq!(rejection.metadata.get("used_by_id"), Some(&listing.id));

    world.photo(2).await;
    let of_listing = media::list(&world.domain, &world.caller, Some(&listing.id), &page(0, ""))
        .await
        .expect("a list");
    assert_eq!(of_listing.items, std::slice::from_ref(&photo));

    vintedbot_domain::listings::delete(&world.domain, &world.caller, &listing.id, None)
        .await
        .expect("is deleted");
    media::delete(&world.domain, &world.caller, &photo.id, None)
        .await
        .expect("is deleted");
    let last = world.events().await.pop().expect("an event");
    assert_eq!((last.kind, last.payload.as_str()), (Kind::PhotoDeleted, "null"));
}

#[tokio::test]
async fn a_file_stays_as_long_as_another_owner_has_it() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let mine = world.photo(1).await;
    let theirs = media::upload(&world.domain, &stranger, picture(1), None)
        .await
        .expect("is stored")
        .photo;
    let key = files::photo_key(&mine.sha256).expect("a key");
    assert_eq!(
        reason(media::delete(&world.domain, &stranger, &mine.id, None).await),
        Some(Reason::NotFound)
    );
    media::delete(&world.domain, &world.caller, &mine.id, None)
        .await
        .expect("is deleted");
    assert!(world.domain.files.exists(&key).await.expect("answers"));
    assert_eq!(
        reason(media::get(&world.domain, &world.caller, &theirs.id).await),
        Some(Reason::NotFound)
    );
    media::delete(&world.domain, &stranger, &theirs.id, None)
        .await
        .expect("is deleted");
    assert!(!world.domain.files.exists(&key).await.expect("answers"));
}

#[tokio::test]
async fn a_signed_path_opens_one_file_until_it_expires() {
    let world = World::new().await;
    let photo = world.photo(1).await;
    let (path, expire_time) =
        media::photo_url(&world.domain, &world.caller.link_holder(), &photo).expect("a path");
    let signed = path.strip_prefix("/media/").expect("is served there");
    let file = media::open_signed(&world.domain, signed).await.expect("opens");
    assert_eq!(
        (file.content_type.as_str(), file.expire_time),
        ("image/jpeg", expire_time)
    );
    let bytes: Vec<Bytes> = file.content.try_collect().await.expect("streams");
    assert_eq!(
        vintedbot_domain::media::pipeline::sha256(&bytes.concat()),
        photo.sha256
    );

    let altered = media::open_signed(&world.domain, &format!("{signed}x"))
        .await
        .map(drop);
    assert_eq!(reason(altered), Some(Reason::NotFound));
    world.clock.advance(world.domain.settings.signed_url_ms);
    let late = media::open_signed(&world.domain, signed).await.map(drop);
    assert_eq!(reason(late), Some(Reason::NotFound));
}

#[tokio::test]
async fn photo_in_the_spool_is_stored_as_one_in_memory() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let spool = media::Spool::open(folder.path()).expect("opens");
    let mut file = spool.file().await.expect("begins");
    let mut spooled = Vec::new();
    for seed in 1..=2 {
        for piece in picture(seed).bytes.chunks(1000) {
            file.write(piece.to_vec().into()).await.expect("is written");
        }
        spooled.push(media::SpooledPhoto {
            picture: file.finish(),
            file_name: format!("{seed}.png"),
        });
    }
    let names = std::fs::read_dir(folder.path()).expect("is there").count();
    assert_eq!(
        names, 0,
        "what is written has no name that a kill could leave behind"
    );
    let id = request_id();
    let stored = media::upload_many(&world.domain, &world.caller, spooled, id.clone()).await;
    let stored: Vec<_> = stored
        .expect("are stored")
        .into_iter()
        .map(|one| one.photo)
        .collect();
    let in_memory = vec![picture(1), picture(2)];
    let again = media::upload_many(&world.domain, &world.caller, in_memory, id).await;
    let again: Vec<_> = again
        .expect("the same call")
        .into_iter()
        .map(|one| one.photo)
        .collect();
    assert_eq!(stored, again);

    let mut cut = spool.file().await.expect("begins");
    cut.write(picture(1).bytes.slice(..100))
        .await
        .expect("is written");
    let cut = media::SpooledPhoto {
        picture: cut.finish(),
        file_name: String::new(),
    };
    let refused = media::upload_many(&world.domain, &world.caller, vec![cut], None).await;
    assert_eq!(reason(refused), Some(Reason::PhotoTruncated));
}

#[test]
fn spool_is_private_and_emptied_at_its_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("spool");
    std::fs::create_dir(&path).expect("is made");
    std::fs::write(path.join("left"), "by a kill").expect("is written");
    media::Spool::open(&path).expect("opens");
    assert_eq!(std::fs::read_dir(&path).expect("is there").count(), 0);
    let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_minute_has_room_for_so_many_new_photos_and_says_when_it_has_again() {
    let world = World::new().await;
    let domain = vintedbot_domain::Domain {
        settings: std::sync::Arc::new(vintedbot_domain::settings::Settings {
            uploads_per_minute: 2,
            ..(*world.domain.settings).clone()
        }),
        ..world.domain.clone()
    };
    for seed in 1..=2 {
        media::upload(&domain, &world.caller, picture(seed), None)
            .await
            .expect("there is room");
        world.clock.advance(20_000);
    }
    let refused = media::upload(&domain, &world.caller, picture(3), None).await;
    let Err(vintedbot_domain::Error::Rejected(rejection)) = refused else {
        panic!("it was taken");
    };
    assert_eq!(rejection.reason, Reason::RateLimited);
    assert_eq!(rejection.metadata["limit"], "uploads_per_minute");
    assert_eq!(rejection.retry_after_ms, Some(20_000));
    world.clock.advance(20_000);
    media::upload(&domain, &world.caller, picture(3), None)
        .await
        .expect("the first one is a minute old");
    // Somebody else has a minute of their own.
    let stranger = world.stranger().await;
    media::upload(&domain, &stranger, picture(4), None)
        .await
        .expect("there is room");
}

#[tokio::test]
async fn a_minute_has_no_more_room_for_photos_that_come_at_once() {
    of_many_at_once_a_minute_takes_three(World::new().await).await;
}

#[tokio::test]
async fn a_minute_has_no_more_room_for_photos_that_come_at_once_on_postgresql() {
    let server = Postgres::start().await.expect("starts");
    of_many_at_once_a_minute_takes_three(World::on(&server.url()).await).await;
    server.stop().await.expect("ends");
}

async fn of_many_at_once_a_minute_takes_three(world: World) {
    let domain = vintedbot_domain::Domain {
        settings: std::sync::Arc::new(vintedbot_domain::settings::Settings {
            uploads_per_minute: 3,
            ..(*world.domain.settings).clone()
        }),
        ..world.domain.clone()
    };
    let uploads = (1..=8).map(|seed| media::upload(&domain, &world.caller, picture(seed), None));
    let uploaded = futures::future::join_all(uploads).await;
    let taken = uploaded.iter().filter(|uploaded| uploaded.is_ok()).count();
    assert_eq!(taken, 3);
    for refused in uploaded {
        if refused.is_err() {
            assert_eq!(reason(refused), Some(Reason::RateLimited));
        }
    }
    let listed = media::list(&domain, &world.caller, None, &page(50, "")).await;
    assert_eq!(listed.expect("a list").items.len(), 3);
}

/// Says that a file is being removed, or is to be.
async fn condemned(world: &World, sha256: &str, due_time: i64, started: bool) {
    let sha256 = sha256.to_owned();
    let written = world.domain.store.write(move |tx| {
        let row = file_removals::ActiveModel {
            sha256: Set(sha256.clone()),
            due_time: Set(due_time),
            started: Set(started),
        };
        async move {
            Ok(file_removals::Entity::insert(row)
                .exec_without_returning(tx)
                .await?)
        }
        .boxed()
    });
    written.await.expect("is written");
}

#[tokio::test]
async fn a_file_that_is_being_removed_is_put_again_by_whoever_stores_the_same_content() {
    let world = World::new().await;
    let photo = world.photo(1).await;
    let key = files::photo_key(&photo.sha256).expect("a key");
    media::delete(&world.domain, &world.caller, &photo.id, None)
        .await
        .expect("is deleted");
    assert!(!world.domain.files.exists(&key).await.expect("answers"));

    // Another process is in the middle of it.
    condemned(&world, &photo.sha256, i64::MAX, true).await;
    let (domain, caller) = (world.domain.clone(), world.caller.clone());
    let upload = tokio::spawn(async move { media::upload(&domain, &caller, picture(1), None).await });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert!(!upload.is_finished(), "the file is named while it goes");
    world.domain.files.delete(&key).await.expect("goes");
    let sha256 = photo.sha256.clone();
    let ended = world.domain.store.write(move |tx| {
        let sha256 = sha256.clone();
        async move { Ok(file_removals::Entity::delete_by_id(sha256).exec(tx).await?) }.boxed()
    });
    ended.await.expect("ends");

    upload.await.expect("runs").expect("is stored");
    assert!(world.domain.files.exists(&key).await.expect("answers"));
}

#[tokio::test]
async fn what_was_condemned_goes_at_the_next_turn_unless_it_is_named_again() {
    let world = World::new().await;
    let used = world.photo(1).await;
    let orphan = "ab".repeat(32);
    let key = files::photo_key(&orphan).expect("a key");
    let kept = files::photo_key(&used.sha256).expect("a key");
    world
        .domain
        .files
        .put(&key, Bytes::from_static(b"left behind"))
        .await
        .expect("is put");
    condemned(&world, &orphan, 0, true).await;
    condemned(&world, &used.sha256, 0, false).await;
    assert_eq!(media::remove_condemned(&world.domain).await.expect("runs"), 1);
    assert!(!world.domain.files.exists(&key).await.expect("answers"));
    assert!(world.domain.files.exists(&kept).await.expect("answers"));
    assert_eq!(media::remove_condemned(&world.domain).await.expect("runs"), 0);
}
