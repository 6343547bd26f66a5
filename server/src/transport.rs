//! The port, which serves everything, and the layers that a call passes, from the outside in:
//!
//! connection admitted -> deadline recorded -> call counted on its connection -> CORS -> request id and span -> either
//! a plain HTTP route, or gRPC-web translation -> deadline enforced, errors completed, call logged -> caller authorized
//! -> service.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tower::ServiceExt as _;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use vintedbot_domain::Context;
use vintedbot_proto::FILE_DESCRIPTOR_SET;

use crate::calls::{self, StampDeadline, X_REQUEST_ID};
use crate::connections::{self, Registry};
use crate::media::admission::Admission;
use crate::state::ServerState;
use crate::{Config, Error, auth, http_api};

/// The time for which a browser may cache a CORS preflight response.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(2 * 3600);
/// Shorter than the idle limits of common proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// The flow-control window of an HTTP/2 stream, in bytes.
///
/// The body of a call that waits is not read, so it can fill its stream's window. The window of a connection therefore
/// holds those of all its streams. Otherwise the calls that hold a slot receive no data, and no slot becomes free.
const STREAM_WINDOW: u32 = 128 << 10;

/// Serves a listener until `shutdown` is cancelled and all running calls have ended, or [`Config::drain_timeout`] has
/// passed.
pub async fn serve(
    listener: TcpListener,
    context: Context,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let drain_timeout = config.drain_timeout;
    let streams = config.connections.streams;
    let registry = Registry::new(config.connections.clone());
    let spool = config
        .spool_dir
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join("vintedbot-spool"));
    let admission = Admission::open(&spool).map_err(|error| Error::Spool { path: spool, error })?;
    let state = ServerState {
        context,
        admission: admission.into(),
        config: config.into(),
        connections: registry.clone(),
        shutdown: shutdown.clone(),
    };
    let app = StampDeadline(app(state).await?);
    let incoming = connections::accept(listener, registry);
    let server = Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(Some(streams))
        .initial_stream_window_size(Some(STREAM_WINDOW))
        .initial_connection_window_size(Some(streams.saturating_mul(STREAM_WINDOW)))
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .serve_with_incoming_shutdown(app, incoming, shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain_timeout).await;
    };
    tokio::select! {
        result = server => Ok(result?),
        () = drained => {
            tracing::warn!("some calls did not end within the drain timeout; their connections are dropped");
            Ok(())
        }
    }
}

async fn app(state: ServerState) -> Result<Router, Error> {
    let cors = cors(&state.config.allowed_origins)?;
    let grpc = grpc(&state).await?;
    let dispatch = move |request: Request| {
        let grpc = grpc.clone();
        async move { route(grpc, request).await }
    };
    Ok(http_api::routes(state.clone())
        .layer(from_fn(calls::log_http))
        .fallback(dispatch)
        .layer(from_fn_with_state(state, calls::identify))
        .layer(cors)
        .layer(from_fn(connections::count_call)))
}

async fn route(grpc: Router, request: Request) -> Response {
    if !calls::is_grpc(&request) {
        return http_api::fallback(&request);
    }
    grpc.oneshot(request)
        .await
        .unwrap_or_else(|error: Infallible| match error {})
}

async fn grpc(state: &ServerState) -> Result<Router, Error> {
    let mut routes = Routes::builder();
    crate::identity::add(&mut routes, state);
    crate::accounts::add(&mut routes, state);
    crate::catalog::add(&mut routes, state);
    crate::media::add(&mut routes, state);
    crate::listings::add(&mut routes, state);
    crate::publishing::add(&mut routes, state);
    crate::wardrobe::add(&mut routes, state);
    crate::inbox::add(&mut routes, state);
    crate::templates::add(&mut routes, state);
    crate::events::add(&mut routes, state);
    crate::webhooks::add(&mut routes, state);
    crate::search::add(&mut routes, state);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // With this descriptor set, grpcurl prints the details of errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(reflection().build_v1()?);
    routes.add_service(reflection().build_v1alpha()?);
    let (reporter, health) = tonic_health::server::health_reporter();
    routes.add_service(health);
    let shutdown = state.shutdown.clone();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        reporter.set_service_status("", ServingStatus::NotServing).await;
    });
    Ok(routes
        .routes()
        .prepare()
        .into_axum_router()
        .layer(from_fn_with_state(state.clone(), auth::authenticate))
        .layer(from_fn_with_state(state.clone(), calls::account))
        .layer(tonic_web::GrpcWebLayer::new()))
}

fn cors(origins: &[String]) -> Result<CorsLayer, Error> {
    let allow = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(
            origins
                .iter()
                .map(|origin| origin_header(origin))
                .collect::<Result<Vec<_>, _>>()?,
        )
    };
    // Without `allow_credentials`, pages of other origins can use tokens but never cookies: a browser refuses to send
    // them a request with cookies and the header `x-csrf-protection`, does not show them the response to a request with
    // cookies, and does not store cookies for them.
    Ok(CorsLayer::new()
        .allow_origin(allow)
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers(AllowHeaders::mirror_request())
        // Allows a page on the public web to call a server on the user's own machine.
        .allow_private_network(true)
        .max_age(PREFLIGHT_MAX_AGE)
        .expose_headers([
            HeaderName::from_static("grpc-status"),
            HeaderName::from_static("grpc-message"),
            HeaderName::from_static("grpc-status-details-bin"),
            X_REQUEST_ID,
        ]))
}

fn origin_header(origin: &str) -> Result<HeaderValue, Error> {
    let wrong = || Error::Origin(origin.to_owned());
    let trimmed = origin.trim_end_matches('/');
    let uri: http::Uri = trimmed.parse().map_err(|_| wrong())?;
    if uri.scheme().is_none() || uri.authority().is_none() || uri.path() != "/" {
        return Err(wrong());
    }
    HeaderValue::from_str(trimmed).map_err(|_| wrong())
}
