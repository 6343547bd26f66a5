//! Answers that replace the handler's answer; the request has no effect.

use axum::Json;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::ReaderStream;

use super::{Asked, Fired};
use crate::api::Refusal;
use crate::listener::Peer;
use crate::pages::challenge;

/// Returns the answer of the first behaviour that replaces the handler, or `None`.
pub fn answer(fired: &Fired, asked: &Asked, peer: &Peer) -> Option<Response> {
    let is_page = asked.operation.is_page();
    if fired.any(|action| action.reset) {
        return Some(reset(peer));
    }
    if fired.any(|action| action.status_403) {
        return Some(challenge::blocked(is_page, asked.visitor.locale));
    }
    if fired.any(|action| action.captcha_page) {
        return Some(challenge::captcha(StatusCode::OK, asked.visitor.locale));
    }
    let challenged = fired.iter().filter_map(|action| action.challenge);
    if let Some(answer) = challenged
        .into_iter()
        .find_map(|kind| challenge::answer(kind, asked))
    {
        return Some(answer);
    }
    if let Some(scripted) = fired.iter().find_map(|action| action.answer.clone()) {
        let status = StatusCode::from_u16(scripted.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let location = scripted.location.map(|location| [(header::LOCATION, location)]);
        return Some((status, location, Json(scripted.json)).into_response());
    }
    if fired.any(|action| action.redirect_loop) {
        return Some(Redirect::to("/redirect/there").into_response());
    }
    if fired.any(|action| action.never_finishes) {
        return Some(half(is_page));
    }
    if fired.any(|action| action.download) {
        let headers = [
            (header::CONTENT_TYPE, "application/octet-stream"),
            (header::CONTENT_DISPOSITION, "attachment; filename=\"page.bin\""),
        ];
        return Some((headers, "not a page").into_response());
    }
    if fired.any(|action| action.redirect_home) {
        return Some(Redirect::to("/").into_response());
    }
    let error = fired.iter().find_map(|action| action.reject.clone())?;
    Some(Refusal::Validation(vec![error]).into_response())
}

/// Closes the connection without an answer.
pub fn reset(peer: &Peer) -> Response {
    peer.cut();
    StatusCode::NO_CONTENT.into_response()
}

/// Returns the headers and the beginning of an answer; the rest is never sent.
fn half(is_page: bool) -> Response {
    let (kind, beginning) = if is_page {
        (
            "text/html; charset=utf-8",
            "<!doctype html>\n<html><head><title>Practice</title></head><body><header>Practice</header><main>",
        )
    } else {
        ("application/json", "{\"code\":0,")
    };
    let stream = ReaderStream::new(Unfinished(beginning.as_bytes()));
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(stream)).into_response()
}

/// A body that yields its data and then never ends.
struct Unfinished(&'static [u8]);

impl AsyncRead for Unfinished {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let (now, later) = self.0.split_at(self.0.len().min(buf.remaining()));
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}
