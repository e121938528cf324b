//! Reply bodies that break off, or take their time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// Half of it comes, then the connection is cut.
    BreaksOff,
    /// Its second half comes so much later.
    TakesItsTime(Duration),
}

/// A body in two halves. Its length is told as if all of it came.
struct Halves {
    first: Option<Bytes>,
    second: Option<Bytes>,
    /// None: the second half never comes.
    pause: Option<Pin<Box<Sleep>>>,
    left: u64,
}

impl HttpBody for Halves {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            self.left -= first.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match &mut self.pause {
            None => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            Some(pause) => {
                std::task::ready!(pause.as_mut().poll(cx));
                let second = self.second.take();
                self.left = 0;
                Poll::Ready(second.map(|second| Ok(Frame::data(second))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Lets `mishap` befall the body of `response`.
pub(super) async fn befall(response: Response, mishap: Mishap) -> Response {
    let (head, body) = response.into_parts();
    // It was made in memory just now, so it can be read and has an end.
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let first = whole.slice(..whole.len() / 2);
    let second = whole.slice(whole.len() / 2..);
    let pause = match mishap {
        Mishap::BreaksOff => None,
        Mishap::TakesItsTime(pause) => Some(Box::pin(tokio::time::sleep(pause))),
    };
    let halves = Halves { first: Some(first), second: Some(second), pause, left: whole.len() as u64 };
    Response::from_parts(head, Body::new(halves))
}
