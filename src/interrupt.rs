//! Ctrl-C and SIGTERM: stop taking up new work, let what is on its way end, exit 3. A second one quits at once.
//!
//! Quitting at once is safe too: intents are on disk before anything is sent.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::Error;
use crate::exit_code::ExitCode;

/// Whether somebody asked the program to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Interrupt {
    raised: watch::Receiver<bool>,
}

/// Asks the holders of its [`Interrupt`] to stop.
#[derive(Debug)]
pub struct Raise(watch::Sender<bool>);

impl Raise {
    /// Asks them to stop.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// An interrupt that is raised by hand.
    #[must_use]
    pub fn by_hand() -> (Raise, Self) {
        let (sender, raised) = watch::channel(false);
        (Raise(sender), Self { raised })
    }

    /// An interrupt that is never raised.
    #[must_use]
    pub fn never() -> Self {
        Self::by_hand().1
    }

    /// An interrupt that is raised by the first SIGINT or SIGTERM; the second ends the process.
    pub fn on_signals() -> Result<Self, Error> {
        let failed = |source| Error::System { attempt: "listen for signals", source };
        let (raise, interrupt) = Self::by_hand();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (mut int, mut term) = {
            let _guard = runtime.enter();
            (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
        };
        let listen = async move {
            for nth in 1.. {
                tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
                if nth > 1 {
                    quit();
                }
                raise.raise();
            }
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(listen))
            .map_err(|source: io::Error| failed(source))?;
        Ok(interrupt)
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.raised.borrow()
    }

    /// Does `work`, which can't be told to stop but may be left at any instant; when it is raised meanwhile, `leave`
    /// is called once, on another thread, to end the process.
    pub fn watch<T>(&self, leave: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
        /// How long it takes to be noticed, at most.
        const LOOK: Duration = Duration::from_millis(50);
        /// Also when `work` panics: the thread that watches is waited for.
        struct Done<'a>(&'a AtomicBool, thread::Thread);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
                self.1.unpark();
            }
        }
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watching = scope.spawn(|| {
                while !is_done.load(Ordering::Acquire) {
                    if self.is_raised() {
                        return leave();
                    }
                    thread::park_timeout(LOOK);
                }
            });
            let _done = Done(&is_done, watching.thread().clone());
            work()
        })
    }

    /// Waits until it is raised; for ever if it never will be.
    pub async fn raised(&mut self) {
        if self.raised.wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Ends the process at once, as stopped.
#[expect(
    clippy::exit,
    reason = "the user asked twice, or what goes on can't be told to stop: nothing more is waited for"
)]
pub fn quit() -> ! {
    std::process::exit(ExitCode::Stopped.number().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_left_when_it_is_raised_and_else_not() {
        let (raise, interrupt) = Interrupt::by_hand();
        let left = AtomicBool::new(false);
        let leave = || left.store(true, Ordering::Release);
        assert_eq!(interrupt.watch(leave, || 7), 7);
        assert!(!left.load(Ordering::Acquire));
        let waited = interrupt.watch(leave, || {
            raise.raise();
            (0..1_000).any(|_| {
                thread::park_timeout(Duration::from_millis(10));
                left.load(Ordering::Acquire)
            })
        });
        assert!(waited, "nobody was called");
    }

    #[test]
    fn every_holder_sees_it_raised() {
        let (raise, interrupt) = Interrupt::by_hand();
        let other = interrupt.clone();
        assert!(!interrupt.is_raised() && !other.is_raised());
        raise.raise();
        assert!(interrupt.is_raised() && other.is_raised());
        assert!(!Interrupt::never().is_raised());
    }
}
