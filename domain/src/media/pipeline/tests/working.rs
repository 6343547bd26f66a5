//! The memory budget of all photos, and the end of work whose caller is cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::process_until;
use super::super::work::{MEMORY, Stop, run};
use super::*;

#[test]
fn stopped_work_ends_without_a_photo() {
    let stop = Stop::default();
    stop.set();
    for (kind, bytes) in every_kind() {
        let ended = process_until(&bytes, &Limits::default(), &stop);
        assert_eq!(ended, Err(Error::Stopped), "{kind}");
    }
}

#[tokio::test]
async fn work_ends_when_its_caller_is_gone() {
    let (began, mut has_begun) = tokio::sync::mpsc::channel(1);
    let (ended, mut has_ended) = tokio::sync::mpsc::channel(1);
    let mut work = Box::pin(run(1, move |stop| {
        began.blocking_send(()).expect("is heard");
        while stop.check().is_ok() {
            std::thread::yield_now();
        }
        ended.blocking_send(()).expect("is heard");
    }));
    tokio::select! {
        _ = &mut work => panic!("the work ended before its caller"),
        begun = has_begun.recv() => begun.expect("begins"),
    }
    drop(work);
    let ended = tokio::time::timeout(Duration::from_secs(30), has_ended.recv()).await;
    ended.expect("ends soon").expect("ends");
}

#[test]
fn process_exit_does_not_wait_for_work() {
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    let (began, has_begun) = std::sync::mpsc::channel();
    let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
    let (ended, has_ended) = std::sync::mpsc::channel();
    runtime.spawn(run(1, move |_| {
        began.send(()).expect("is heard");
        goes_on.recv().expect("is released");
        ended.send(()).expect("is heard");
    }));
    has_begun.recv().expect("begins");
    // This happens at the end of `main`.
    drop(runtime);
    assert!(has_ended.try_recv().is_err(), "the runtime waited");
    go_on.send(()).expect("is heard");
    has_ended.recv().expect("ends");
}

#[tokio::test]
async fn work_waits_for_free_memory() {
    let is_over = Arc::new(AtomicBool::new(false));
    let (began, mut has_begun) = tokio::sync::mpsc::channel(1);
    let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
    let over = Arc::clone(&is_over);
    let first = tokio::spawn(run(MEMORY / 4 * 3, move |_| {
        began.blocking_send(()).expect("is heard");
        goes_on.recv().expect("is released");
        over.store(true, Ordering::SeqCst);
    }));
    has_begun.recv().await.expect("begins");
    let over = Arc::clone(&is_over);
    let mut second = Box::pin(run(MEMORY / 2, move |_| over.load(Ordering::SeqCst)));
    assert!(futures::poll!(&mut second).is_pending());
    go_on.send(()).expect("is heard");
    assert_eq!(
        second.await,
        Some(true),
        "the second began before the first ended"
    );
    first.await.expect("no panic");
}

#[tokio::test]
async fn decoder_panic_is_contained() {
    assert_eq!(run(1, |_| -> u8 { panic!("as a decoder would") }).await, None);
    assert_eq!(run(1, |_| 1).await, Some(1));
}
