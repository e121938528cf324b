//! TCP connections that a fault can cut (the request was read, the reply never leaves) or refuse (nobody listens).

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{self, IncomingStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::admit::Sandbox;
use super::schedule::How;

/// The knife of one connection; handlers get it as their connect info.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut(Arc<AtomicBool>);

impl Cut {
    /// Nothing is written to the connection from now on; the server closes it when it tries to.
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Listener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().cut.clone()
    }
}

/// Accepts connections that can be cut.
#[derive(Debug)]
pub(super) struct Listener {
    /// None: an outage refuses connections.
    open: Option<TcpListener>,
    address: SocketAddr,
    sandbox: Arc<Sandbox>,
}

impl Listener {
    /// How often it looks whether an outage has begun.
    const LOOK: Duration = Duration::from_millis(5);

    /// Takes over a bound, non-blocking listener; must be called inside a tokio runtime.
    pub(super) fn new(listener: std::net::TcpListener, sandbox: Arc<Sandbox>) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        Ok(Self { address: listener.local_addr()?, open: Some(listener), sandbox })
    }

    fn refuses(&self) -> Option<Duration> {
        self.sandbox.outage().filter(|(how, _)| *how == How::Refuse).map(|(_, left)| left)
    }

    /// The next connection, as long as none is to be refused.
    async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(left) = self.refuses() {
                self.open = None;
                tokio::time::sleep(left).await;
                continue;
            }
            let Some(listener) = &mut self.open else {
                // Until the system gives the port back.
                self.open = TcpListener::bind(self.address).await.ok();
                tokio::time::sleep(Self::LOOK).await;
                continue;
            };
            let may_refuse = self.sandbox.options.faults.outages.iter().any(|outage| outage.how == How::Refuse);
            tokio::select! {
                accepted = serve::Listener::accept(listener) => return accepted,
                () = tokio::time::sleep(Self::LOOK), if may_refuse => {}
            }
        }
    }
}

impl serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = self.next().await;
        // Without it small replies wait for the other side's acknowledgement; a refusal is no reason not to serve.
        let _ = stream.set_nodelay(true);
        (Connection { stream, cut: Cut::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that can be cut.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    cut: Cut,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
