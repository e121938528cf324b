//! The rate at which requests start, for all of them together.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;

/// Requests that may start at once after a lull. One: a ceiling holds in every window, not only on average.
const BURST: NonZeroU32 = NonZeroU32::MIN;

/// Lets one request start at a time, in the order in which they came, no faster than the rate, and none at all while
/// the target asks for a pause.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: Option<DefaultDirectRateLimiter>,
    /// Whose turn it is; first come, first served.
    turn: Mutex<()>,
    not_before: Lock<Option<Instant>>,
    waiting: AtomicUsize,
    moved: Notify,
    closed: watch::Sender<bool>,
}

/// The run is ending: no request starts any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Limiter {
    /// A limiter that lets one request start every `interval`; none: as fast as they come.
    pub(super) fn new(interval: Option<Duration>) -> Self {
        let quota = interval.and_then(Quota::with_period).map(|quota| quota.allow_burst(BURST));
        Self {
            rate: quota.map(RateLimiter::direct),
            turn: Mutex::new(()),
            not_before: Lock::new(None),
            waiting: AtomicUsize::new(0),
            moved: Notify::new(),
            closed: watch::Sender::new(false),
        }
    }

    /// Waits until a request may start; never, once the limiter is closed.
    pub(super) async fn acquire(&self) -> Result<(), Closed> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(Closed),
            () = self.wait() => Ok(()),
        }
    }

    /// Lets nothing start any more.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    async fn wait(&self) {
        let _turn = self.turn.lock().await;
        loop {
            while let Some(until) = self.pause_end() {
                tokio::time::sleep_until(until).await;
            }
            if let Some(rate) = &self.rate {
                rate.until_ready().await;
            }
            // A pause may have begun meanwhile; the place that was taken is then given up.
            if self.pause_end().is_none() {
                return;
            }
        }
    }

    /// Lets nothing start for `wait` from now. Never shortens a pause.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        if not_before.is_none_or(|before| before < until) {
            *not_before = Some(until);
        }
    }

    fn pause_end(&self) -> Option<Instant> {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        not_before.filter(|until| *until > Instant::now())
    }

    /// Says that a request is being prepared; the guard says when it has started.
    pub(super) fn prepare(self: &Arc<Self>) -> Prepared {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Prepared(self.clone())
    }

    /// Requests prepared and not started.
    pub(super) fn prepared(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Waits until a prepared request has started.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }
}

/// A request that has not started yet.
#[derive(Debug)]
pub(super) struct Prepared(Arc<Limiter>);

impl Drop for Prepared {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_start_comes_before_its_place_however_many_ask() {
        const INTERVAL: Duration = Duration::from_millis(10);
        let begun = std::time::Instant::now();
        let limiter = Arc::new(Limiter::new(Some(INTERVAL)));
        let starts = Arc::new(Lock::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (limiter, starts) = (limiter.clone(), starts.clone());
            tasks.spawn(async move {
                for _ in 0..20 {
                    limiter.acquire().await.unwrap();
                    starts.lock().unwrap().push(std::time::Instant::now());
                }
            });
        }
        tasks.join_all().await;
        let mut starts = starts.lock().unwrap().clone();
        starts.sort();
        assert_eq!(starts.len(), 160);
        // A start is noted after it was allowed, so a busy machine can only make these times longer.
        for (n, start) in (0..).zip(&starts) {
            assert!(*start - begun >= INTERVAL * n, "start {n} after {:?}", *start - begun);
        }
    }

    #[tokio::test]
    async fn a_pause_holds_everybody_and_is_never_shortened() {
        let limiter = Limiter::new(None);
        let begun = Instant::now();
        limiter.pause(Duration::from_millis(60));
        limiter.pause(Duration::from_millis(5));
        limiter.acquire().await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(60));
        assert_eq!(limiter.pause_end(), None);
    }

    #[tokio::test]
    async fn a_closed_limiter_lets_nobody_wait() {
        let limiter = Arc::new(Limiter::new(Some(Duration::from_hours(1))));
        limiter.acquire().await.unwrap();
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.acquire().await }
        });
        limiter.close();
        assert_eq!(waiting.await.unwrap(), Err(Closed));
        assert_eq!(limiter.acquire().await, Err(Closed));
    }
}
