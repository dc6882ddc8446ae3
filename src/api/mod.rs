//! The use cases over HTTP: each route translates its body to the use case of its name and back.
//!
//! Promises that every answer on every status is the typed JSON of its surface (`spec/x402.md` §1.2: the payment
//! clients read bodies, not statuses), whatever goes wrong: unreadable bodies, overload, a missed deadline, a panic.
//! Limits stand before work (`spec/security.md` §1.3). Nothing confidential is logged: routes by their pattern, sessions
//! by their short hash, no bodies, no query.

mod error;
mod health;
mod http;
mod mpp;
mod openapi;
mod pay;
mod ready;
mod sessions;
mod settle;
mod starting;
mod supported;
mod verify;

pub use error::{pay_status, session_status};
pub use health::Identity;
pub use http::{
    rate_limit::{Rate, RateSettings},
    server::{ServerSettings, serve},
};
pub use sessions::signed_read::{READ_AT, READ_SIGNATURE};
pub use starting::starting;

use crate::{
    api::{
        http::{
            concurrency::CallerConcurrency,
            guard::{CallerLimits, Guard, RequestLimits, guarded},
            probe::Probe,
            rate_limit::{Counted, RateLimits},
            request_span,
            surface::{Fault, RouteSurface, Surface},
        },
        pay::get_amount,
        sessions::{
            allowances, close, close_all, events, funding, list, open, payment, prepare, revoke, revoke_offer, show,
        },
    },
    domain::chance::Chance,
    facilitator::Facilitator,
    wire::{
        facilitator::SupportedAnswer,
        header,
        mpp::{siwx::SIGN_IN_WITH_X, voucher::X_MPP_VOUCHER},
    },
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, Method, StatusCode, header as names},
    middleware,
    routing::{MethodRouter, any, get, post},
};
use solana_pubkey::Pubkey;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};

/// The routes that cost us most, transactions that others sign: their callers have a rate of their own.
const OPENINGS: [(&str, &str); 5] = [
    ("POST", "/sessions"),
    ("POST", "/sessions/revoke-offer"),
    ("POST", "/sessions/revoke"),
    ("POST", "/sessions/{id}/revoke"),
    ("POST", "/api/sessions/onboard/confirm"),
];
/// The route that asks the chain for whoever wants it: its callers have a rate of their own, and one all together.
const PREPARE: (&str, &str) = ("POST", "/sessions/prepare");
/// What the routes of single payments begin with: strangers encrypt, verify and sign by them, so they have a rate of their own.
const SINGLE_PAYMENTS: &str = "/pay/";
/// How long a browser may remember that it was allowed to call.
const PREFLIGHT_AGE: Duration = Duration::from_hours(24);
/// How many probes of each kind, liveness and readiness, are answered at once. They are counted apart from work: to restart
/// a process that is only busy, or to send nobody to it, makes it worse.
const MAX_CONCURRENT_PROBES: usize = 64;

/// What an operator decides about the HTTP API.
#[derive(Clone)]
pub struct ApiSettings {
    /// The largest body that is read, in bytes.
    pub max_body: usize,
    /// How long the whole of a body may take to come. It keeps no other request from being worked on.
    pub body_deadline: Duration,
    /// How many requests are worked on at once; more are told to come back.
    pub max_concurrent: usize,
    /// How many requests of one address are read or worked on at once; none for no limit of its own.
    pub max_concurrent_per_ip: Option<usize>,
    /// The longest any request takes once its body is there. Longer than the facilitator's own answer deadline, which it
    /// only backs up.
    pub deadline: Duration,
    /// The browsers' origins that may call; none means all (`spec/session.md` §1, CORS).
    pub origins: Option<Vec<HeaderValue>>,
    /// How often one address may ask.
    pub rates: RateSettings,
    /// The status of `/settle` for a refusal that has no status of its own.
    pub refused_settlement: StatusCode,
    /// How long an answer of `/ready` is given again, so that many probes cost no more than one.
    pub ready_for: Duration,
    /// Where request ids come from.
    pub chance: Arc<dyn Chance>,
}

impl ApiSettings {
    /// What the default configuration says: 64 KiB within 5 seconds, 2,048 requests, 60 seconds (official clients give
    /// up after 90), all origins; but no limits per address, which depend on what stands before the router.
    pub fn new(chance: Arc<dyn Chance>) -> Self {
        Self {
            max_body: 64 * 1024,
            body_deadline: Duration::from_secs(5),
            max_concurrent: 2048,
            max_concurrent_per_ip: None,
            deadline: Duration::from_mins(1),
            origins: None,
            rates: RateSettings::default(),
            refused_settlement: StatusCode::OK,
            ready_for: Duration::ZERO,
            chance,
        }
    }
}

/// What handlers work with. Copied for every request, so it is one pointer.
#[derive(Clone)]
struct App(Arc<Parts>);

impl App {
    fn new(facilitator: Arc<Facilitator>, settings: &ApiSettings) -> Self {
        let served = facilitator.supported();
        Self(Arc::new(Parts {
            supported: supported::answer(&served),
            health: health::answer(Identity {
                spender: served.spender,
                network: served.network.alias().to_owned(),
                asset: served.asset,
            }),
            ready: ready::ReadyCache::new(settings.ready_for),
            network: served.network,
            asset: served.asset,
            decimals: served.decimals,
            refused_settlement: settings.refused_settlement,
            rates: Arc::new(RateLimits::new(&settings.rates)),
            facilitator,
        }))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What all routes share.
struct Parts {
    facilitator: Arc<Facilitator>,
    supported: SupportedAnswer,
    health: health::HealthAnswer,
    ready: ready::ReadyCache,
    network: crate::domain::network::Network,
    asset: Pubkey,
    decimals: u8,
    refused_settlement: StatusCode,
    rates: Arc<RateLimits>,
}

/// One line of the API document: a method, a path, and what serves it.
struct Route {
    method: &'static str,
    path: &'static str,
    surface: Surface,
    service: MethodRouter<App>,
}

/// The API, line by line.
fn routes() -> [Route; 35] {
    let route = |method, path, surface, service| Route { method, path, surface, service };
    [
        route("GET", "/health", Surface::Plain, get(health::health)),
        route("GET", "/ready", Surface::Plain, get(ready::ready)),
        route("GET", "/supported", Surface::Plain, get(supported::supported)),
        route("GET", "/openapi.json", Surface::Plain, get(openapi::document)),
        route("POST", "/sessions", Surface::Sessions, post(open::open)),
        route("GET", "/sessions", Surface::Sessions, get(list::list)),
        route("POST", "/sessions/prepare", Surface::Sessions, post(prepare::prepare)),
        route("POST", "/sessions/close", Surface::Sessions, post(close_all::close_all)),
        route("POST", "/sessions/revoke-offer", Surface::Sessions, post(revoke_offer::offer)),
        route("POST", "/sessions/revoke", Surface::Sessions, post(revoke::revoke)),
        route("GET", "/sessions/{id}", Surface::Sessions, get(show::show)),
        route("POST", "/sessions/{id}/allowances", Surface::Sessions, post(allowances::refresh)),
        route("POST", "/sessions/{id}/close", Surface::Sessions, post(close::close)),
        route("POST", "/sessions/{id}/revoke", Surface::Sessions, post(revoke::revoke_of_session)),
        route("GET", "/sessions/{id}/payments/{payment}", Surface::Sessions, get(payment::show)),
        route("GET", "/sessions/{id}/events", Surface::Sessions, get(events::listen)),
        route("POST", "/sessions/{id}/funding", Surface::Sessions, post(funding::prove)),
        route("POST", "/verify", Surface::Verify, post(verify::verify)),
        route("POST", "/settle", Surface::Settle, post(settle::settle)),
        route("GET", "/pay/getAmount", Surface::Plain, get(get_amount::explain)),
        route("POST", "/pay/getAmount", Surface::Plain, post(get_amount::encrypt)),
        route("POST", "/pay/verify", Surface::Verify, post(pay::verify::verify)),
        route("POST", "/pay/settle", Surface::Settle, post(pay::settle::settle)),
        route("POST", "/mpp/prepare", Surface::Mpp, post(mpp::prepare::prepare)),
        route("POST", "/mpp/settle", Surface::Mpp, post(mpp::settle::settle)),
        route("GET", "/mpp/stats", Surface::Mpp, get(mpp::stats::stats)),
        route("GET", "/mpp/keys", Surface::Mpp, get(mpp::keys::keys)),
        route("POST", "/api/sessions/onboard", Surface::Mpp, post(mpp::onboard::onboard)),
        route("POST", "/api/sessions/onboard/confirm", Surface::Mpp, post(mpp::confirm::confirm)),
        route("GET", "/api/sessions/onboard/status", Surface::Mpp, get(mpp::status::status)),
        route("POST", "/api/sessions/leave", Surface::Mpp, post(mpp::leave::leave)),
        route("POST", "/mpp/session/open", Surface::Mpp, post(mpp::session::open::open)),
        route("POST", "/mpp/session/voucher", Surface::Mpp, post(mpp::session::voucher::voucher)),
        route("POST", "/mpp/session/close", Surface::Mpp, post(mpp::session::close::close)),
        route("GET", "/mpp/session/{id}", Surface::Mpp, get(mpp::session::show::show)),
    ]
}

/// Every method and path that is served, for the document to be held against.
pub fn served() -> Vec<(&'static str, &'static str)> {
    routes().iter().map(|route| (route.method, route.path)).collect()
}

/// The whole API of one facilitator.
pub fn router(facilitator: Arc<Facilitator>, settings: &ApiSettings) -> Router {
    let app = App::new(facilitator, settings);
    let spelling: Arc<str> = app.network.alias().into();
    let route_surface = |surface| RouteSurface { surface, network: Arc::clone(&spelling) };
    let work = Arc::new(Semaphore::new(settings.max_concurrent));
    let [liveness, readiness] = [(); 2].map(|()| Arc::new(Semaphore::new(MAX_CONCURRENT_PROBES)));
    let callers = CallerLimits {
        rates: Arc::clone(&app.rates),
        concurrency: CallerConcurrency::new(settings.max_concurrent_per_ip),
    };
    let limits = RequestLimits {
        body: settings.max_body,
        body_within: settings.body_deadline,
        answer_within: settings.deadline,
    };
    let mut router = Router::new();
    let mut paths = HashSet::new();
    for Route { method, path, surface, service } in routes() {
        let probe = Probe::of(path);
        let permits = match probe {
            Some(Probe::Liveness) => &liveness,
            Some(Probe::Readiness) => &readiness,
            None => &work,
        };
        let counted_as = counted(method, path);
        // Probes are asked by the operator's supervisor, often through the same proxy as everybody, and cost next to nothing.
        let counts = probe.is_none() && (callers.rates.apply(counted_as) || callers.concurrency.are_limited());
        let guard = Guard {
            surface: route_surface(surface),
            callers: counts.then(|| callers.clone()),
            counted_as,
            work: Arc::clone(permits),
            limits,
        };
        let is_first = paths.insert(path);
        // What is not served has no methods, and one line of a path answers for all of them.
        let service = match surface {
            Surface::Mpp if !app.facilitator.serves_mpp() && is_first => any(mpp::disabled),
            Surface::Mpp if !app.facilitator.serves_mpp() => continue,
            // One line of a path answers the methods that none of its lines has.
            _ if is_first => refusing_other_methods(service, &guard.surface),
            _ => service,
        };
        router = router.route(path, behind(service, guard));
    }
    let unknown = route_surface(Surface::Plain);
    router
        .fallback(move || async move { unknown.refuse(Fault::NoSuchRoute) })
        .with_state(app)
        // Together: each layer of a router for itself costs every request a box or two.
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn_with_state(Arc::clone(&settings.chance), request_span::observed))
                .layer(cors(settings))
                // The guard has read the body already, and no more of it than may be.
                .layer(DefaultBodyLimit::disable()),
        )
}

/// Which rate limit a request counts against.
fn counted(method: &str, path: &str) -> Counted {
    match path {
        _ if OPENINGS.contains(&(method, path)) => Counted::Opening,
        _ if (method, path) == PREPARE => Counted::Prepare,
        path if method == "POST" && path.starts_with(SINGLE_PAYMENTS) => Counted::SinglePayment,
        _ => Counted::Request,
    }
}

/// A route that refuses other methods in its surface's own format.
fn refusing_other_methods<S: Clone + Send + Sync + 'static>(
    service: MethodRouter<S>,
    surface: &RouteSurface,
) -> MethodRouter<S> {
    let surface = surface.clone();
    service.fallback(move || async move { surface.refuse(Fault::WrongMethod) })
}

/// A route that answers in its surface's own format whatever happens to it.
fn behind<S: Clone + Send + Sync + 'static>(service: MethodRouter<S>, guard: Guard) -> MethodRouter<S> {
    let panicking = guard.surface.clone();
    service.layer(
        ServiceBuilder::new()
            .layer(CatchPanicLayer::custom(move |_| panicking.refuse(Fault::Panicked)))
            .layer(middleware::from_fn_with_state(Arc::new(guard), guarded)),
    )
}

/// Published clients run in browsers: open to all unless an operator narrows it, and never with credentials.
fn cors(settings: &ApiSettings) -> CorsLayer {
    let origins = settings.origins.clone().map_or_else(AllowOrigin::any, AllowOrigin::list);
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            names::CONTENT_TYPE,
            HeaderName::from_static(header::PAYMENT_SIGNATURE),
            HeaderName::from_static(header::X_PAYMENT),
            HeaderName::from_static(READ_AT),
            HeaderName::from_static(READ_SIGNATURE),
            HeaderName::from_static(events::LAST_EVENT_ID),
            names::AUTHORIZATION,
            HeaderName::from_static(SIGN_IN_WITH_X),
            HeaderName::from_static(X_MPP_VOUCHER),
        ])
        .expose_headers([names::RETRY_AFTER, HeaderName::from_static(request_span::REQUEST_ID)])
        .max_age(PREFLIGHT_AGE)
}
