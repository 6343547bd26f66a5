//! Rebuilding the search index by command, beside a running instance.

use futures::TryStreamExt as _;
use vintedbot_sdk::v1::{ListListingsRequest, SearchListingsRequest};

use crate::rig::Home;

#[tokio::test]
async fn index_is_rebuilt_beside_a_running_instance() {
    let home = Home::new();
    let instance = home.start(&["--seed"], &[]).await;
    let client = instance.client().await;
    let listings: Vec<_> = client
        .listings()
        .list(ListListingsRequest::default())
        .try_collect()
        .await
        .expect("listings");
    let run = home
        .command(&["search", "rebuild"], &[])
        .output()
        .await
        .expect("it runs");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(
        run.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let last = printed.lines().last().unwrap_or_default();
    assert!(last.starts_with("search index: complete after "), "{printed}");
    for listing in listings.iter().filter(|listing| !listing.title.is_empty()) {
        let request = SearchListingsRequest {
            query: listing.title.to_uppercase(),
            ..Default::default()
        };
        let found: Vec<_> = client
            .listings()
            .search(request)
            .try_collect()
            .await
            .expect("results");
        let ids = found.into_iter().filter_map(|result| result.listing);
        assert!(
            ids.map(|found| found.id).any(|id| id == listing.id),
            "{}",
            listing.title
        );
    }
    assert!(instance.stop().await.success());
}
