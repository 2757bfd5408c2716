//! Random sequences of operations, one after the other, against a model that is plainly right.

use std::sync::Arc;

use pollee::{
    Events, Hybrid, Locked, Policy, Readiness, ReadinessSource, Stateful, Stateless, Token, WakeMode, Watcher,
};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use crate::threads::{Sleeper, Threads};

#[derive(Clone, Debug)]
enum Operation {
    /// Changes readiness to this, and raises that.
    Change(Events, Events),
    Poll(Events),
    Register(Events, WakeMode),
    /// The watcher with this number, modulo how many there are.
    Unregister(usize),
    Rearm(usize),
    SetInterest(usize, Events),
}

fn events() -> impl Strategy<Value = Events> {
    let some = [Events::IN, Events::OUT, Events::PRI, Events::HUP, Events::RDHUP];
    any::<[bool; 5]>().prop_map(move |chosen| {
        let chosen = some.into_iter().zip(chosen).filter(|(_, is_chosen)| *is_chosen);
        chosen.map(|(event, _)| event).collect()
    })
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let mode = prop_oneof![Just(WakeMode::All), Just(WakeMode::Exclusive), Just(WakeMode::Handoff)];
    let operation = prop_oneof![
        6 => (events(), events()).prop_map(|(ready, raised)| Operation::Change(ready, raised)),
        2 => events().prop_map(Operation::Poll),
        6 => (events(), mode).prop_map(|(interest, mode)| Operation::Register(interest, mode)),
        3 => any::<usize>().prop_map(Operation::Unregister),
        2 => any::<usize>().prop_map(Operation::Rearm),
        1 => (any::<usize>(), events()).prop_map(|(nr, interest)| Operation::SetInterest(nr, interest)),
    ];
    proptest::collection::vec(operation, 0..120)
}

struct State(Events);

impl Readiness for State {
    fn readiness(&self) -> Events {
        self.0
    }
}

/// A watcher, as the model sees it and as the crate does.
struct Entry {
    sleeper: Arc<Sleeper>,
    token: Token,
    interest: Events,
    mode: WakeMode,
    is_chosen: bool,
    must_hand_off: bool,
    is_due: bool,
}

impl Entry {
    fn is_exclusive(&self) -> bool {
        self.mode != WakeMode::All
    }
}

/// The watchers in order of arrival.
#[derive(Default)]
struct Model(Vec<Entry>);

impl Model {
    fn notify(&mut self, hint: Events) {
        for entry in &mut self.0 {
            entry.is_due |= entry.mode == WakeMode::All && entry.interest.intersects(hint);
        }
        self.choose(hint);
    }

    /// One exclusive watcher for each event, and all of them for an end.
    fn choose(&mut self, mut owed: Events) {
        for entry in self.0.iter_mut().filter(|entry| entry.is_exclusive() && !entry.is_chosen) {
            let meant = entry.interest & owed;
            if !meant.is_empty() {
                entry.is_chosen = true;
                entry.must_hand_off = true;
                entry.is_due = true;
                owed -= meant - Events::ALWAYS;
            }
        }
    }

    /// Passes on what `gone` leaves behind.
    fn hand_over(&mut self, gone: &Entry, ready: Events) {
        if gone.must_hand_off {
            self.choose(ready & gone.interest);
        }
    }
}

fn run<P: Policy>(operations: Vec<Operation>) {
    let file: Locked<State, Threads<P>> = Locked::new((), State(Events::empty()));
    let mut ready = Events::empty();
    let mut model = Model::default();
    for operation in operations {
        let count = model.0.len();
        match operation {
            Operation::Change(after, raised) => {
                let mut guard = file.lock();
                guard.0 = after;
                guard.raise(raised);
                drop(guard);
                model.notify((after - ready) | raised);
                ready = after;
            }
            Operation::Poll(interest) => assert_eq!(file.poll(interest), ready & interest),
            Operation::Register(interest, mode) => {
                let sleeper = Sleeper::new();
                let watcher = Watcher::Task(Arc::clone(&sleeper));
                let (token, found) = file.register(watcher, interest, mode).unwrap();
                assert_eq!(found, ready & interest);
                let must_hand_off = mode == WakeMode::Handoff;
                let (is_chosen, is_due) = (false, false);
                model.0.push(Entry { sleeper, token, interest, mode, is_chosen, must_hand_off, is_due });
            }
            Operation::Unregister(nr) if count > 0 => {
                let entry = model.0.remove(nr % count);
                model.hand_over(&entry, ready);
                let Entry { sleeper, token, .. } = entry;
                drop(file.unregister(token));
                assert_eq!(Arc::strong_count(&sleeper), 1);
            }
            Operation::Rearm(nr) if count > 0 => {
                let mut entry = model.0.remove(nr % count);
                file.rearm(&entry.token);
                entry.is_chosen = false;
                model.0.push(entry);
            }
            Operation::SetInterest(nr, interest) if count > 0 => {
                let entry = &mut model.0[nr % count];
                assert_eq!(file.set_interest(&entry.token, interest), ready & interest);
                entry.interest = interest;
            }
            Operation::Unregister(_) | Operation::Rearm(_) | Operation::SetInterest(..) => {}
        }
        for (nr, entry) in model.0.iter_mut().enumerate() {
            let is_due = std::mem::take(&mut entry.is_due);
            assert_eq!(entry.sleeper.take_wake(), is_due, "watcher {nr}");
        }
        assert_eq!(file.poll(Events::all()), ready);
    }
}

proptest! {
    #[test]
    fn hybrid_does_as_the_model(operations in operations()) {
        run::<Hybrid>(operations);
    }

    #[test]
    fn stateful_does_as_the_model(operations in operations()) {
        run::<Stateful>(operations);
    }

    #[test]
    fn stateless_does_as_the_model(operations in operations()) {
        run::<Stateless>(operations);
    }
}
