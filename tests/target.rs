//! The client against servers that misbehave at the wire: each answers one connection with the bytes it is given.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use slipway::account::AccountKey;
use slipway::target::{
    Auth, Client, ClientOptions, CreateOutcome, Envelope, Exchange, StatusOutcome, TaskParams, ValidateOutcome,
};

/// A server for one connection: reads a request of a small body, answers with `reply`, closes.
/// Joining it gives the request.
fn serve_once(reply: &'static [u8]) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
        while !is_whole(&request) {
            match stream.read(&mut buffer).unwrap() {
                0 => break,
                n => request.extend_from_slice(&buffer[..n]),
            }
        }
        stream.write_all(reply).unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, server)
}

/// Whether a request has its headers and, if it announces a body, as much of it.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

fn client(url: &str, timeout: Duration) -> Client {
    Client::new(&ClientOptions {
        url: url.to_owned(),
        auth: Auth::Token("key".into()),
        envelope: Envelope::Bare,
        timeout,
        max_body_bytes: 1_000,
    })
    .unwrap()
}

async fn create(reply: &'static [u8]) -> Exchange<CreateOutcome> {
    let (url, server) = serve_once(reply);
    let exchange = client(&url, Duration::from_secs(10)).create(br#"{"a":"b"}"#, &TaskParams::default()).await;
    let request = server.join().unwrap();
    assert!(request.starts_with("POST /v2/data-import/accounts/ HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"a\":\"b\"}"), "{request}");
    exchange
}

#[tokio::test]
async fn a_connection_closed_before_the_reply_leaves_a_create_unknown() {
    let exchange = create(b"").await;
    assert!(matches!(exchange.outcome, CreateOutcome::Unknown(_)), "{exchange:?}");
    assert_eq!(exchange.http_status, None);
}

#[tokio::test]
async fn a_201_counts_even_if_its_body_breaks_off() {
    let exchange = create(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"par").await;
    assert_eq!(exchange.outcome, CreateOutcome::Scheduled);
    assert_eq!((exchange.http_status, exchange.raw.as_slice()), (Some(201), &b"{\"par"[..]));
}

#[tokio::test]
async fn a_400_that_breaks_off_leaves_a_create_unknown() {
    let exchange = create(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\n{\"custo").await;
    assert!(matches!(&exchange.outcome, CreateOutcome::Unknown(why) if why.contains("HTTP 400")), "{exchange:?}");
}

#[tokio::test]
async fn a_garbled_status_line_leaves_a_create_unknown() {
    let exchange = create(b"HTTP/1.1 2\x0001 Created\r\n\r\n").await;
    assert!(matches!(exchange.outcome, CreateOutcome::Unknown(_)), "{exchange:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    // Nobody listens for a second request: following it would be a connect error, `NotSent`.
    let exchange =
        create(b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(exchange.outcome, CreateOutcome::Unknown("HTTP 307".to_owned()));
}

#[tokio::test]
async fn retry_after_is_read_from_any_reply() {
    let exchange = create(b"HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(exchange.outcome, CreateOutcome::Unknown(_)), "{exchange:?}");
    assert_eq!(exchange.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_reply_is_read_up_to_the_limit() {
    const REPLY: &[u8] = &{
        let mut reply = [b' '; 5_000];
        let head = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4900\r\n\r\n{\"a\":[\"";
        let mut at = 0;
        while at < head.len() {
            reply[at] = head[at];
            at += 1;
        }
        reply
    };
    let exchange = create(REPLY).await;
    assert!(matches!(&exchange.outcome, CreateOutcome::Refused(findings) if findings.len() == 1), "{exchange:?}");
    assert_eq!(exchange.raw.len(), 1_000);
}

#[tokio::test]
async fn a_validate_in_doubt_is_only_unavailable() {
    let (url, server) = serve_once(b"");
    let exchange = client(&url, Duration::from_secs(10)).validate(b"{}").await;
    assert!(matches!(exchange.outcome, ValidateOutcome::Unavailable(_)), "{exchange:?}");
    assert!(server.join().unwrap().starts_with("POST /v2/data-import/accounts/validate/ HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_status_path_is_percent_encoded() {
    let (url, server) = serve_once(b"HTTP/1.1 404 Not Found\r\ncontent-length: 20\r\n\r\n{\"code\":\"not_found\"}");
    let key = AccountKey::new("EDF _DEENERGISED", "a/b?c#d%é");
    let exchange = client(&url, Duration::from_secs(10)).status(&key).await;
    assert_eq!(exchange.outcome, StatusOutcome::NotFound);
    let request = server.join().unwrap();
    let first = "GET /v2/data-import/accounts/EDF%20_DEENERGISED/a%2Fb%3Fc%23d%25%C3%A9/ HTTP/1.1\r\n";
    assert!(request.starts_with(first), "{request}");
    assert!(request.to_lowercase().contains("\r\nauthorization: token key\r\n"), "{request}");
}

#[tokio::test]
async fn a_reply_that_does_not_come_in_time_leaves_a_create_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // The system accepts the connection and the request; nobody ever answers.
    let exchange = client(&url, Duration::from_millis(50)).create(b"{}", &TaskParams::default()).await;
    assert!(matches!(&exchange.outcome, CreateOutcome::Unknown(why) if why.contains("50ms")), "{exchange:?}");
    assert!(exchange.duration >= Duration::from_millis(50));
}
