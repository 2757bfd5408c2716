//! A virtio network card: frames to it and from it.
//!
//! Owns: the two queues and the memory of their buffers, one of [`FRAME`] bytes for each descriptor, so that nothing is
//! allocated for DMA after the start. Frames are copied in and out.
//! Locks: `sending` (rank 4). The receiving queue is the one task's that serves the card.
//! Source: VIRTIO 1.2, sections 3.1.1 (start), 5.1 (network device).

mod pci;
mod registers;

use alloc::collections::VecDeque;

use model::ethernet::Mac;
use model::tcp::packet::Packet;
use model::virtio::queue::{Layout, Memory, Queue, Way};
use ostd::mm::dma::DmaCoherent;
use ostd::mm::io::util::HasVmReaderWriter;
use ostd::mm::{HasDaddr, PAGE_SIZE, VmIo, VmIoOnce, VmReader, VmWriter};

use self::registers::{Bell, Registers};
use crate::event::rank::{Rank, Ranked};

/// Descriptors of a queue at most.
const MOST: u16 = 256;

/// Bytes of a buffer.
const FRAME: usize = 2048;

/// What stands in front of every frame; zero throughout means nothing out of the ordinary.
const PREFIX: usize = 12;

/// Frames that wait for a descriptor at most: `txqueuelen`.
const MOST_WAITING: usize = 1000;

/// The queues' numbers.
const RECEIVING: u16 = 0;
const SENDING: u16 = 1;

/// The card.
pub(super) struct Card {
    /// Its address.
    pub(super) mac: Mac,
    sending: Ranked<Sending>,
}

/// The side that frames come from.
pub(super) struct Receiving {
    ring: Ring,
}

struct Sending {
    ring: Ring,
    /// Frames for which there was no descriptor, with their headers' length.
    waiting: VecDeque<(Packet, usize)>,
    /// The descriptor that is looked at first.
    next: u16,
}

/// A queue with its buffers.
struct Ring {
    queue: Queue<Shared>,
    buffers: DmaCoherent,
    size: u16,
    bell: Bell,
}

/// Memory of a queue.
struct Shared(DmaCoherent);

/// Starts the first network card there is; `heard` is called in interrupt context when it has something to say.
/// `None`: there is none that works, which has been said.
pub(super) fn start(heard: impl Fn() + Send + Sync + 'static) -> Option<(Card, Receiving)> {
    let mut registers = Registers::find(heard)?;
    let mac = registers.begin()?;
    let receiving = Ring::make(&registers, RECEIVING)?;
    let sending = Ring::make(&registers, SENDING)?;
    registers.finish();
    let mut receiving = Receiving { ring: receiving };
    for descriptor in 0..receiving.ring.size {
        receiving.ring.offer(descriptor, FRAME, Way::In);
    }
    receiving.ring.notify();
    let mut sending = Sending { ring: sending, waiting: VecDeque::new(), next: 0 };
    sending.ring.queue.set_interrupts(false);
    Some((Card { mac, sending: Ranked::new(Rank::Interface, sending) }, receiving))
}

impl Card {
    /// Sends a frame: `packet` with the `header` bytes in front of it. Without room it waits; without room for that,
    /// it is lost.
    pub(super) fn send(&self, packet: Packet, header: usize) {
        let mut sending = self.sending.lock();
        sending.reclaim();
        if sending.waiting.is_empty() && sending.put(&packet, header) {
            sending.ring.notify();
        } else if sending.waiting.len() < MOST_WAITING {
            sending.waiting.push_back((packet, header));
            if sending.ring.queue.set_interrupts(true) {
                sending.go_on();
            }
        }
    }

    /// Sends what waits, now that the card may have room.
    pub(super) fn go_on(&self) {
        self.sending.lock().go_on();
    }
}

impl Sending {
    /// Takes back what has been sent.
    fn reclaim(&mut self) {
        while self.ring.queue.take().is_some() {}
    }

    fn go_on(&mut self) {
        self.reclaim();
        let mut is_any = false;
        while let Some((packet, header)) = self.waiting.pop_front() {
            if !self.put(&packet, header) {
                self.waiting.push_front((packet, header));
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
    fn put(&mut self, packet: &Packet, header: usize) -> bool {
        let descriptor = self.next;
        if !self.ring.queue.is_free(descriptor) {
            return false;
        }
        self.next = (descriptor + 1) % self.ring.size;
        let frame = packet.frame(header);
        let len = frame.len().min(FRAME - PREFIX);
        let mut writer = self.ring.buffers.writer();
        writer.skip(usize::from(descriptor) * FRAME + PREFIX).write(&mut VmReader::from(&frame[..len]));
        self.ring.offer(descriptor, PREFIX + len, Way::Out);
        true
    }
}

impl Receiving {
    /// The next frame that has come, with `header` bytes of it in front of the packet.
    pub(super) fn next(&mut self, header: usize) -> Option<Packet> {
        loop {
            let (descriptor, len) = self.ring.queue.take()?;
            let len = (len as usize).min(FRAME);
            let packet = len.checked_sub(PREFIX + header).map(|len| {
                let mut packet = Packet::new(len);
                let mut reader = self.ring.buffers.reader();
                let start = usize::from(descriptor) * FRAME + PREFIX;
                reader.skip(start).read(&mut VmWriter::from(packet.frame_mut(header)));
                packet
            });
            self.ring.offer(descriptor, FRAME, Way::In);
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
        let memory = pages(Layout { size }.bytes())?;
        let buffers = pages(usize::from(size) * FRAME)?;
        let bell = registers.start_queue(number, size, memory.daddr() as u64)?;
        Some(Self { queue: Queue::new(Shared(memory), size), buffers, size, bell })
    }

    fn offer(&mut self, descriptor: u16, len: usize, way: Way) {
        let address = self.buffers.daddr() as u64 + u64::from(descriptor) * FRAME as u64;
        self.queue.offer(descriptor, address, len as u32, way);
    }

    fn notify(&self) {
        if self.queue.wants_notice() {
            self.bell.ring();
        }
    }
}

// Within the memory nothing fails: the queue keeps to its layout, which the memory was made for.
impl Memory for Shared {
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
