//! Signal numbers, and sets of them as `sigset_t` of the kernel.
//!
//! Source: signal(7), sigsetops(3); Linux 6.1 include/uapi/asm-generic/signal.h.

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signal(u8);

/// Signals, as `sigset_t` of the kernel's ABI: bit `n - 1` for signal `n`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SigSet(u64);

macro_rules! signals {
    ($($name:ident $number:literal;)*) => {
        #[allow(missing_docs, clippy::allow_attributes, reason = "the names are signal(7)'s")]
        impl Signal { $(pub const $name: Self = Self($number);)* }
    };
}

signals! {
    HUP 1; INT 2; QUIT 3; ILL 4; TRAP 5; BUS 7; FPE 8; KILL 9; SEGV 11; PIPE 13; ALRM 14; CHLD 17; CONT 18; STOP 19;
    TSTP 20; TTIN 21; TTOU 22; URG 23; XCPU 24; XFSZ 25; VTALRM 26; PROF 27; WINCH 28; IO 29; SYS 31;
}

impl Signal {
    /// The signal with that number.
    #[must_use]
    pub fn new(number: usize) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=64).contains(number)).map(Self)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    const fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }

    /// Whether each one that is sent counts: a real-time signal.
    #[must_use]
    pub fn is_queued(self) -> bool {
        self.0 >= 32
    }

    /// Whether nothing can catch, block or ignore it.
    #[must_use]
    pub fn is_absolute(self) -> bool {
        self == Self::KILL || self == Self::STOP
    }

    /// Whether its default is to be ignored.
    #[must_use]
    pub fn is_ignored_by_default(self) -> bool {
        [Self::CHLD, Self::CONT, Self::URG, Self::WINCH].contains(&self)
    }

    /// Whether its default is to stop the process.
    #[must_use]
    pub fn stops_by_default(self) -> bool {
        SigSet::STOPS.contains(self)
    }
}

impl SigSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);

    /// Those whose default is to stop the process.
    pub const STOPS: Self =
        Self(Signal::STOP.bit() | Signal::TSTP.bit() | Signal::TTIN.bit() | Signal::TTOU.bit());

    /// From the ABI's word. What cannot be blocked is left out.
    #[must_use]
    pub fn mask(bits: u64) -> Self {
        Self(bits & !(Signal::KILL.bit() | Signal::STOP.bit()))
    }

    /// From the ABI's word.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The ABI's word.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether there is no signal in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is one signal.
    #[must_use]
    pub const fn is_single(self) -> bool {
        self.0.is_power_of_two()
    }

    /// Whether `signal` is in it.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }

    /// The set and `signal`.
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | signal.bit())
    }

    /// The signals of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The signals that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The signals that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The one to deliver first: what the program itself caused, then the lowest number.
    #[must_use]
    pub fn first(self) -> Option<Signal> {
        let synchronous = [Signal::SEGV, Signal::BUS, Signal::ILL, Signal::TRAP, Signal::FPE, Signal::SYS];
        let urgent = synchronous.into_iter().find(|signal| self.contains(*signal));
        urgent.or_else(|| Signal::new(self.0.trailing_zeros() as usize + 1))
    }
}
