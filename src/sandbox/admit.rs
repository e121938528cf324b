//! In front of every request to the target: counting, latency, outages, throttling, credentials.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Json, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use secrecy::ExposeSecret;
use serde_json::json;

use super::connection::Cut;
use super::counts::Counter;
use super::routes::{endpoint, lock};
use super::schedule::{How, RetryAfter};
use super::state::Accounts;
use super::token::Token;
use super::{AccountReport, Counts, SandboxError, SandboxOptions};
use crate::clock;

/// Everything the handlers share.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) options: SandboxOptions,
    limiter: Option<DefaultDirectRateLimiter>,
    token: Option<Mutex<Token>>,
    pub(super) accounts: Mutex<Accounts>,
    counter: Mutex<Counter>,
    /// When the first request arrived, from which storms and outages are counted.
    first: OnceLock<Instant>,
}

/// Marks a response that must not arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostReply;

impl Sandbox {
    pub(super) fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let limit = |rate: NonZeroU32| RateLimiter::direct(Quota::per_second(rate));
        let token = options.faults.token.clone().map(|fault| {
            let file = fault.file.clone();
            Token::new(fault, options.seed).map_err(|source| SandboxError::Token { file, source })
        });
        Ok(Self {
            limiter: options.faults.rate.map(limit),
            token: token.transpose()?.map(Mutex::new),
            accounts: Mutex::new(Accounts::new(options.pace, options.seed)),
            counter: Mutex::default(),
            first: OnceLock::new(),
            options,
        })
    }

    pub(super) fn counts(&self) -> Counts {
        lock(&self.counter).counts()
    }

    pub(super) fn accounts(&self) -> Vec<AccountReport> {
        lock(&self.accounts).report(Instant::now())
    }

    /// How a request is met now if there is an outage, and how much of it is left.
    pub(super) fn outage(&self) -> Option<(How, Duration)> {
        let elapsed = self.first.get()?.elapsed();
        self.options.faults.outages.iter().find_map(|outage| Some((outage.how, outage.left(elapsed)?)))
    }

    /// How long a request must wait that comes too early, and in which form it is told.
    fn throttle(&self) -> Option<(Duration, RetryAfter)> {
        let elapsed = self.first.get().map(Instant::elapsed).unwrap_or_default();
        let storm = self.options.faults.storms.iter().find_map(|storm| Some((storm.left(elapsed)?, storm.retry_after)));
        storm.or_else(|| {
            let until = self.limiter.as_ref()?.check().err()?;
            Some((until.wait_time_from(DefaultClock::default().now()), RetryAfter::Seconds))
        })
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
        let given = given.strip_prefix("Token ").unwrap_or(given);
        match (&self.token, &self.options.api_key) {
            (Some(token), _) => lock(token).admits(given),
            (None, Some(key)) => given == key.expose_secret(),
            (None, None) => true,
        }
    }
}

/// Counts a request, and lets it in or not.
pub(super) async fn admit(
    State(sandbox): State<Arc<Sandbox>>,
    ConnectInfo(connection): ConnectInfo<Cut>,
    request: Request,
    next: Next,
) -> Response {
    let endpoint = endpoint(request.method(), request.uri().path());
    {
        let mut counter = lock(&sandbox.counter);
        // Read under the lock, so that the instants never go backwards.
        let now = Instant::now();
        sandbox.first.get_or_init(|| now);
        counter.arrived(endpoint, now);
    }
    if !sandbox.options.faults.latency.is_zero() {
        tokio::time::sleep(sandbox.options.faults.latency).await;
    }
    let response = match sandbox.outage() {
        Some((How::Unavailable, _)) => unavailable(),
        Some((How::Reset | How::Refuse, _)) => cut(&connection),
        None => {
            if let Some((wait, form)) = sandbox.throttle() {
                throttled(wait, form)
            } else if sandbox.knows(request.headers()) {
                next.run(request).await
            } else {
                let body = json!({ "detail": "The credentials are missing or wrong.", "code": "not_authenticated" });
                (StatusCode::UNAUTHORIZED, Json(body)).into_response()
            }
        }
    };
    let mut counter = lock(&sandbox.counter);
    if response.extensions().get::<LostReply>().is_some() {
        counter.cut();
    } else {
        counter.replied(response.status().as_u16());
    }
    response
}

/// A page of some proxy's.
pub(super) fn page(status: StatusCode) -> Response {
    (status, Html(format!("<h1>{status}</h1>"))).into_response()
}

fn unavailable() -> Response {
    page(StatusCode::SERVICE_UNAVAILABLE)
}

/// Cuts the connection instead of a reply.
pub(super) fn cut(connection: &Cut) -> Response {
    connection.cut();
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(LostReply);
    response
}

fn throttled(wait: Duration, form: RetryAfter) -> Response {
    let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
    let body = json!({ "detail": "Too many requests.", "code": "throttled" });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    let value = match form {
        RetryAfter::Seconds => Some(HeaderValue::from(seconds)),
        RetryAfter::Date => {
            // A date has whole seconds, and must not be too early.
            let until = clock::now() + wait + Duration::from_millis(999);
            HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::from(until))).ok()
        }
        RetryAfter::None => None,
    };
    if let Some(value) = value {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}
