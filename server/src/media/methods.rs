//! A service of which one method takes photos in its message: that one alone may have a large message, and waits before
//! its message is read until there is room for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt as _};
use http::Request;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;
use vintedbot_domain::identity::Caller;

use super::gate::Gate;

/// The service twice: with the message limit of photos, and with that of all other calls.
#[derive(Clone, Debug)]
pub struct PhotoMethods<S> {
    pub with_photos: S,
    pub others: S,
    /// The path of the method that takes photos.
    pub path: &'static str,
    pub gate: Arc<Gate>,
}

impl<S: NamedService> NamedService for PhotoMethods<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for PhotoMethods<S>
where
    S: Service<Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<S::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The generated services always are.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != self.path {
            return self.others.call(request).boxed();
        }
        let (mut service, gate) = (self.with_photos.clone(), Arc::clone(&self.gate));
        async move {
            let owner_id = request
                .extensions()
                .get::<Caller>()
                .map_or_else(String::new, |caller| caller.owner_id.clone());
            match gate.message(&owner_id).await {
                Ok(_room) => service.call(request).await,
                Err(problem) => Ok(Status::from(problem).into_http()),
            }
        }
        .boxed()
    }
}
