//! One HTTP request a call, bounded in time and size, with nothing sent twice.
//!
//! Redirects are not followed: they would carry the credentials elsewhere. The library's own retries are off: a
//! request that `submit` counts once must be at the wire at most once.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, Url, redirect};
use secrecy::ExposeSecret;

use super::lists::{self, ImportList, ListOutcome, MAX_LIST_BYTES};
use super::outcome::{Answer, BodyEnd, NoAnswer, classify_create, classify_status, classify_validate, retry_after};
use super::{Auth, ClientOptions, CreateOutcome, Envelope, StatusOutcome, TargetError, TaskParams, ValidateOutcome};
use crate::account::AccountKey;
use crate::clock;

/// Below the API's version, everything lives under this path. All paths end with a slash.
const ACCOUNTS: &str = "/v2/data-import/accounts/";

/// A connection that is not there by then will not come; the exchange's own timeout may be shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than servers keep a connection open: one that the other side has just closed would make a create doubtful.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// RFC 3986's unreserved characters stand for themselves in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A connection to the target. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    accounts: Arc<str>,
    /// Marked as sensitive; none: requests carry no credentials.
    authorization: Arc<RwLock<Option<HeaderValue>>>,
    envelope: Envelope,
    timeout: Duration,
    max_body_bytes: usize,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("accounts", &self.accounts)
            .field("envelope", &self.envelope)
            .finish_non_exhaustive()
    }
}

/// One HTTP exchange: what it told us, and the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange<T> {
    /// What it told us.
    pub outcome: T,
    /// The status of the reply; none if no reply came.
    pub http_status: Option<u16>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, the reading of the reply included.
    pub duration: Duration,
    /// How long the target asked us to wait before the next request, of this account or any other.
    pub retry_after: Option<Duration>,
    /// The reply as it came, at most [`ClientOptions::max_body_bytes`] of it. It may hold personal data: it belongs
    /// into the files that can be purged, never into a log.
    pub raw: Vec<u8>,
}

impl Client {
    /// A client for the target of `options`. Connects to nothing yet.
    pub fn new(options: &ClientOptions) -> Result<Self, TargetError> {
        let base = base_url(&options.url)?;
        // The provider is the process's; whoever came first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("slipway/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .timeout(options.timeout);
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        {
            // A request that was given up must not leave this machine later, when the network is back: without this, the
            // system goes on sending what a closed connection had still to send, for a quarter of an hour.
            builder = builder.tcp_user_timeout(options.timeout);
        }
        if base.scheme() == "http" {
            // Loopback: no proxy stands between, and a machine without CA certificates will do.
            builder = builder.no_proxy().tls_certs_only(std::iter::empty());
        }
        let http = builder.build().map_err(|source| TargetError::SetUp { url: options.url.clone(), source })?;
        Ok(Self {
            http,
            accounts: format!("{}{ACCOUNTS}", base.as_str().trim_end_matches('/')).into(),
            base: base.as_str().trim_end_matches('/').into(),
            authorization: Arc::new(RwLock::new(authorization(&options.auth)?)),
            envelope: options.envelope,
            timeout: options.timeout,
            max_body_bytes: options.max_body_bytes,
        })
    }

    /// Shows these credentials from the next request on, of this client and its clones.
    pub fn set_auth(&self, auth: &Auth) -> Result<(), TargetError> {
        let value = authorization(auth)?;
        *self.authorization.write().unwrap_or_else(PoisonError::into_inner) = value;
        Ok(())
    }

    /// Asks whether `payload`, an account's JSON, would be accepted. Creates nothing; may be repeated.
    pub async fn validate(&self, payload: &[u8]) -> Exchange<ValidateOutcome> {
        let url = format!("{}validate/", self.accounts);
        let body = self.body(payload, None);
        self.exchange(self.post(&url, body), |result| classify_validate(result, payload)).await
    }

    /// Asks for the creation of `payload`, an account's JSON.
    ///
    /// Parameters that the bare envelope has no place for send nothing: dropping them could turn a dry run into a
    /// real one.
    pub async fn create(&self, payload: &[u8], task: &TaskParams) -> Exchange<CreateOutcome> {
        if self.envelope == Envelope::Bare && *task != TaskParams::default() {
            let reason = "task parameters need `[target] envelope = \"wrapped\"`".to_owned();
            return Exchange {
                outcome: CreateOutcome::NotSent(reason),
                http_status: None,
                started_at: clock::now(),
                duration: Duration::ZERO,
                retry_after: None,
                raw: Vec::new(),
            };
        }
        let body = self.body(payload, Some(task));
        self.exchange(self.post(&self.accounts, body), |result| classify_create(result, payload)).await
    }

    /// Reads where the import of account `key` stands.
    pub async fn status(&self, key: &AccountKey) -> Exchange<StatusOutcome> {
        let url = format!(
            "{}{}/{}/",
            self.accounts,
            utf8_percent_encode(&key.supplier, SEGMENT),
            utf8_percent_encode(&key.number, SEGMENT)
        );
        self.exchange(self.http.get(url), classify_status).await
    }

    /// Reads a v1 list of the imports of `supplier`, whoever sent them. Its bytes are not kept: they are read into the
    /// list.
    pub async fn imports(&self, list: ImportList, supplier: &str) -> Exchange<ListOutcome> {
        let url = format!("{}{}{}/", self.base, list.path(), utf8_percent_encode(supplier, SEGMENT));
        let patient = Self { max_body_bytes: MAX_LIST_BYTES, ..self.clone() };
        let exchange = patient.exchange(self.http.get(url), lists::classify).await;
        Exchange { raw: Vec::new(), ..exchange }
    }

    fn post(&self, url: &str, body: Vec<u8>) -> RequestBuilder {
        self.http.post(url).header(CONTENT_TYPE, "application/json").body(body)
    }

    /// The request body in the target's envelope. Payload bytes are never parsed and written again: what was
    /// digested is what is sent.
    fn body(&self, payload: &[u8], task: Option<&TaskParams>) -> Vec<u8> {
        match self.envelope {
            Envelope::Bare => payload.to_vec(),
            Envelope::Wrapped => {
                let mut body = Vec::with_capacity(payload.len() + 64);
                body.extend_from_slice(br#"{"payload":"#);
                body.extend_from_slice(payload);
                if let Some(task) = task {
                    let task = serde_json::to_vec(task).expect("a struct of texts and booleans is JSON");
                    body.extend_from_slice(br#","task_params":"#);
                    body.extend_from_slice(&task);
                }
                body.push(b'}');
                body
            }
        }
    }

    async fn exchange<T>(
        &self,
        request: RequestBuilder,
        classify: impl FnOnce(&Result<Answer, NoAnswer>) -> T,
    ) -> Exchange<T> {
        let authorization = self.authorization.read().unwrap_or_else(PoisonError::into_inner).clone();
        let request = match authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        };
        let started_at = clock::now();
        let started = Instant::now();
        let result = match request.send().await {
            Ok(response) => Ok(self.read(response).await),
            Err(error) => Err(no_answer(error, self.timeout)),
        };
        let outcome = classify(&result);
        let (http_status, retry_after, raw) = match result {
            Ok(answer) => (Some(answer.status), answer.retry_after, answer.body),
            Err(_) => (None, None, Vec::new()),
        };
        Exchange { outcome, http_status, started_at, duration: started.elapsed(), retry_after, raw }
    }

    /// Reads the reply up to the limit. A status is kept even if its body breaks off.
    async fn read(&self, mut response: Response) -> Answer {
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, clock::now()));
        let mut body = Vec::new();
        let end = loop {
            match response.chunk().await {
                Ok(None) => break BodyEnd::Whole,
                Ok(Some(chunk)) if body.len() + chunk.len() > self.max_body_bytes => {
                    body.extend_from_slice(&chunk[..self.max_body_bytes - body.len()]);
                    break BodyEnd::TooLong;
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => break BodyEnd::Broken(describe(&error, self.timeout)),
            }
        };
        Answer { status, retry_after, body, end }
    }
}

/// Parses and judges the base URL: credentials and personal data go over https, or stay on this machine.
fn base_url(text: &str) -> Result<Url, TargetError> {
    let refuse = |shown: &str, reason: &str| TargetError::Url { url: shown.to_owned(), reason: reason.to_owned() };
    let Ok(url) = Url::parse(text) else {
        // An unreadable text might hold a password anywhere.
        return Err(refuse("…", "it is no URL; expected something like https://api.example.energy"));
    };
    if !url.username().is_empty() || url.password().is_some() {
        let mut shown = url.clone();
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        return Err(refuse(shown.as_str(), "it holds a user name or password; give the API key by `[target] auth`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse(text, "it has a query or a fragment; give the base URL alone"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(refuse(text, "http is for loopback hosts alone; use https")),
        // `user:password@host` reads as a scheme and a path.
        scheme => Err(refuse(&format!("{scheme}:…"), "expected https, or http to a loopback host")),
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host.eq_ignore_ascii_case("localhost")
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn authorization(auth: &Auth) -> Result<Option<HeaderValue>, TargetError> {
    let mut value = match auth {
        Auth::Token(key) => HeaderValue::from_str(&format!("Token {}", key.expose_secret())),
        Auth::Raw(key) => HeaderValue::from_str(key.expose_secret()),
        Auth::None => return Ok(None),
    }
    .map_err(|_| TargetError::Key)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// A request that got no answer: sent surely not, or perhaps. Takes the error whole so that its URL can be dropped.
fn no_answer(error: reqwest::Error, timeout: Duration) -> NoAnswer {
    let error = error.without_url();
    let text = describe(&error, timeout);
    // `connect` covers name resolution, TCP, proxy and TLS: not a byte of the request has left by then.
    if error.is_connect() || error.is_builder() { NoAnswer::NotSent(text) } else { NoAnswer::Doubtful(text) }
}

/// The error and its causes, which is where HTTP libraries say what happened. Holds no URL, header or body.
fn describe(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() && !error.is_connect() {
        return format!("no whole reply within {timeout:?}");
    }
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    if text.is_empty() { "the HTTP library gives no reason".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn options(url: &str) -> ClientOptions {
        ClientOptions {
            url: url.to_owned(),
            auth: Auth::None,
            envelope: Envelope::Bare,
            timeout: Duration::from_secs(5),
            max_body_bytes: ClientOptions::DEFAULT_MAX_BODY_BYTES,
        }
    }

    #[test]
    fn only_https_and_loopback_are_targets() {
        for good in ["https://api.example.energy", "http://127.0.0.1:8080/", "http://[::1]:1", "http://localhost"] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in
            ["http://api.example.energy", "ftp://127.0.0.1", "nonsense", "https://h/?q=1", "http://127.0.0.1.evil.test"]
        {
            assert!(matches!(base_url(bad), Err(TargetError::Url { .. })), "{bad}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for url in ["https://me:hunter2@h/", "me:hunter2@h:x"] {
            let error = base_url(url).expect_err("refused").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_key_is_sent_in_the_scheme_asked_for_and_never_shown() {
        let key = || SecretString::from("canary");
        for (auth, expected) in [(Auth::Token(key()), "Token canary"), (Auth::Raw(key()), "canary")] {
            let value = authorization(&auth).unwrap().unwrap();
            assert_eq!(value.as_bytes(), expected.as_bytes());
            assert!(!format!("{value:?}").contains("canary"));
            assert!(!format!("{auth:?}").contains("canary"));
        }
        let broken = authorization(&Auth::Raw(SecretString::from("canary\n"))).expect_err("no line breaks in a header");
        assert!(!broken.to_string().contains("canary"));
    }

    #[test]
    fn both_envelopes_hold_the_payload_byte_for_byte() {
        let payload = br#"{"a":1.50}"#;
        let bare = Client::new(&options("http://127.0.0.1:1")).unwrap();
        assert_eq!(bare.body(payload, Some(&TaskParams::default())), payload);
        let wrapped =
            Client::new(&ClientOptions { envelope: Envelope::Wrapped, ..options("http://127.0.0.1:1") }).unwrap();
        let rehearsal = TaskParams { is_dry_run: true, ..TaskParams::default() };
        for (task, expected) in [
            (None, r#"{"payload":{"a":1.50}}"#),
            (Some(&TaskParams::default()), r#"{"payload":{"a":1.50},"task_params":{}}"#),
            (Some(&rehearsal), r#"{"payload":{"a":1.50},"task_params":{"is_dry_run":true}}"#),
        ] {
            assert_eq!(String::from_utf8(wrapped.body(payload, task)).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_port_nobody_listens_on_means_not_sent() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = Client::new(&options(&format!("http://127.0.0.1:{port}"))).unwrap();
        let exchange = client.create(b"{}", &TaskParams::default()).await;
        assert!(matches!(exchange.outcome, CreateOutcome::NotSent(_)), "{exchange:?}");
        assert_eq!(exchange.http_status, None);
    }

    #[tokio::test]
    async fn a_dry_run_never_goes_without_its_flag() {
        let client = Client::new(&options("http://127.0.0.1:1")).unwrap();
        let rehearsal = TaskParams { is_dry_run: true, ..TaskParams::default() };
        let exchange = client.create(b"{}", &rehearsal).await;
        assert!(
            matches!(&exchange.outcome, CreateOutcome::NotSent(reason) if reason.contains("wrapped")),
            "{exchange:?}"
        );
    }
}
