//! Upload URLs, each of which accepts one photo without a token.

use bytes::Bytes;
use vintedbot_domain::Reason;
use vintedbot_domain::media::{self, Uploaded};

use crate::support::{World, page, picture, reason, request_id, violated};

async fn redeem(world: &World, signed: &str, bytes: Bytes) -> vintedbot_domain::Result<Uploaded> {
    let ticket = media::open_ticket(&world.context, signed, None).await?;
    ticket.redeem(&world.context, bytes).await
}

#[tokio::test]
async fn upload_ticket_accepts_the_announced_file_until_expiry() {
    let world = World::new().await;
    let photo = picture(1);
    let size = Some(photo.bytes.len() as u64);
    let ticket =
        media::upload_ticket(&world.context, &world.caller, "1.png", size, request_id()).expect("a ticket");
    let signed = ticket
        .path
        .strip_prefix("/media/upload/")
        .expect("is taken there");
    let other_size = photo.bytes.slice(1..);
    assert_eq!(
        violated(redeem(&world, signed, other_size.clone()).await),
        ["size_bytes"]
    );
    let announced = media::open_ticket(&world.context, signed, Some(other_size.len() as u64)).await;
    assert_eq!(violated(announced), ["size_bytes"], "before anything came");
    let stored = redeem(&world, signed, photo.bytes.clone())
        .await
        .expect("is stored");
    assert_eq!(
        (stored.photo.workspace_id, stored.photo.file_name.as_str()),
        (world.caller.workspace_id.clone(), "1.png")
    );
    let again = redeem(&world, signed, photo.bytes.clone())
        .await
        .expect("is safe");
    assert!(again.existing);

    let (media_path, _) = media::signed_path(
        &world.context,
        &world.caller.link_holder(),
        "photos/x",
        "image/jpeg",
    )
    .expect("a path");
    let foreign = media_path.strip_prefix("/media/").expect("is served there");
    let refused = media::open_ticket(&world.context, foreign, None).await;
    assert_eq!(reason(refused), Some(Reason::UploadUrlInvalid));
    world.clock.advance(world.context.settings.signed_url_ms);
    let late = media::open_ticket(&world.context, signed, None).await;
    assert_eq!(reason(late), Some(Reason::UploadUrlExpired));
    let huge = media::upload_ticket(
        &world.context,
        &world.caller,
        "1.png",
        Some(u64::MAX),
        Some("x".to_owned()),
    );
    assert_eq!(violated(huge), ["size_bytes", "request_id"]);
}

#[tokio::test]
async fn upload_link_stores_one_photo_and_no_other() {
    let world = World::new().await;
    for request_id in [None, request_id()] {
        let ticket = media::upload_ticket(&world.context, &world.caller, "1.png", None, request_id);
        let path = ticket.expect("a ticket").path;
        let signed = path.strip_prefix("/media/upload/").expect("is taken there");
        let redeem = |seed| redeem(&world, signed, picture(seed).bytes);
        let no_picture = self::redeem(&world, signed, Bytes::new()).await;
        assert_eq!(
            reason(no_picture),
            Some(Reason::PhotoNotAnImage),
            "uses up nothing"
        );
        let stored = redeem(1).await.expect("is stored");
        assert_eq!(redeem(1).await.expect("is the same").photo.id, stored.photo.id);
        assert_eq!(reason(redeem(2).await), Some(Reason::RequestIdReused));
        media::delete(&world.context, &world.caller, &stored.photo.id, None)
            .await
            .expect("is deleted");
        assert_eq!(
            reason(redeem(2).await),
            Some(Reason::RequestIdReused),
            "after a deletion"
        );
    }
    let photos = media::list(&world.context, &world.caller, None, &page(0, "")).await;
    assert_eq!(photos.expect("lists").items, []);
}
