//! The state of a netlink socket: queued answers, and dumps that are produced in parts.
//!
//! A request is answered while it is sent. A dump advances as it is read, so that it never fills the memory.
//! Missing: messages between programs; the kernel is the only peer.
//! Source: netlink(7); Linux 6.1 net/netlink/af_netlink.c (`netlink_dump`, `netlink_overrun`, `netlink_rcv_wake`).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Poll;

use bitflags::bitflags;
use pollee::{Events, Readiness};

use super::dump::Facts;
use super::message::{self, NetlinkFlags, Recipient};
use super::request::{self, NetlinkReply, Privilege};
use crate::abi::errno::Errno;
use crate::machine::transfer::Sink;
use crate::net::abi::socket::SockAddrNl;
use crate::net::socket::{Options, SEND_ROOM};
use crate::net::tcp::connection::RecvMode;

/// `net.core.rmem_default`.
const DEFAULT_BUFFER: usize = 212_992;

/// What a datagram costs beside its bytes.
const OVERHEAD: usize = 256;

/// What Linux adds to a message for its own needs.
const MESSAGE_OVERHEAD: usize = 32;

/// How many groups there are: `RTNLGRP_MAX`.
const GROUPS: u32 = 36;

bitflags! {
    /// The switches of setsockopt(2), level `SOL_NETLINK`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct NetlinkSwitches: u8 {
        /// `NETLINK_BROADCAST_ERROR`, of which nothing follows here.
        const BROADCAST_ERROR = 1;
        /// `NETLINK_NO_ENOBUFS`: no word of what is lost.
        const NO_ENOBUFS = 2;
        /// `NETLINK_CAP_ACK`: errors without the request.
        const CAP_ACK = 4;
        /// `NETLINK_EXT_ACK`: errors with explanations, of which there are none here.
        const EXT_ACK = 8;
    }
}

/// A socket.
#[derive(Debug)]
pub struct NetlinkSocketState {
    /// 0 is none.
    port: u32,
    groups: u64,
    peer: (u32, u32),
    queue: VecDeque<Vec<u8>>,
    held: usize,
    /// What is left of a list.
    list: VecDeque<Vec<u8>>,
    /// Something was lost, and nothing more comes until everything is read.
    is_congested: bool,
    error: Option<Errno>,
    switches: NetlinkSwitches,
    options: Options,
}

impl Default for NetlinkSocketState {
    fn default() -> Self {
        Self::new()
    }
}

impl NetlinkSocketState {
    /// A socket without a number.
    #[must_use]
    pub fn new() -> Self {
        let options =
            Options { send_buffer: DEFAULT_BUFFER, receive_buffer: DEFAULT_BUFFER, ..Options::default() };
        Self {
            port: 0,
            groups: 0,
            peer: (0, 0),
            queue: VecDeque::new(),
            held: 0,
            list: VecDeque::new(),
            is_congested: false,
            error: None,
            switches: NetlinkSwitches::empty(),
            options,
        }
    }

    /// Returns the options.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the options, to be changed.
    pub const fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Returns the switches.
    #[must_use]
    pub const fn switches(&self) -> NetlinkSwitches {
        self.switches
    }

    /// Sets or clears switches.
    pub fn set_switches(&mut self, switches: NetlinkSwitches, is_on: bool) {
        self.switches.set(switches, is_on);
    }

    /// Returns its number; 0 is none.
    #[must_use]
    pub const fn port(&self) -> u32 {
        self.port
    }

    /// Has got a number.
    pub const fn bind(&mut self, port: u32) {
        self.port = port;
    }

    /// Returns its address, with the first 32 groups that it is in.
    #[must_use]
    pub const fn local(&self) -> SockAddrNl {
        SockAddrNl::new(self.port, self.groups as u32)
    }

    /// Is in these of the first 32 groups, and in no others of them.
    pub fn set_groups(&mut self, groups: u32) {
        self.groups = self.groups & !u64::from(u32::MAX) | u64::from(groups);
    }

    /// Enters a group, or leaves it. No group ever hears anything: nothing changes that one is told of.
    ///
    /// # Errors
    /// `EINVAL`: there is no such group.
    pub fn join(&mut self, group: u32, is_in: bool) -> Result<(), Errno> {
        if !(1..=GROUPS).contains(&group) {
            return Err(Errno::EINVAL);
        }
        let bit = 1 << (group - 1);
        self.groups = if is_in { self.groups | bit } else { self.groups & !bit };
        Ok(())
    }

    /// Whom messages are for: port 0 is the kernel. Of several groups the first counts.
    #[must_use]
    pub const fn peer(&self) -> SockAddrNl {
        SockAddrNl::new(self.peer.0, self.peer.1)
    }

    /// Sends to `peer` from now on.
    pub const fn connect(&mut self, peer: SockAddrNl) {
        self.peer = (peer.port, peer.groups & peer.groups.wrapping_neg());
    }

    /// Returns whether a message of `len` bytes may be sent to `to`, or to the peer.
    ///
    /// # Errors
    /// `EMSGSIZE`: it is too long. `ECONNREFUSED`: there is no such peer.
    pub fn require_destination(&self, to: Option<u32>, len: usize) -> Result<(), Errno> {
        if len > self.options.send_buffer.saturating_sub(MESSAGE_OVERHEAD) {
            return Err(Errno::EMSGSIZE);
        }
        if to.unwrap_or(self.peer.0) == 0 { Ok(()) } else { Err(Errno::ECONNREFUSED) }
    }

    /// Answers the requests in `datagram`. Whether there is something to read that was not there before.
    pub fn ask(&mut self, datagram: &[u8], privilege: Privilege, facts: &Facts) -> bool {
        let before = self.queue.len();
        for request in request::requests(datagram) {
            let to = Recipient { sequence: request.header.sequence, port: self.port };
            let result = match request.answer(privilege, self.port, facts) {
                Ok(NetlinkReply::Nothing) => Ok(()),
                Ok(NetlinkReply::Message(message)) => {
                    self.push(message);
                    Ok(())
                }
                Ok(NetlinkReply::List(list)) => match self.begin(list) {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            if result.is_err() || request.flags().contains(NetlinkFlags::ACK) {
                let is_capped = self.switches.contains(NetlinkSwitches::CAP_ACK);
                self.push(message::outcome(request.bytes, result, is_capped, to));
            }
        }
        self.queue.len() > before
    }

    /// Begins to tell a list.
    fn begin(&mut self, list: VecDeque<Vec<u8>>) -> Result<(), Errno> {
        if !self.list.is_empty() {
            return Err(Errno::EBUSY);
        }
        self.list = list;
        if self.held >= self.options.receive_buffer {
            return Err(Errno::ENOBUFS);
        }
        self.tell_more();
        Ok(())
    }

    /// Goes on with the list.
    fn tell_more(&mut self) {
        if let Some(datagram) = self.list.pop_front() {
            self.held += datagram.len() + OVERHEAD;
            self.queue.push_back(datagram);
        }
    }

    /// Adds an answer, unless there are too many.
    fn push(&mut self, message: Vec<u8>) {
        if self.is_congested || self.held > self.options.receive_buffer {
            if !self.is_congested && !self.switches.contains(NetlinkSwitches::NO_ENOBUFS) {
                self.is_congested = true;
                self.error = Some(Errno::ENOBUFS);
            }
            return;
        }
        self.held += message.len() + OVERHEAD;
        self.queue.push_back(message);
    }

    /// Reads a datagram; what does not fit is lost. Says how many bytes were copied, and how many there were.
    ///
    /// # Errors
    /// `ENOBUFS`: answers were lost, once. `EFAULT`: `to` is not writable; the datagram is gone.
    pub fn receive(&mut self, to: &mut dyn Sink, mode: RecvMode) -> Poll<Result<(usize, usize), Errno>> {
        let before = self.queue.len();
        let result = self.take(to, mode);
        if self.queue.len() < before && self.held <= self.options.receive_buffer / 2 {
            self.tell_more();
        }
        if self.queue.is_empty() {
            self.is_congested = false;
        }
        result
    }

    fn take(&mut self, to: &mut dyn Sink, mode: RecvMode) -> Poll<Result<(usize, usize), Errno>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        let Some(first) = self.queue.front() else { return Poll::Pending };
        let len = first.len();
        let wanted = len.min(to.remaining());
        let count = to.put(&first[..wanted]);
        if mode == RecvMode::Consume {
            self.held -= len + OVERHEAD;
            self.queue.pop_front();
        }
        Poll::Ready(if count < wanted { Err(Errno::EFAULT) } else { Ok((count, len)) })
    }

    /// Takes the error that waits to be told: `SO_ERROR`.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Leaves an error for the next call.
    pub const fn put_error(&mut self, error: Errno) {
        self.error = Some(error);
    }
}

/// It is always writable: a request is answered at once.
impl Readiness for NetlinkSocketState {
    fn readiness(&self) -> Events {
        let mut events = SEND_ROOM;
        events.set(Events::ERR, self.error.is_some());
        events.set(Events::READABLE, !self.queue.is_empty());
        events
    }
}
