//! `[limits]`: what is refused before any work is done.

use super::{asset, reader::Reader, schema::Key};
use crate::domain::amount::Amount;
use std::time::Duration;

const MAX_PER_CALL: Key = Key::text("limits", "max_per_call");
const MIN_PER_CALL: Key = Key::text("limits", "min_per_call");
const BODY_BYTES: Key = Key::integer("limits", "body_bytes");
const SESSIONS_PER_USER_PER_HOUR: Key = Key::integer("limits", "sessions_per_user_per_hour");
const SESSIONS_PER_MERCHANT_PER_HOUR: Key = Key::integer("limits", "sessions_per_merchant_per_hour");
const SESSIONS_PER_HOUR: Key = Key::integer("limits", "sessions_per_hour");
const MAX_GRANT_LAMPORTS: Key = Key::integer("limits", "max_grant_lamports");
const GRANTS_PER_USER_PER_DAY: Key = Key::integer("limits", "grants_per_user_per_day");
const GRANTS_PER_USER_PER_MONTH: Key = Key::integer("limits", "grants_per_user_per_month");
const UNPROVEN_GRANTS_PER_HOUR: Key = Key::integer("limits", "unproven_grants_per_hour");
const PREPARES_PER_IP_PER_SECOND: Key = Key::integer("limits", "prepares_per_ip_per_second");
const PREPARES_PER_SECOND: Key = Key::integer("limits", "prepares_per_second");
const CONCURRENT_PREPARES: Key = Key::integer("limits", "concurrent_prepares");
const UNVERIFIED_EXPOSURE: Key = Key::text("limits", "unverified_exposure");
const UNPROVEN_EXPOSURE: Key = Key::text("limits", "unproven_exposure");
const MAX_SESSION_SECONDS: Key = Key::integer("limits", "max_session_seconds");
const SESSIONS_PER_IP_PER_HOUR: Key = Key::integer("limits", "sessions_per_ip_per_hour");
const REQUESTS_PER_IP_PER_SECOND: Key = Key::integer("limits", "requests_per_ip_per_second");
const REQUEST_BURST_PER_IP: Key = Key::integer("limits", "request_burst_per_ip");
const VERIFY_PER_SESSION_PER_SECOND: Key = Key::integer("limits", "verify_per_session_per_second");
const SINGLE_PAYMENTS_PER_IP_PER_MINUTE: Key = Key::integer("limits", "single_payments_per_ip_per_minute");
const CONNECTIONS: Key = Key::integer("limits", "connections");
const CONNECTIONS_PER_IP: Key = Key::integer("limits", "connections_per_ip");
const FIRST_HEADER_TIMEOUT_SECONDS: Key = Key::integer("limits", "first_header_timeout_seconds");
const HEADER_TIMEOUT_SECONDS: Key = Key::integer("limits", "header_timeout_seconds");
const BODY_TIMEOUT_SECONDS: Key = Key::integer("limits", "body_timeout_seconds");
const WRITE_TIMEOUT_SECONDS: Key = Key::integer("limits", "write_timeout_seconds");
const CONCURRENT_REQUESTS: Key = Key::integer("limits", "concurrent_requests");
const CONCURRENT_REQUESTS_PER_IP: Key = Key::integer("limits", "concurrent_requests_per_ip");
const WAITING_PER_USER: Key = Key::integer("limits", "waiting_per_user");
const WAITING_PER_UNPROVEN_USER: Key = Key::integer("limits", "waiting_per_unproven_user");
const REQUEST_TIMEOUT_SECONDS: Key = Key::integer("limits", "request_timeout_seconds");
const LOW_BALANCE_LAMPORTS: Key = Key::integer("limits", "low_balance_lamports");

pub(super) const KEYS: &[Key] = &[
    MAX_PER_CALL,
    MIN_PER_CALL,
    BODY_BYTES,
    SESSIONS_PER_USER_PER_HOUR,
    SESSIONS_PER_MERCHANT_PER_HOUR,
    SESSIONS_PER_IP_PER_HOUR,
    SESSIONS_PER_HOUR,
    MAX_GRANT_LAMPORTS,
    GRANTS_PER_USER_PER_DAY,
    GRANTS_PER_USER_PER_MONTH,
    UNPROVEN_GRANTS_PER_HOUR,
    PREPARES_PER_IP_PER_SECOND,
    PREPARES_PER_SECOND,
    CONCURRENT_PREPARES,
    UNVERIFIED_EXPOSURE,
    UNPROVEN_EXPOSURE,
    MAX_SESSION_SECONDS,
    REQUESTS_PER_IP_PER_SECOND,
    REQUEST_BURST_PER_IP,
    VERIFY_PER_SESSION_PER_SECOND,
    SINGLE_PAYMENTS_PER_IP_PER_MINUTE,
    CONNECTIONS,
    CONNECTIONS_PER_IP,
    FIRST_HEADER_TIMEOUT_SECONDS,
    HEADER_TIMEOUT_SECONDS,
    BODY_TIMEOUT_SECONDS,
    WRITE_TIMEOUT_SECONDS,
    CONCURRENT_REQUESTS,
    CONCURRENT_REQUESTS_PER_IP,
    WAITING_PER_USER,
    WAITING_PER_UNPROVEN_USER,
    REQUEST_TIMEOUT_SECONDS,
    LOW_BALANCE_LAMPORTS,
];

/// A tenth of a SOL: nobody needs a larger grant for the rent of one decrypt allowance.
const MOST_GRANT_LAMPORTS: u64 = 100_000_000;

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The largest payment, in base units.
    pub max_per_call: Amount,
    /// The smallest payment, in base units.
    pub min_per_call: Amount,
    /// The largest request body.
    pub body_bytes: usize,
    /// Openings of sessions.
    pub openings: OpeningLimits,
    /// What a session may hold and capture while its approved amount is unverified, in base units.
    pub unverified_exposure: Amount,
    /// The most one transfer of a session carries while nothing proves its funding, in base units.
    pub unproven_exposure: Amount,
    /// Requests answered to one address in a second, over time; 0 for no limit.
    pub requests_per_ip_per_second: u32,
    /// Requests answered to one address at once.
    pub request_burst_per_ip: u32,
    /// Verifications of payments of one session in a second; 0 for no limit.
    pub verify_per_session_per_second: u32,
    /// Requests of single payments of one address in a minute; 0 for no limit.
    pub single_payments_per_ip_per_minute: u32,
    /// Connections.
    pub connections: ConnectionLimits,
    /// How long a request's body may take to come.
    pub body_timeout: Duration,
    /// Requests served at the same time.
    pub concurrent_requests: usize,
    /// Of them from one address; 0 for no limit.
    pub concurrent_requests_per_ip: usize,
    /// Of them that wait for one payer's transfers.
    pub waiting_per_user: usize,
    /// Of them that wait for the transfers of one payer whose balance nothing proves.
    pub waiting_per_unproven_user: usize,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// The balance below which a fee payer gets no new work and the service is not ready, in lamports.
    pub low_balance_lamports: u64,
}

/// How many sessions are opened, with what, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningLimits {
    /// Sessions one user may open in an hour; 0 for no limit, as in the next three.
    pub per_user_per_hour: u32,
    /// Sessions that may be opened with one merchant in an hour.
    pub per_merchant_per_hour: u32,
    /// Sessions that may be opened from one address in an hour.
    pub per_ip_per_hour: u32,
    /// Sessions all users together may open in an hour.
    pub per_hour: u32,
    /// The largest grant of an approve transaction that is co-signed, in lamports.
    pub max_grant_lamports: u64,
    /// Grants one user may get in a day; 0 for no limit.
    pub grants_per_user_per_day: u32,
    /// Grants one user may get in 30 days; 0 for no limit.
    pub grants_per_user_per_month: u32,
    /// How many grants all wallets together of which no balance is proved may get in an hour; 0 for no limit.
    pub unproven_grants_per_hour: u32,
    /// Approves that are prepared for one address in a second; 0 for no limit.
    pub prepares_per_ip_per_second: u32,
    /// Approves that are prepared for all addresses together in a second; 0 for no limit.
    pub prepares_per_second: u32,
    /// Approves that are prepared at the same time.
    pub concurrent_prepares: usize,
    /// The longest life of a session.
    pub max_session_seconds: u64,
}

/// How many connections are held, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// At the same time; 0 for no limit.
    pub most: usize,
    /// Of one address; 0 for no limit.
    pub per_ip: usize,
    /// How long a connection may take to send its first request's headers; none for as long as the next ones.
    pub first_header_timeout: Option<Duration>,
    /// How long a connection may take to send a request's headers; none for ever.
    pub header_timeout: Option<Duration>,
    /// How long a connection may take nothing of what it is told; none for ever.
    pub write_timeout: Option<Duration>,
}

impl LimitsConfig {
    /// Reads the section; amounts are in units of `[asset]`.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let decimals = asset::read_decimals(reader);
        let max_per_call = asset::read_amount(reader, &MAX_PER_CALL, decimals);
        if max_per_call == Some(Amount::ZERO) {
            reader.fault(&MAX_PER_CALL, "zero refuses every payment", "write an amount above zero");
        }
        let min_per_call = asset::read_least(reader, &MIN_PER_CALL, decimals);
        if min_per_call.zip(max_per_call).is_some_and(|(min, max)| min > max) {
            reader.fault(&MIN_PER_CALL, "above limits.max_per_call it refuses every payment", "write a smaller amount");
        }
        let body_bytes = reader.whole(&BODY_BYTES, 4_096..=2_097_152_usize);
        let openings = OpeningLimits::read(reader);
        let unverified_exposure = asset::read_amount(reader, &UNVERIFIED_EXPOSURE, decimals);
        let unproven_exposure = asset::read_amount(reader, &UNPROVEN_EXPOSURE, decimals);
        if unproven_exposure == Some(Amount::ZERO) {
            reader.fault(&UNPROVEN_EXPOSURE, "zero lets no transfer carry anything", "write an amount above zero");
        }
        let requests_per_ip_per_second = reader.whole(&REQUESTS_PER_IP_PER_SECOND, 0..=1_000_000_u32);
        let request_burst_per_ip = reader.whole(&REQUEST_BURST_PER_IP, 1..=1_000_000_u32);
        let verify_per_session_per_second = reader.whole(&VERIFY_PER_SESSION_PER_SECOND, 0..=1_000_000_u32);
        let single_payments_per_ip_per_minute = reader.whole(&SINGLE_PAYMENTS_PER_IP_PER_MINUTE, 0..=1_000_000_u32);
        let connections = ConnectionLimits::read(reader);
        let body_timeout = reader.whole(&BODY_TIMEOUT_SECONDS, 1..=600_u64).map(Duration::from_secs);
        let concurrent_requests = reader.whole(&CONCURRENT_REQUESTS, 1..=100_000_usize);
        let concurrent_requests_per_ip = reader.whole(&CONCURRENT_REQUESTS_PER_IP, 0..=100_000_usize);
        let waiting_per_user = reader.whole(&WAITING_PER_USER, 1..=100_000_usize);
        let waiting_per_unproven_user = reader.whole(&WAITING_PER_UNPROVEN_USER, 1..=100_000_usize);
        let request_timeout = reader.whole(&REQUEST_TIMEOUT_SECONDS, 1..=600_u64).map(Duration::from_secs);
        let low_balance_lamports = reader.whole(&LOW_BALANCE_LAMPORTS, 0..=1_000_000_000_000_u64);
        Some(Self {
            max_per_call: max_per_call?,
            min_per_call: min_per_call?,
            body_bytes: body_bytes?,
            openings: openings?,
            unverified_exposure: unverified_exposure?,
            unproven_exposure: unproven_exposure?,
            requests_per_ip_per_second: requests_per_ip_per_second?,
            request_burst_per_ip: request_burst_per_ip?,
            verify_per_session_per_second: verify_per_session_per_second?,
            single_payments_per_ip_per_minute: single_payments_per_ip_per_minute?,
            connections: connections?,
            body_timeout: body_timeout?,
            concurrent_requests: concurrent_requests?,
            concurrent_requests_per_ip: concurrent_requests_per_ip?,
            waiting_per_user: waiting_per_user?,
            waiting_per_unproven_user: waiting_per_unproven_user?,
            request_timeout: request_timeout?,
            low_balance_lamports: low_balance_lamports?,
        })
    }
}

impl OpeningLimits {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let per_user_per_hour = reader.whole(&SESSIONS_PER_USER_PER_HOUR, 0..=1_000_000_u32);
        let per_merchant_per_hour = reader.whole(&SESSIONS_PER_MERCHANT_PER_HOUR, 0..=10_000_000_u32);
        let per_ip_per_hour = reader.whole(&SESSIONS_PER_IP_PER_HOUR, 0..=10_000_000_u32);
        let per_hour = reader.whole(&SESSIONS_PER_HOUR, 0..=10_000_000_u32);
        let max_grant_lamports = reader.whole(&MAX_GRANT_LAMPORTS, 0..=MOST_GRANT_LAMPORTS);
        let grants_per_user_per_day = reader.whole(&GRANTS_PER_USER_PER_DAY, 0..=1_000_000_u32);
        let grants_per_user_per_month = reader.whole(&GRANTS_PER_USER_PER_MONTH, 0..=1_000_000_u32);
        let unproven_grants_per_hour = reader.whole(&UNPROVEN_GRANTS_PER_HOUR, 0..=1_000_000_u32);
        let prepares_per_ip_per_second = reader.whole(&PREPARES_PER_IP_PER_SECOND, 0..=1_000_000_u32);
        let prepares_per_second = reader.whole(&PREPARES_PER_SECOND, 0..=1_000_000_u32);
        let concurrent_prepares = reader.whole(&CONCURRENT_PREPARES, 1..=10_000_usize);
        let max_session_seconds = reader.whole(&MAX_SESSION_SECONDS, 60..=31_536_000_u64);
        Some(Self {
            per_user_per_hour: per_user_per_hour?,
            per_merchant_per_hour: per_merchant_per_hour?,
            per_ip_per_hour: per_ip_per_hour?,
            per_hour: per_hour?,
            max_grant_lamports: max_grant_lamports?,
            grants_per_user_per_day: grants_per_user_per_day?,
            grants_per_user_per_month: grants_per_user_per_month?,
            unproven_grants_per_hour: unproven_grants_per_hour?,
            prepares_per_ip_per_second: prepares_per_ip_per_second?,
            prepares_per_second: prepares_per_second?,
            concurrent_prepares: concurrent_prepares?,
            max_session_seconds: max_session_seconds?,
        })
    }
}

impl ConnectionLimits {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let most = reader.whole(&CONNECTIONS, 0..=1_000_000_usize);
        let per_ip = reader.whole(&CONNECTIONS_PER_IP, 0..=1_000_000_usize);
        let first_header_timeout = reader.whole(&FIRST_HEADER_TIMEOUT_SECONDS, 0..=600_u64);
        let header_timeout = reader.whole(&HEADER_TIMEOUT_SECONDS, 0..=600_u64);
        let write_timeout = reader.whole(&WRITE_TIMEOUT_SECONDS, 0..=600_u64);
        Some(Self {
            most: most?,
            per_ip: per_ip?,
            first_header_timeout: unless_zero(first_header_timeout?),
            header_timeout: unless_zero(header_timeout?),
            write_timeout: unless_zero(write_timeout?),
        })
    }
}

fn unless_zero(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}
