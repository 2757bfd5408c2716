//! The driver of a virtio network card.
//!
//! Owns: the two queues and the memory of their buffers, one of [`FRAME`] bytes for each descriptor, so DMA memory is
//! allocated only at the start. Frames are copied in and out. The card computes checksums if it can.
//! Locks: `sending` (rank 4). The receive queue belongs to the task that serves the card.
//! Why: decision 0045.
//! Source: VIRTIO 1.2, sections 3.1.1 (start), 5.1 (network device).

mod pci;
mod registers;

use alloc::collections::VecDeque;

use ostd::mm::dma::DmaCoherent;
use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::{HasDaddr, PAGE_SIZE, VmIo, VmIoOnce, VmReader, VmWriter};
use ostd_pod::IntoBytes;
use rules::net::ethernet::Mac;
use rules::net::tcp::packet::Packet;
use rules::net::virtio::feature;
use rules::net::virtio::prefix::{LEN as PREFIX, Prefix, Trust};
use rules::net::virtio::queue::{Direction, DmaMemory, QueueLayout, VirtQueue};

use self::registers::{Doorbell, Registers};
use crate::core::event::rank::{Rank, Ranked};

/// The most descriptors of a queue.
const MOST: u16 = 256;

/// Bytes of a buffer.
const FRAME: usize = 2048;

/// The most frames that wait for a descriptor: `txqueuelen`.
const MOST_WAITING: usize = 1000;

/// The queues' numbers.
const RECEIVING: u16 = 0;
const SENDING: u16 = 1;

/// The card.
pub(super) struct Card {
    /// Its address.
    pub(super) mac: Mac,
    /// Whether it completes the checksums of TCP segments.
    pub(super) completes_checksums: bool,
    sending: Ranked<SendQueue>,
}

/// The queue that frames arrive in.
pub(super) struct ReceiveQueue {
    ring: Ring,
    /// Whether the card's verdict about checksums is trusted.
    is_trusted: bool,
}

struct SendQueue {
    ring: Ring,
    /// Frames that wait for a descriptor.
    waiting: VecDeque<Frame>,
    /// The descriptor to try first.
    next: u16,
}

/// A packet with `header` bytes of link header in front of it.
struct Frame {
    packet: Packet,
    header: usize,
    prefix: Prefix,
}

/// A queue with its buffers.
struct Ring {
    queue: VirtQueue<QueueMemory>,
    buffers: DmaCoherent,
    size: u16,
    doorbell: Doorbell,
}

/// Memory of a queue.
struct QueueMemory(DmaCoherent);

/// Starts the first network card, which may vouch for checksums as far as `trust` allows. Its interrupt calls
/// `on_interrupt`, in interrupt context. `None`: there is no card, or a message has said why it does not work.
pub(super) fn start(
    trust: Trust,
    on_interrupt: impl Fn() + Send + Sync + 'static,
) -> Option<(Card, ReceiveQueue)> {
    let mut registers = Registers::find(on_interrupt)?;
    let optional = match trust {
        Trust::Checksum => 0,
        Trust::Card => feature::CHECKSUM | feature::GUEST_CHECKSUM,
    };
    let (mac, features) = registers.negotiate(optional)?;
    let receiving = Ring::make(&registers, RECEIVING)?;
    let sending = Ring::make(&registers, SENDING)?;
    registers.finish();
    let is_trusted = features & feature::GUEST_CHECKSUM != 0;
    let mut receiving = ReceiveQueue { ring: receiving, is_trusted };
    for descriptor in 0..receiving.ring.size {
        receiving.ring.offer(descriptor, FRAME, Direction::In);
    }
    receiving.ring.notify();
    let mut sending = SendQueue { ring: sending, waiting: VecDeque::new(), next: 0 };
    sending.ring.queue.set_interrupts(false);
    let completes_checksums = features & feature::CHECKSUM != 0;
    let sending = Ranked::new(Rank::Interface, sending);
    Some((Card { mac, completes_checksums, sending }, receiving))
}

impl Card {
    /// Sends `packet` with the `header` bytes in front of it. Without a descriptor the frame waits; if too many wait,
    /// it is lost. The card completes the checksum of the segment at offset `segment` of the packet.
    pub(super) fn send(&self, packet: Packet, header: usize, segment: Option<usize>) {
        let prefix =
            segment.map_or_else(Prefix::default, |start| Prefix::completing((header + start) as u16));
        let frame = Frame { packet, header, prefix };
        let mut sending = self.sending.lock();
        sending.reclaim();
        if sending.waiting.is_empty() && sending.put(&frame) {
            sending.ring.notify();
        } else if sending.waiting.len() < MOST_WAITING {
            sending.waiting.push_back(frame);
            if sending.ring.queue.set_interrupts(true) {
                sending.send_waiting();
            }
        }
    }

    /// Sends waiting frames, now that the card may have descriptors.
    pub(super) fn send_waiting(&self) {
        self.sending.lock().send_waiting();
    }
}

impl SendQueue {
    /// Reclaims the descriptors of sent frames.
    fn reclaim(&mut self) {
        while self.ring.queue.take().is_some() {}
    }

    fn send_waiting(&mut self) {
        self.reclaim();
        let mut is_any = false;
        while let Some(frame) = self.waiting.pop_front() {
            if !self.put(&frame) {
                self.waiting.push_front(frame);
                break;
            }
            is_any = true;
        }
        self.ring.queue.set_interrupts(!self.waiting.is_empty());
        if is_any {
            self.ring.notify();
        }
    }

    /// Offers a frame; `false`: every descriptor is in use.
    fn put(&mut self, frame: &Frame) -> bool {
        let descriptor = self.next;
        if !self.ring.queue.is_free(descriptor) {
            return false;
        }
        self.next = (descriptor + 1) % self.ring.size;
        let bytes = frame.packet.frame(frame.header);
        let len = bytes.len().min(FRAME - PREFIX);
        let mut writer = self.ring.buffers.writer();
        writer.skip(usize::from(descriptor) * FRAME).write(&mut VmReader::from(frame.prefix.as_bytes()));
        writer.write(&mut VmReader::from(&bytes[..len]));
        self.ring.offer(descriptor, PREFIX + len, Direction::Out);
        true
    }
}

impl ReceiveQueue {
    /// Returns the next received frame, with `header` bytes of link header in front of the packet, and whether the
    /// card vouches for its checksum.
    pub(super) fn next(&mut self, header: usize) -> Option<(Packet, Trust)> {
        loop {
            let (descriptor, len) = self.ring.queue.take()?;
            let len = (len as usize).min(FRAME);
            let packet = len.checked_sub(PREFIX + header).map(|len| {
                let mut packet = Packet::new(len);
                let mut reader = self.ring.buffers.reader();
                let mut prefix = Prefix::default();
                reader.skip(usize::from(descriptor) * FRAME).read(&mut VmWriter::from(prefix.as_mut_bytes()));
                reader.read(&mut VmWriter::from(packet.frame_mut(header)));
                (packet, if self.is_trusted { prefix.trust() } else { Trust::Checksum })
            });
            self.ring.offer(descriptor, FRAME, Direction::In);
            if packet.is_some() {
                return packet;
            }
        }
    }

    /// Tells the card that buffers are free again.
    pub(super) fn notify(&self) {
        self.ring.notify();
    }

    /// Turns the card's interrupts for received frames on or off. Returns whether a frame came before they were on.
    pub(super) fn set_interrupts(&mut self, wanted: bool) -> bool {
        self.ring.queue.set_interrupts(wanted)
    }
}

impl Ring {
    /// Makes and starts queue `number`; `None`: no memory, or no such queue.
    fn make(registers: &Registers, number: u16) -> Option<Self> {
        let size = registers.queue_size(number).min(MOST);
        if !size.is_power_of_two() {
            return None;
        }
        let pages = |bytes: usize| DmaCoherent::alloc(bytes.div_ceil(PAGE_SIZE), true).ok();
        let memory = pages(QueueLayout { size }.bytes())?;
        let buffers = pages(usize::from(size) * FRAME)?;
        let doorbell = registers.start_queue(number, size, memory.daddr() as u64)?;
        Some(Self { queue: VirtQueue::new(QueueMemory(memory), size), buffers, size, doorbell })
    }

    fn offer(&mut self, descriptor: u16, len: usize, direction: Direction) {
        let address = self.buffers.daddr() as u64 + u64::from(descriptor) * FRAME as u64;
        self.queue.offer(descriptor, address, len as u32, direction);
    }

    fn notify(&self) {
        if self.queue.wants_notice() {
            self.doorbell.ring();
        }
    }
}

// No access fails: the queue stays within its layout, for which the memory was allocated.
impl DmaMemory for QueueMemory {
    fn read_u16(&self, offset: usize) -> u16 {
        self.0.read_once(offset).unwrap_or(0)
    }

    fn read_u32(&self, offset: usize) -> u32 {
        self.0.read_once(offset).unwrap_or(0)
    }

    fn write_u16(&self, offset: usize, value: u16) {
        let _ = self.0.write_once(offset, &value);
    }

    fn write_u32(&self, offset: usize, value: u32) {
        let _ = self.0.write_once(offset, &value);
    }

    fn write_u64(&self, offset: usize, value: u64) {
        let _ = self.0.write_val(offset, &value);
    }
}
