//! The API of a service whose start takes long, mostly because its Solana RPC does not answer: alive, not ready, and taking
//! nothing yet.
//!
//! A supervisor restarts a process whose `/health` is silent, which ends the wait and helps nobody. So a start that has to
//! wait answers meanwhile: `/health` as always, `/ready` with what it waits for, and every other route, in the format of its
//! surface, that the caller is to come back.

use crate::{
    api::{
        ApiSettings, Identity, cors, health,
        http::{
            request_span,
            surface::{Fault, RouteSurface, Surface},
        },
        ready::ReadyAnswer,
        refusing_other_methods, routes,
    },
    domain::chance::Chance,
};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, header::CONNECTION},
    middleware,
    response::Response,
    routing::{any, get},
};
use std::{collections::HashSet, future::ready, sync::Arc};
use tokio::sync::watch;
use tower::ServiceBuilder;

/// When callers are told to come back, in seconds.
const COME_BACK_SECONDS: u64 = 5;

/// What the start waits for, as far as it has been told.
type Waiting = watch::Receiver<Option<String>>;

/// The routes of a service that is not there yet; `waiting` tells what for.
pub fn starting(identity: Identity, waiting: Waiting, settings: &ApiSettings) -> Router {
    let network: Arc<str> = identity.network.as_str().into();
    let alive = health::answer(identity);
    let plain = RouteSurface { surface: Surface::Plain, network: Arc::clone(&network) };
    let mut router = Router::new()
        .route("/health", refusing_other_methods(get(move || ready(Json(alive.clone()))), &plain))
        .route("/ready", refusing_other_methods(get(not_ready), &plain))
        .with_state(waiting);
    let mut paths = HashSet::from(["/health", "/ready"]);
    for route in routes().into_iter().filter(|route| paths.insert(route.path)) {
        let surface = RouteSurface { surface: route.surface, network: Arc::clone(&network) };
        router = router
            .route(route.path, any(move || ready(surface.refuse_until(Fault::Starting, Some(COME_BACK_SECONDS)))));
    }
    let chance: Arc<dyn Chance> = Arc::clone(&settings.chance);
    router.fallback(move || async move { plain.refuse(Fault::NoSuchRoute) }).layer(
        ServiceBuilder::new()
            .layer(middleware::map_response(on_a_connection_that_ends))
            .layer(middleware::from_fn_with_state(chance, request_span::observed))
            .layer(cors(settings)),
    )
}

/// Ends the connection after the answer: one that is kept would go on being answered by the start.
async fn on_a_connection_that_ends(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn not_ready(State(waiting): State<Waiting>) -> Response {
    let told = waiting.borrow().clone();
    let detail = told.unwrap_or_else(|| "it asks the Solana RPC and picks up what is unfinished".to_owned());
    ReadyAnswer::failing("start", detail).response()
}
