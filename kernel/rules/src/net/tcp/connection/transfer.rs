//! recv(2) and send(2) on a connection.
//!
//! Source: Linux 6.1 net/ipv4/tcp.c (`tcp_recvmsg`, `tcp_sendmsg`).

use core::task::Poll;

use super::{Connection, Pace, RecvMode};
use crate::abi::errno::Errno;
use crate::machine::transfer::{Sink, Source};
use crate::net::tcp::TcpState;
use crate::net::tcp::readiness::Shutdown;

impl Connection {
    /// Reads: copies received bytes to `to`. 0 is the end of the stream.
    ///
    /// # Errors
    /// `EFAULT`: `to` is not writable. The pending error, once. `ENOTCONN`: the connection has failed, and its error
    /// was reported before.
    pub fn receive(&mut self, to: &mut dyn Sink, mode: RecvMode) -> Poll<Result<usize, Errno>> {
        if self.state.is_opening() {
            return Poll::Pending;
        }
        let has_bytes = self.unread() > 0;
        // Reading no bytes still waits for some.
        if to.remaining() == 0 && has_bytes {
            return Poll::Ready(Ok(0));
        }
        let count = match mode {
            RecvMode::Consume => self.consume(to),
            RecvMode::Peek => {
                self.gather(usize::MAX);
                self.received.peek(to)
            }
        };
        if count > 0 {
            return Poll::Ready(Ok(count));
        }
        if has_bytes {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        if self.is_done {
            return Poll::Ready(Ok(0));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        if self.shutdown.contains(Shutdown::RECEIVE) {
            return Poll::Ready(Ok(0));
        }
        if self.state == TcpState::Closed { Poll::Ready(Err(Errno::ENOTCONN)) } else { Poll::Pending }
    }

    fn consume(&mut self, to: &mut dyn Sink) -> usize {
        let mut count = self.received.pop(to);
        if self.received.is_empty()
            && let Some(engine) = &mut self.engine
        {
            count += engine.receive(to);
        }
        count
    }

    /// Writes: takes bytes from `from`, as many as the engine's buffer holds, or if that is full, as `SO_SNDBUF` allows
    /// to queue. After the engine has sent them, which is at once within this machine, it may take more without a wait.
    ///
    /// # Errors
    /// `EFAULT`: `from` is not readable. The pending error, once. `EPIPE`: the connection has ended, or writing was
    /// shut down.
    pub fn send(&mut self, from: &mut dyn Source, pace: Pace) -> Poll<Result<usize, Errno>> {
        if self.state.is_opening() {
            return Poll::Pending;
        }
        let may_send = matches!(self.state, TcpState::Established | TcpState::CloseWait);
        if !may_send || self.error.is_some() || self.shutdown.contains(Shutdown::SEND) {
            return Poll::Ready(Err(self.error.take().unwrap_or(Errno::EPIPE)));
        }
        if from.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        let queued = self.queued();
        let Some(room) = self.limits.send.checked_sub(queued).filter(|room| *room > 0) else {
            return Poll::Pending;
        };
        let holds = pace == Pace::Hold || self.limits.cork;
        let mut count = 0;
        if let Some(engine) = &mut self.engine
            && self.unsent.is_empty()
            && !holds
        {
            count += engine.send(from);
            self.is_crowded |= from.remaining() > 0;
        }
        if count == 0 {
            count = self.unsent.push(from, room);
            let segment = self.engine.as_ref().map_or(1, |engine| engine.segment_len());
            self.held = if holds { (self.held + count) % segment } else { 0 };
        }
        self.counts.sent += count as u64;
        Poll::Ready(if count == 0 { Err(Errno::EFAULT) } else { Ok(count) })
    }

    /// Returns whether [`send`](Self::send) would take bytes.
    #[must_use]
    pub fn can_send(&self) -> bool {
        let may_send = matches!(self.state, TcpState::Established | TcpState::CloseWait);
        let is_sound = self.error.is_none() && !self.shutdown.contains(Shutdown::SEND);
        may_send && is_sound && self.queued() < self.limits.send
    }
}
