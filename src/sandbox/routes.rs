//! The sandbox over HTTP: who may ask, how fast, what is answered.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use chrono::SecondsFormat;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use secrecy::ExposeSecret;
use serde_json::json;

use super::check::{self, Problems};
use super::connection::Cut;
use super::counts::{Counter, Endpoint};
use super::faults;
use super::state::{Accounts, Created, Listed, View};
use super::{AccountReport, Counts, SandboxOptions};
use crate::account::AccountKey;
use crate::target::Status;

/// The largest request body it reads: an account with decades of transactions is a tenth of it.
const MAX_REQUEST_BYTES: usize = 16 << 20;

const ACCOUNTS: &str = "/v2/data-import/accounts/";

const LISTS: &str = "/v1/data-import/{list}/{supplier}/";

/// Everything the handlers share.
#[derive(Debug)]
pub(super) struct Sandbox {
    options: SandboxOptions,
    limiter: Option<DefaultDirectRateLimiter>,
    accounts: Mutex<Accounts>,
    counter: Mutex<Counter>,
}

impl Sandbox {
    pub(super) fn new(options: SandboxOptions) -> Self {
        let limit = |rate: NonZeroU32| RateLimiter::direct(Quota::per_second(rate));
        Self {
            limiter: options.faults.rate.map(limit),
            accounts: Mutex::new(Accounts::new(options.pace, options.seed)),
            counter: Mutex::default(),
            options,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        lock(&self.counter).counts()
    }

    pub(super) fn accounts(&self) -> Vec<AccountReport> {
        lock(&self.accounts).report(Instant::now())
    }

    /// How long a request must wait that comes too early.
    fn throttle(&self) -> Option<Duration> {
        let until = self.limiter.as_ref()?.check().err()?;
        Some(until.wait_time_from(DefaultClock::default().now()))
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.options.api_key else { return true };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
        given.strip_prefix("Token ").unwrap_or(given) == key.expose_secret()
    }
}

/// No handler leaves the data half changed, so a panic in one of them is no reason to stop the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    let target = Router::new()
        .route(&format!("{ACCOUNTS}validate/"), post(validate))
        .route(ACCOUNTS, post(create))
        .route(&format!("{ACCOUNTS}{{supplier}}/{{number}}/"), get(status))
        .route(LISTS, get(imports))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&sandbox), admit));
    Router::new()
        .route("/_sandbox/accounts", get(report_accounts))
        .route("/_sandbox/counts", get(report_counts))
        .merge(target)
        .with_state(sandbox)
}

fn endpoint(method: &Method, path: &str) -> Endpoint {
    match (method, path.strip_prefix(ACCOUNTS)) {
        (&Method::POST, Some("")) => Endpoint::Create,
        (&Method::POST, Some("validate/")) => Endpoint::Validate,
        (&Method::GET, Some(_)) => Endpoint::Status,
        (&Method::GET, None) if path.contains("-account-import-processes/") => Endpoint::List,
        _ => Endpoint::Other,
    }
}

/// In front of every request to the target: counting, latency, throttling, credentials.
async fn admit(State(sandbox): State<Arc<Sandbox>>, request: Request, next: Next) -> Response {
    let endpoint = endpoint(request.method(), request.uri().path());
    {
        let mut counter = lock(&sandbox.counter);
        // Read under the lock, so that the instants never go backwards.
        counter.arrived(endpoint, Instant::now());
    }
    if !sandbox.options.faults.latency.is_zero() {
        tokio::time::sleep(sandbox.options.faults.latency).await;
    }
    let response = if let Some(wait) = sandbox.throttle() {
        throttled(wait)
    } else if sandbox.knows(request.headers()) {
        next.run(request).await
    } else {
        let body = json!({ "detail": "The credentials are missing or wrong.", "code": "not_authenticated" });
        (StatusCode::UNAUTHORIZED, Json(body)).into_response()
    };
    let mut counter = lock(&sandbox.counter);
    if response.extensions().get::<LostReply>().is_some() {
        counter.cut();
    } else {
        counter.replied(response.status().as_u16());
    }
    response
}

fn throttled(wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let body = json!({ "detail": "Too many requests.", "code": "throttled" });
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.max(1))], Json(body)).into_response()
}

async fn validate(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    match check::submission(&body, sandbox.options.envelope, false) {
        Ok(_) => Json(json!({})).into_response(),
        Err(problems) => refused(&sandbox, &problems, false),
    }
}

fn refused(sandbox: &Sandbox, problems: &Problems, is_create: bool) -> Response {
    (StatusCode::BAD_REQUEST, Json(problems.body(sandbox.options.refusals, is_create))).into_response()
}

/// Marks a response that must not arrive.
#[derive(Clone, Copy, Debug)]
struct LostReply;

async fn create(
    State(sandbox): State<Arc<Sandbox>>,
    ConnectInfo(connection): ConnectInfo<Cut>,
    body: Bytes,
) -> Response {
    let submission = match check::submission(&body, sandbox.options.envelope, true) {
        Ok(submission) => submission,
        Err(problems) => return refused(&sandbox, &problems, true),
    };
    let (key, faults, seed) = (&submission.key, &sandbox.options.faults, sandbox.options.seed);
    let (nth, created) = {
        let mut accounts = lock(&sandbox.accounts);
        let nth = accounts.asked(key);
        if faults::strikes(faults.unavailable_one_in, seed, "unavailable", key, nth) {
            drop(accounts);
            return (StatusCode::SERVICE_UNAVAILABLE, Html("<h1>Service Unavailable</h1>")).into_response();
        }
        (nth, accounts.create(&submission, faults, Instant::now()))
    };
    match created {
        Created::Scheduled => {
            let mut response = StatusCode::CREATED.into_response();
            if faults::strikes(faults.lost_reply_one_in, seed, "lost_reply", key, nth) {
                connection.cut();
                response.extensions_mut().insert(LostReply);
            }
            response
        }
        Created::AlreadyImported { kraken_identifier } => {
            let detail = format!("The account {} has already been imported.", key.number);
            let body = json!({
                "non_field_errors": { "detail": detail, "code": "account_import_process_already_imported" },
                "account_id": kraken_identifier,
            });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}

async fn status(State(sandbox): State<Arc<Sandbox>>, Path((supplier, number)): Path<(String, String)>) -> Response {
    let key = AccountKey::new(supplier, number);
    let view = lock(&sandbox.accounts).poll(&key, &sandbox.options.faults, Instant::now());
    let Some(view) = view else {
        let body = json!({ "detail": "There is no such import process.", "code": "not_found" });
        return (StatusCode::NOT_FOUND, Json(body)).into_response();
    };
    Json(status_body(&view)).into_response()
}

fn status_body(view: &View) -> serde_json::Value {
    let latest_error = match view.status {
        Status::Errored | Status::DryRunErrored => json!({
            "code": "account_creation_failed",
            "detail": "The account could not be created.",
            "domain": "account_import",
        }),
        _ => serde_json::Value::Null,
    };
    json!({
        "status": view.status.as_str(),
        "kraken_identifier": view.kraken_identifier,
        "created_at": view.created_at.to_rfc3339_opts(SecondsFormat::Micros, false),
        "modified_at": view.modified_at.to_rfc3339_opts(SecondsFormat::Micros, false),
        "latest_error": latest_error,
    })
}

/// A v1 list of a supplier's imports.
async fn imports(State(sandbox): State<Arc<Sandbox>>, Path((list, supplier)): Path<(String, String)>) -> Response {
    let wanted: fn(&Listed) -> bool = match list.as_str() {
        _ if !sandbox.options.lists => return nothing_here().await,
        "pending-account-import-processes" => |import| !import.is_imported(),
        "imported-account-import-processes" => Listed::is_imported,
        "all-account-import-processes" => |_| true,
        _ => return nothing_here().await,
    };
    let mut listed = lock(&sandbox.accounts).listed(&supplier, &sandbox.options.faults, Instant::now());
    listed.retain(wanted);
    Json(listed).into_response()
}

/// Like a web server's own page, which is what a wrong base URL meets.
async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, Html("<h1>Not Found</h1>")).into_response()
}

async fn report_accounts(State(sandbox): State<Arc<Sandbox>>) -> Json<Vec<AccountReport>> {
    Json(sandbox.accounts())
}

async fn report_counts(State(sandbox): State<Arc<Sandbox>>) -> Json<Counts> {
    Json(sandbox.counts())
}
