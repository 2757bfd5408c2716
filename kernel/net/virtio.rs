//! A virtio network card: frames to it and from it.
//!
//! Owns: the two queues and the memory of their buffers, one of [`FRAME`] bytes for each descriptor, so that nothing is
//! allocated for DMA after the start. Frames are copied in and out. Checksums are the card's where it offers that.
//! Locks: `sending` (rank 4). The receiving queue is the one task's that serves the card.
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

/// Descriptors of a queue at most.
const MOST: u16 = 256;

/// Bytes of a buffer.
const FRAME: usize = 2048;

/// Frames that wait for a descriptor at most: `txqueuelen`.
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

/// The side that frames come from.
pub(super) struct ReceiveQueue {
    ring: Ring,
    /// Whether the card may answer for frames.
    is_trusted: bool,
}

struct SendQueue {
    ring: Ring,
    /// Frames for which there was no descriptor.
    waiting: VecDeque<Frame>,
    /// The descriptor that is looked at first.
    next: u16,
}

/// A packet with so many bytes of a header in front of it.
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

/// Starts the first network card there is, which may answer for checksums as far as `trust` goes; `heard` is called in interrupt context when it has something to say.
/// `None`: there is none that works, which has been said.
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
    /// Sends a frame: `packet` with the `header` bytes in front of it. Without room it waits; without room for that,
    /// it is lost. The card completes the checksum of the segment that begins at `segment` of the packet.
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

    /// Sends what waits, now that the card may have room.
    pub(super) fn send_waiting(&self) {
        self.sending.lock().send_waiting();
    }
}

impl SendQueue {
    /// Takes back what has been sent.
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
    /// The next frame that has come, with `header` bytes of it in front of the packet, and who answers for it.
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

    /// Tells the card that there is room again.
    pub(super) fn notify(&self) {
        self.ring.notify();
    }

    /// Lets the card say when a frame comes, or be silent. Says whether one has come before it could.
    pub(super) fn set_interrupts(&mut self, wanted: bool) -> bool {
        self.ring.queue.set_interrupts(wanted)
    }
}

impl Ring {
    /// Makes queue `number`; `None`: no memory, or no such queue.
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

// Within the memory nothing fails: the queue keeps to its layout, which the memory was made for.
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
