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
async fn equal_content_is_one_photo() {
    let world = World::new().await;
    let first = media::upload(&world.context, &world.caller, picture(1), request_id())
        .await
        .expect("is stored");
    let renamed = NewPhoto {
        file_name: "C:\\fotos\\b.png".to_owned(),
        ..picture(1)
    };
    let second = media::upload(&world.context, &world.caller, renamed, None)
        .await
        .expect("is found");
    assert!(!first.existing && second.existing);
    assert_eq!(first.photo, second.photo);
    assert_eq!(first.photo.file_name, "1.png");
    assert!(
        first.photo.near_duplicates.is_empty(),
        "it is not a duplicate of itself"
    );

    let stranger = world.stranger().await;
    let theirs = media::upload(&world.context, &stranger, picture(1), None)
        .await
        .expect("is stored");
    assert!(!theirs.existing);
    assert_eq!(theirs.photo.sha256, first.photo.sha256);
    assert_ne!(theirs.photo.id, first.photo.id);
    assert!(
        theirs.photo.near_duplicates.is_empty(),
        "photos of other workspaces are not revealed"
    );
}

#[tokio::test]
async fn near_duplicates_are_reported_within_and_across_calls() {
    let world = World::new().await;
    let first = world.photo(1).await;
    let new = vec![brighter(&picture(1)), picture(2), brighter(&picture(2))];
    let stored = media::upload_many(&world.context, &world.caller, new, None)
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
async fn one_bad_photo_stores_none_of_the_batch() {
    let world = World::new().await;
    let bad = NewPhoto {
        bytes: Bytes::from_static(b"no picture at all"),
        file_name: "a/b/c.jpg".to_owned(),
    };
    let refused = media::upload_many(&world.context, &world.caller, vec![picture(1), bad], None).await;
    let Err(Error::Rejected(rejection)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(rejection.reason, Reason::PhotoNotAnImage);
    assert_eq!(rejection.metadata.get("index").map(String::as_str), Some("1"));
    assert_eq!(
        rejection.metadata.get("file_name").map(String::as_str),
        Some("c.jpg")
    );
    let all = media::list(&world.context, &world.caller, None, &page(0, ""))
        .await
        .expect("a list");
    assert!(all.items.is_empty());
    let long = NewPhoto {
        file_name: "x".repeat(256),
        ..picture(1)
    };
    assert_eq!(
        violated(media::upload(&world.context, &world.caller, long, None).await),
        ["photos[0].file_name"]
    );
}

#[tokio::test]
async fn request_id_reused_for_other_photos_stores_nothing() {
    let world = World::new().await;
    let id = request_id();
    media::upload(&world.context, &world.caller, picture(1), id.clone())
        .await
        .expect("is stored");
    let again = media::upload(&world.context, &world.caller, picture(1), id.clone())
        .await
        .expect("is found");
    assert!(again.existing);
    let refused = media::upload(&world.context, &world.caller, picture(2), id).await;
    assert_eq!(reason(refused), Some(Reason::RequestIdReused));
    let other = world.photo(2).await;
    media::delete(&world.context, &world.caller, &other.id, None)
        .await
        .expect("is deleted");
    let key = files::photo_key(&other.sha256).expect("a key");
    assert!(!world.context.files.exists(&key).await.expect("answers"));
}

#[tokio::test]
async fn progress_is_reported_under_the_request_id() {
    let world = World::new().await;
    let mut watching = world
        .context
        .feed
        .subscribe(&world.context.store, &world.caller.workspace_id);
    let id = request_id();
    media::upload_many(
        &world.context,
        &world.caller,
        vec![picture(1), picture(2)],
        id.clone(),
    )
    .await
    .expect("stored");
    let mut reported = Vec::new();
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
            reported.push((*done, *total));
        }
    }
    assert_eq!(reported, [(0, 2), (1, 2), (2, 2)]);
}

#[tokio::test]
async fn photo_used_by_a_listing_is_not_deleted() {
    let (world, account) = World::with_account().await;
    let photo = world.photo(1).await;
    let input = ListingInput {
        photo_ids: vec![photo.id.clone()],
        ..ListingInput::default()
    };
    let listing = world.listing(&account, input).await;
    let refused = media::delete(&world.context, &world.caller, &photo.id, None).await;
    let Err(Error::Rejected(rejection)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(rejection.reason, Reason::ResourceInUse);
    assert_eq!(rejection.metadata.get("used_by_id"), Some(&listing.id));

    world.photo(2).await;
    let of_listing = media::list(&world.context, &world.caller, Some(&listing.id), &page(0, ""))
        .await
        .expect("a list");
    assert_eq!(of_listing.items, std::slice::from_ref(&photo));

    vintedbot_domain::listings::delete(&world.context, &world.caller, &listing.id, None)
        .await
        .expect("is deleted");
    media::delete(&world.context, &world.caller, &photo.id, None)
        .await
        .expect("is deleted");
    let last = world.events().await.pop().expect("an event");
    assert_eq!((last.kind, last.payload.as_str()), (Kind::PhotoDeleted, "null"));
}

#[tokio::test]
async fn file_is_kept_while_another_workspace_uses_it() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let mine = world.photo(1).await;
    let theirs = media::upload(&world.context, &stranger, picture(1), None)
        .await
        .expect("is stored")
        .photo;
    let key = files::photo_key(&mine.sha256).expect("a key");
    assert_eq!(
        reason(media::delete(&world.context, &stranger, &mine.id, None).await),
        Some(Reason::NotFound)
    );
    media::delete(&world.context, &world.caller, &mine.id, None)
        .await
        .expect("is deleted");
    assert!(world.context.files.exists(&key).await.expect("answers"));
    assert_eq!(
        reason(media::get(&world.context, &world.caller, &theirs.id).await),
        Some(Reason::NotFound)
    );
    media::delete(&world.context, &stranger, &theirs.id, None)
        .await
        .expect("is deleted");
    assert!(!world.context.files.exists(&key).await.expect("answers"));
}

#[tokio::test]
async fn signed_path_opens_one_file_until_expiry() {
    let world = World::new().await;
    let photo = world.photo(1).await;
    let (path, expire_time) =
        media::photo_url(&world.context, &world.caller.link_holder(), &photo).expect("a path");
    let again = media::photo_url(&world.context, &world.caller.link_holder(), &photo);
    assert_eq!(
        again.expect("a path"),
        (path.clone(), expire_time),
        "browsers cache it"
    );
    let lifetime = world.context.settings.signed_url_ms;
    let left = expire_time - world.context.clock.now();
    assert!(left > lifetime && left <= 2 * lifetime, "{left}");
    let signed = path.strip_prefix("/media/").expect("is served there");
    let file = media::open_signed(&world.context, signed).await.expect("opens");
    assert_eq!(
        (file.content_type.as_str(), file.expire_time),
        ("image/jpeg", expire_time)
    );
    let bytes: Vec<Bytes> = file.content.try_collect().await.expect("streams");
    assert_eq!(
        vintedbot_domain::media::pipeline::sha256(&bytes.concat()),
        photo.sha256
    );

    let altered = media::open_signed(&world.context, &format!("{signed}x"))
        .await
        .map(drop);
    assert_eq!(reason(altered), Some(Reason::NotFound));
    world.clock.advance(2 * world.context.settings.signed_url_ms);
    let late = media::open_signed(&world.context, signed).await.map(drop);
    assert_eq!(reason(late), Some(Reason::NotFound));
}

#[tokio::test]
async fn spooled_photo_is_stored_like_one_in_memory() {
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
        "a file has no name before its end, so a kill leaves nothing behind"
    );
    let id = request_id();
    let stored = media::upload_many(&world.context, &world.caller, spooled, id.clone()).await;
    let stored: Vec<_> = stored
        .expect("are stored")
        .into_iter()
        .map(|one| one.photo)
        .collect();
    let in_memory = vec![picture(1), picture(2)];
    let again = media::upload_many(&world.context, &world.caller, in_memory, id).await;
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
    let refused = media::upload_many(&world.context, &world.caller, vec![cut], None).await;
    assert_eq!(reason(refused), Some(Reason::PhotoTruncated));
}

#[test]
fn spool_is_private_and_emptied_at_start() {
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
async fn new_photos_per_minute_are_limited_with_retry_info() {
    let world = World::new().await;
    let mut settings = (*world.context.settings).clone();
    settings.limits.uploads_per_minute = 2;
    let context = vintedbot_domain::Context {
        settings: std::sync::Arc::new(settings),
        ..world.context.clone()
    };
    for seed in 1..=2 {
        media::upload(&context, &world.caller, picture(seed), None)
            .await
            .expect("there is room");
        world.clock.advance(20_000);
    }
    let refused = media::upload(&context, &world.caller, picture(3), None).await;
    let Err(vintedbot_domain::Error::Rejected(rejection)) = refused else {
        panic!("it was taken");
    };
    assert_eq!(rejection.reason, Reason::RateLimited);
    assert_eq!(rejection.metadata["limit"], "uploads_per_minute");
    assert_eq!(rejection.retry_after_ms, Some(20_000));
    world.clock.advance(20_000);
    media::upload(&context, &world.caller, picture(3), None)
        .await
        .expect("the first one is a minute old");
    // The limit is per workspace.
    let stranger = world.stranger().await;
    media::upload(&context, &stranger, picture(4), None)
        .await
        .expect("there is room");
}

#[tokio::test]
async fn photo_limit_holds_for_concurrent_uploads() {
    concurrent_uploads_are_limited_to_three(World::new().await).await;
}

#[tokio::test]
async fn photo_limit_holds_for_concurrent_uploads_on_postgresql() {
    let server = Postgres::start().await.expect("starts");
    concurrent_uploads_are_limited_to_three(World::on(&server.url()).await).await;
    server.stop().await.expect("ends");
}

async fn concurrent_uploads_are_limited_to_three(world: World) {
    let mut settings = (*world.context.settings).clone();
    settings.limits.uploads_per_minute = 3;
    let context = vintedbot_domain::Context {
        settings: std::sync::Arc::new(settings),
        ..world.context.clone()
    };
    let uploads = (1..=8).map(|seed| media::upload(&context, &world.caller, picture(seed), None));
    let uploaded = futures::future::join_all(uploads).await;
    let taken = uploaded.iter().filter(|uploaded| uploaded.is_ok()).count();
    assert_eq!(taken, 3);
    for refused in uploaded {
        if refused.is_err() {
            assert_eq!(reason(refused), Some(Reason::RateLimited));
        }
    }
    let listed = media::list(&context, &world.caller, None, &page(50, "")).await;
    assert_eq!(listed.expect("a list").items.len(), 3);
}

/// Writes a tombstone for a file. `started`: the removal is in progress.
async fn marked(world: &World, sha256: &str, due_time: i64, started: bool) {
    let sha256 = sha256.to_owned();
    let written = world.context.store.write(move |tx| {
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
async fn file_under_deletion_is_stored_again_with_equal_content() {
    let world = World::new().await;
    let photo = world.photo(1).await;
    let key = files::photo_key(&photo.sha256).expect("a key");
    media::delete(&world.context, &world.caller, &photo.id, None)
        .await
        .expect("is deleted");
    assert!(!world.context.files.exists(&key).await.expect("answers"));

    // Another process is removing the file.
    marked(&world, &photo.sha256, i64::MAX, true).await;
    let (context, caller) = (world.context.clone(), world.caller.clone());
    let upload = tokio::spawn(async move { media::upload(&context, &caller, picture(1), None).await });
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert!(!upload.is_finished(), "the file is named while it goes");
    world.context.files.delete(&key).await.expect("goes");
    let sha256 = photo.sha256.clone();
    let ended = world.context.store.write(move |tx| {
        let sha256 = sha256.clone();
        async move { Ok(file_removals::Entity::delete_by_id(sha256).exec(tx).await?) }.boxed()
    });
    ended.await.expect("ends");

    upload.await.expect("runs").expect("is stored");
    assert!(world.context.files.exists(&key).await.expect("answers"));
}

#[tokio::test]
async fn marked_file_is_deleted_unless_used_again() {
    let world = World::new().await;
    let used = world.photo(1).await;
    let orphan = "ab".repeat(32);
    let key = files::photo_key(&orphan).expect("a key");
    let kept = files::photo_key(&used.sha256).expect("a key");
    world
        .context
        .files
        .put(&key, Bytes::from_static(b"left behind"))
        .await
        .expect("is put");
    marked(&world, &orphan, 0, true).await;
    marked(&world, &used.sha256, 0, false).await;
    assert_eq!(media::remove_marked(&world.context).await.expect("runs"), 1);
    assert!(!world.context.files.exists(&key).await.expect("answers"));
    assert!(world.context.files.exists(&kept).await.expect("answers"));
    assert_eq!(media::remove_marked(&world.context).await.expect("runs"), 0);
}
