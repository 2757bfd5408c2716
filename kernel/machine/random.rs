//! Unpredictable random numbers: ChaCha20 with a key that is replaced at every use.
//!
//! Owns: the key.   Not here: `/dev/urandom` and getrandom(2), which are readers of a [`Stream`].
//! Invariant: the key of a stream is erased before the stream's first byte is used, so that later knowledge of the
//! kernel's memory reveals no earlier bytes ("fast key erasure", as in Linux 6.1 drivers/char/random.c,
//! `crng_fast_key_erasure`).
//!
//! Seed: RDRAND through OSTD where the processor has it, and in any case the jitter of the time-stamp counter. Fresh
//! entropy is mixed in from time to time, so that a weak seed does not stay weak. Without RDRAND, a deterministic
//! emulator makes the numbers predictable, which the boot log reports.
//!
//! Why: decision 0041.

use ostd::sync::SpinLock;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spin::Once;

use crate::machine::console::println;

type StreamKey = [u8; 32];

struct Generator {
    key: ChaCha20Rng,
    streams: u32,
}

static GENERATOR: Once<SpinLock<Generator>> = Once::new();

/// The number of streams after which fresh entropy is mixed into the key.
const RESEED_INTERVAL: u32 = 1024;

/// Random bytes of which the generator keeps no state.
pub(crate) struct Stream(ChaCha20Rng);

impl Stream {
    /// Makes a stream that is independent of all others.
    pub(crate) fn new() -> Self {
        let generator = GENERATOR.call_once(|| SpinLock::new(Generator::new()));
        Self(generator.lock().split())
    }

    /// Fills `bytes` with the next bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// Words of one stream, for callers that need only one. A word is erased before it is returned (as in Linux 6.1,
/// `get_random_u64`).
struct Words {
    words: [u64; 32],
    left: usize,
}

static WORDS: SpinLock<Words> = SpinLock::new(Words { words: [0; 32], left: 0 });

/// Returns an unpredictable number.
pub(crate) fn word() -> u64 {
    let mut words = WORDS.lock();
    if words.left == 0 {
        let mut stream = Stream::new();
        words.words.fill_with(|| stream.0.next_u64());
        words.left = words.words.len();
    }
    words.left -= 1;
    let at = words.left;
    core::mem::take(&mut words.words[at])
}

/// Fills `bytes`, which should be few, with [words](word): a stream costs as much as thirty of them.
pub(crate) fn fill_few(bytes: &mut [u8]) {
    for part in bytes.chunks_mut(size_of::<u64>()) {
        part.copy_from_slice(&word().to_ne_bytes()[..part.len()]);
    }
}

impl Generator {
    fn new() -> Self {
        if ostd::arch::read_random().is_none() {
            println!("random: no RDRAND; the seed is timing alone");
        }
        Self { key: ChaCha20Rng::from_seed(seed()), streams: 0 }
    }

    fn split(&mut self) -> ChaCha20Rng {
        self.streams += 1;
        let mut next = self.take_key();
        if self.streams.is_multiple_of(RESEED_INTERVAL) {
            for (byte, fresh) in next.iter_mut().zip(seed()) {
                *byte ^= fresh;
            }
        }
        let stream = ChaCha20Rng::from_seed(self.take_key());
        self.key = ChaCha20Rng::from_seed(next);
        stream
    }

    fn take_key(&mut self) -> StreamKey {
        let mut key = StreamKey::default();
        self.key.fill_bytes(&mut key);
        key
    }
}

/// Gathers thirty-two bytes from all sources. Each round runs the pool through the cipher, so that a source can add
/// entropy but not remove any, and the time of the round becomes part of the next sample.
fn seed() -> StreamKey {
    const ROUNDS: usize = 64;
    let mut pool = StreamKey::default();
    for _ in 0..ROUNDS {
        let hardware = ostd::arch::read_random().unwrap_or(0);
        let time = ostd::arch::read_tsc();
        let sample = hardware.to_le_bytes().into_iter().chain(time.to_le_bytes());
        for (byte, fresh) in pool.iter_mut().zip(sample) {
            *byte ^= fresh;
        }
        ChaCha20Rng::from_seed(pool).fill_bytes(&mut pool);
    }
    pool
}
