//! The sandbox over HTTP: what is answered to a request that was let in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{Method, StatusCode};
use axum::middleware;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use chrono::SecondsFormat;
use serde_json::json;

use super::admit::{Sandbox, admit, cut, page};
use super::body::{self, Mishap};
use super::check::{self, Problems};
use super::connection::Cut;
use super::counts::Endpoint;
use super::faults;
use super::state::{Created, Listed, View};
use super::{AccountReport, Counts};
use crate::account::AccountKey;
use crate::target::Status;

/// The largest request body it reads: an account with decades of transactions is a tenth of it.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// Longer than anybody waits for a reply.
const SILENCE: Duration = Duration::from_hours(1);

const ACCOUNTS: &str = "/v2/data-import/accounts/";

const LISTS: &str = "/v1/data-import/{list}/{supplier}/";

/// No handler leaves the data half changed, so a panic in one of them is no reason to stop the others.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

pub(super) fn endpoint(method: &Method, path: &str) -> Endpoint {
    match (method, path.strip_prefix(ACCOUNTS)) {
        (&Method::POST, Some("")) => Endpoint::Create,
        (&Method::POST, Some("validate/")) => Endpoint::Validate,
        (&Method::GET, Some(_)) => Endpoint::Status,
        (&Method::GET, None) if path.contains("-account-import-processes/") => Endpoint::List,
        _ => Endpoint::Other,
    }
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
        let strikes = |one_in, purpose| faults::strikes(one_in, seed, purpose, key, nth);
        // Before it takes effect.
        if strikes(faults.unavailable_one_in, "unavailable") {
            return page(StatusCode::SERVICE_UNAVAILABLE);
        }
        if strikes(faults.error_one_in, "error") {
            return page(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if strikes(faults.reset_one_in, "reset") {
            return cut(&connection);
        }
        let is_late = strikes(faults.late_one_in, "late");
        (nth, (!is_late).then(|| accounts.create(&submission, faults, Instant::now())))
    };
    let Some(created) = created else { return late(&sandbox, submission).await };
    let strikes = |one_in, purpose| faults::strikes(one_in, seed, purpose, key, nth);
    match created {
        Created::Scheduled if strikes(faults.lost_reply_one_in, "lost_reply") => cut(&connection),
        Created::Scheduled if strikes(faults.silent_one_in, "silent") => {
            tokio::time::sleep(SILENCE).await;
            StatusCode::CREATED.into_response()
        }
        Created::Scheduled if strikes(faults.gateway_one_in, "gateway") => page(StatusCode::GATEWAY_TIMEOUT),
        Created::Scheduled => StatusCode::CREATED.into_response(),
        Created::AlreadyImported { kraken_identifier } => {
            let detail = format!("The account {} has already been imported.", key.number);
            let body = json!({
                "non_field_errors": { "detail": detail, "code": "account_import_process_already_imported" },
                "account_id": kraken_identifier,
            });
            let response = (StatusCode::BAD_REQUEST, Json(body)).into_response();
            befallen(&sandbox, key, nth, response).await
        }
    }
}

/// Lets a create take effect later, although whoever sent it may be gone by then. It is never answered.
async fn late(sandbox: &Arc<Sandbox>, submission: check::Submission) -> Response {
    let sandbox = Arc::clone(sandbox);
    // A task of its own: this one ends with its connection.
    tokio::spawn(async move {
        let faults = &sandbox.options.faults;
        tokio::time::sleep(faults.late).await;
        lock(&sandbox.accounts).create(&submission, faults, Instant::now());
    });
    tokio::time::sleep(SILENCE).await;
    StatusCode::CREATED.into_response()
}

async fn status(
    State(sandbox): State<Arc<Sandbox>>,
    ConnectInfo(connection): ConnectInfo<Cut>,
    Path((supplier, number)): Path<(String, String)>,
) -> Response {
    let key = AccountKey::new(supplier, number);
    let (faults, seed) = (&sandbox.options.faults, sandbox.options.seed);
    let (nth, view) = {
        let mut accounts = lock(&sandbox.accounts);
        let nth = accounts.read(&key);
        let strikes = |one_in, purpose| faults::strikes(one_in, seed, purpose, &key, nth);
        if strikes(faults.read_error_one_in, "read_error") {
            return page(StatusCode::BAD_GATEWAY);
        }
        if strikes(faults.read_reset_one_in, "read_reset") {
            return cut(&connection);
        }
        let flaps = |nth| faults::strikes(faults.flap_one_in, seed, "flap", &key, nth);
        if flaps(nth) && !flaps(nth - 1) {
            return not_found();
        }
        (nth, accounts.poll(&key, faults, Instant::now()))
    };
    let Some(mut view) = view else { return not_found() };
    if faults::strikes(faults.backwards_one_in, seed, "backwards", &key, nth) {
        view.go_back();
    }
    let mut body = status_body(&view);
    if faults::strikes(faults.odd_word_one_in, seed, "odd_word", &key, nth) {
        body["status"] = json!("AWAITING_REVIEW");
    }
    befallen(&sandbox, &key, nth, Json(body).into_response()).await
}

fn not_found() -> Response {
    let body = json!({ "detail": "There is no such import process.", "code": "not_found" });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

/// The response to the `nth` request of its kind for account `key`, whose body may meet a fault.
async fn befallen(sandbox: &Sandbox, key: &AccountKey, nth: u32, response: Response) -> Response {
    let (faults, seed) = (&sandbox.options.faults, sandbox.options.seed);
    if faults::strikes(faults.truncated_one_in, seed, "truncated", key, nth) {
        body::befall(response, Mishap::BreaksOff).await
    } else if faults::strikes(faults.slow_one_in, seed, "slow", key, nth) {
        body::befall(response, Mishap::TakesItsTime(faults.slow_body)).await
    } else {
        response
    }
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
