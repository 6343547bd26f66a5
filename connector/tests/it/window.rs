//! The window of an attempt, as it is watched while a person has it.

use std::time::Duration;

use vintedbot_marketplace::{Ending, Error, Language, Marketplace, Window, WriteError};

use crate::site::{Allowed, Site, Steps, content, photos, seat};

#[tokio::test]
async fn a_window_is_where_its_page_is_until_it_is_closed() {
    let site = Site::start().await;
    let connector = site.browser();
    let seat = seat(Language::Fr);
    let photos = photos(1);
    let content = content(&connector, &seat, &photos).await;
    let request = site.request(content, photos);
    let mut composer = connector.compose(&seat, request).await.expect("a browser");
    composer.fill(&Steps::default()).await.expect("a filled form");
    let Window::Open(address) = composer.window().await else {
        panic!("it is open")
    };
    assert!(address.ends_with("/items/new"), "{address}");

    // There is no screen here, so that nobody could see it.
    assert!(matches!(composer.hand_over().await, Err(Error::Browser(_))));
    // It was the person's all the same, and is not clicked by us any more.
    assert!(matches!(
        composer.save_draft(&Allowed).await,
        Err(WriteError::NotSent(_))
    ));
    assert!(site.records("draft_saved").await.is_empty());

    let browser = composer.identity().browser.expect("a browser");
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(browser.pid).expect("a number")).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it can be ended");
    let closed = async {
        while composer.window().await != Window::Closed {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed)
        .await
        .expect("a browser that is gone has no window");
    assert_eq!(composer.quit().await, Ending::Ended);
}
