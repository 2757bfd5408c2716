//! Signal numbers and sets of them.

/// A signal's number, 1 to 64.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Signal(u8);

/// Signals, as `sigset_t` of the kernel's ABI: bit `n - 1` for signal `n`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct SigSet(u64);

macro_rules! signals {
    ($($name:ident $number:literal;)*) => {
        #[allow(missing_docs, clippy::allow_attributes, reason = "the names are signal(7)'s")]
        impl Signal { $(pub(crate) const $name: Self = Self($number);)* }
    };
}

signals! {
    HUP 1; INT 2; QUIT 3; ILL 4; TRAP 5; BUS 7; FPE 8; KILL 9; SEGV 11; PIPE 13; ALRM 14; CHLD 17; CONT 18; STOP 19;
    TSTP 20; TTIN 21; TTOU 22; URG 23; XCPU 24; XFSZ 25; VTALRM 26; PROF 27; WINCH 28; SYS 31;
}

impl Signal {
    /// The signal with that number.
    pub(crate) fn new(number: usize) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=64).contains(number)).map(Self)
    }

    /// Its number.
    pub(crate) const fn number(self) -> u8 {
        self.0
    }

    const fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }

    /// Whether each one that is sent counts: a real-time signal.
    pub(crate) fn is_queued(self) -> bool {
        self.0 >= 32
    }

    /// Whether nothing can catch, block or ignore it.
    pub(crate) fn is_absolute(self) -> bool {
        self == Self::KILL || self == Self::STOP
    }

    /// Whether its default is to be ignored.
    pub(crate) fn is_ignored_by_default(self) -> bool {
        [Self::CHLD, Self::CONT, Self::URG, Self::WINCH].contains(&self)
    }

    /// Whether its default is to stop the process.
    pub(crate) fn stops_by_default(self) -> bool {
        SigSet::STOPS.contains(self)
    }
}

impl SigSet {
    /// No signal.
    pub(crate) const EMPTY: Self = Self(0);

    /// Those whose default is to stop the process.
    pub(crate) const STOPS: Self =
        Self(Signal::STOP.bit() | Signal::TSTP.bit() | Signal::TTIN.bit() | Signal::TTOU.bit());

    /// From the ABI's word. What cannot be blocked is left out.
    pub(crate) fn mask(bits: u64) -> Self {
        Self(bits & !(Signal::KILL.bit() | Signal::STOP.bit()))
    }

    /// From the ABI's word.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The ABI's word.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it is one signal.
    pub(crate) const fn is_single(self) -> bool {
        self.0.is_power_of_two()
    }

    pub(crate) const fn contains(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }

    pub(crate) const fn with(self, signal: Signal) -> Self {
        Self(self.0 | signal.bit())
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The one to deliver first: what the program itself caused, then the lowest number.
    pub(crate) fn first(self) -> Option<Signal> {
        let synchronous = [Signal::SEGV, Signal::BUS, Signal::ILL, Signal::TRAP, Signal::FPE, Signal::SYS];
        let urgent = synchronous.into_iter().find(|signal| self.contains(*signal));
        urgent.or_else(|| Signal::new(self.0.trailing_zeros() as usize + 1))
    }
}
