//! One property of one kind of object under one policy.

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pollee::Policy;

/// In the environment, asks for more interleavings than fit a run after each change.
const LONG: &str = "POLLUX_LONG";

/// The preemptions that are looked at then, at least.
const LONG_PREEMPTIONS: usize = 3;

/// A model to be run under every interleaving up to a bound.
#[derive(Clone)]
pub(crate) struct Check {
    pub(crate) property: &'static str,
    pub(crate) object: &'static str,
    pub(crate) policy: &'static str,
    preemptions: usize,
    model: fn(),
}

impl Check {
    pub(crate) const fn new<P: Policy>(
        property: &'static str,
        object: &'static str,
        preemptions: usize,
        model: fn(),
    ) -> Self {
        Self { property, object, policy: P::NAME, preemptions, model }
    }

    fn bound(&self) -> usize {
        if env::var_os(LONG).is_some() { self.preemptions.max(LONG_PREEMPTIONS) } else { self.preemptions }
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {} {}", self.property, self.object, self.policy)
    }

    /// Runs the model; panics, or is ended by loom, where the property is violated.
    pub(crate) fn run(&self) -> usize {
        static INTERLEAVINGS: AtomicUsize = AtomicUsize::new(0);
        INTERLEAVINGS.store(0, Ordering::Relaxed);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(self.bound());
        let model = self.model;
        builder.check(move || {
            INTERLEAVINGS.fetch_add(1, Ordering::Relaxed);
            model();
        });
        INTERLEAVINGS.load(Ordering::Relaxed)
    }

    pub(crate) fn run_and_report(&self) -> usize {
        let begin = Instant::now();
        let interleavings = self.run();
        println!(
            "{:<36} {interleavings:>8} interleavings, at most {} preemptions, {:.1} s",
            self.name(),
            self.bound(),
            begin.elapsed().as_secs_f32()
        );
        interleavings
    }
}

/// The same model under the three policies.
macro_rules! for_each_policy {
    ($property:literal, $object:literal, $preemptions:literal, $model:ident) => {
        [
            $crate::check::Check::new::<pollee::Hybrid>(
                $property,
                $object,
                $preemptions,
                $model::<pollee::Hybrid>,
            ),
            $crate::check::Check::new::<pollee::Stateful>(
                $property,
                $object,
                $preemptions,
                $model::<pollee::Stateful>,
            ),
            $crate::check::Check::new::<pollee::Stateless>(
                $property,
                $object,
                $preemptions,
                $model::<pollee::Stateless>,
            ),
        ]
    };
}
pub(crate) use for_each_policy;
