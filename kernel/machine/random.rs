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

use cryptoxide::chacha20::ChaCha20;
use ostd::sync::SpinLock;
use spin::Once;

use crate::machine::console::println;

type StreamKey = [u8; 32];

struct Generator {
    key: StreamKey,
    streams: u32,
}

static GENERATOR: Once<SpinLock<Generator>> = Once::new();

/// The number of streams after which fresh entropy is mixed into the key.
const RESEED_INTERVAL: u32 = 1024;

/// Random bytes of which the generator keeps no state.
pub(crate) struct Stream(ChaCha20);

impl Stream {
    /// Makes a stream that is independent of all others.
    pub(crate) fn new() -> Self {
        let generator = GENERATOR.call_once(|| SpinLock::new(Generator::new()));
        Self(cipher(&generator.lock().split()))
    }

    /// Fills `bytes` with the next bytes. A stream has 2^38 of them.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
        self.0.process_mut(bytes);
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
        let mut word = || {
            let mut bytes = [0; size_of::<u64>()];
            stream.fill(&mut bytes);
            u64::from_ne_bytes(bytes)
        };
        words.words.fill_with(&mut word);
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
        Self { key: seed(), streams: 0 }
    }

    /// Returns the key of a stream, and replaces the generator's own.
    fn split(&mut self) -> StreamKey {
        self.streams += 1;
        let mut keys = [0; 2 * size_of::<StreamKey>()];
        cipher(&self.key).process_mut(&mut keys);
        let (next, stream) = keys.split_at(size_of::<StreamKey>());
        self.key.copy_from_slice(next);
        if self.streams.is_multiple_of(RESEED_INTERVAL) {
            for (byte, fresh) in self.key.iter_mut().zip(seed()) {
                *byte ^= fresh;
            }
        }
        let mut key = StreamKey::default();
        key.copy_from_slice(stream);
        key
    }
}

/// Returns the cipher with a key that is used for one stream only.
fn cipher(key: &StreamKey) -> ChaCha20 {
    ChaCha20::new(key, &[0; 12])
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
        let key = core::mem::take(&mut pool);
        cipher(&key).process_mut(&mut pool);
    }
    pool
}
