//! A service with one method whose message contains photos. Only that method accepts large messages, and it waits for a
//! slot before its message is read.

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

use super::admission::Admission;

/// The service twice: with the message limit of photos, and with the limit of all other calls.
#[derive(Clone, Debug)]
pub struct PhotoMethods<S> {
    pub with_photos: S,
    pub others: S,
    /// The path of the method whose message contains photos.
    pub path: &'static str,
    pub admission: Arc<Admission>,
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
        // The generated services are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() != self.path {
            return self.others.call(request).boxed();
        }
        let (mut service, admission) = (self.with_photos.clone(), Arc::clone(&self.admission));
        async move {
            let workspace_id = request
                .extensions()
                .get::<Caller>()
                .map_or_else(String::new, |caller| caller.workspace_id.clone());
            match admission.message(&workspace_id).await {
                Ok(_slot) => service.call(request).await,
                Err(problem) => Ok(Status::from(problem).into_http()),
            }
        }
        .boxed()
    }
}
