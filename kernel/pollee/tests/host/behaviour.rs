//! What a user of the crate may rely on, one sentence a test, for each policy.

use std::sync::Arc;

use crate::threads::{Sleeper, Threads};
use pollee::{
    Events, Hybrid, Locked, PersistentRegistration, Pollable, Poller, Readiness, ReadyList, Registration,
    Stateful, Stateless, WaitEpochs, WakeMode, Watcher,
};

/// A counter that is readable when it is not zero, writable unless it is full, and hung up when closed.
#[derive(Default)]
struct Counter {
    items: usize,
    is_full: bool,
    is_closed: bool,
}

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.items > 0);
        events.set(Events::OUT, !self.is_full);
        events.set(Events::HUP, self.is_closed);
        events
    }
}

const WANTED: Events = Events::IN.union(Events::ALWAYS);

macro_rules! for_each_policy {
    ($(fn $name:ident($file:ident) $body:block)*) => {
        mod hybrid { use super::*; type Host = Threads<Hybrid>; type File = Locked<Counter, Host>; $(for_each_policy!(@ $name $file $body);)* }
        mod stateful { use super::*; type Host = Threads<Stateful>; type File = Locked<Counter, Host>; $(for_each_policy!(@ $name $file $body);)* }
        mod stateless { use super::*; type Host = Threads<Stateless>; type File = Locked<Counter, Host>; $(for_each_policy!(@ $name $file $body);)* }
    };
    (@ $name:ident $file:ident $body:block) => {
        #[test]
        fn $name() {
            let new = || Arc::new(File::new((), Counter::default()));
            let $file = new;
            $body
        }
    };
}

for_each_policy! {
    fn poll_follows_every_change(new) {
        let file = new();
        assert_eq!(file.poll(WANTED), Events::empty());
        file.lock().items = 1;
        assert_eq!(file.poll(WANTED), Events::IN);
        assert_eq!(file.poll(Events::OUT), Events::OUT);
        file.lock().items = 0;
        assert_eq!(file.poll(WANTED), Events::empty());
        file.lock().is_closed = true;
        assert_eq!(file.poll(WANTED), Events::HUP);
    }

    fn only_events_of_its_interest_wake_a_watcher(new) {
        let file = new();
        let sleeper = Sleeper::new();
        let mut poller = Poller::new(Arc::clone(&sleeper));
        assert_eq!(poller.watch(Arc::clone(&file), Events::IN), Ok(Events::empty()));
        file.lock().is_closed = true;
        assert!(!sleeper.take_wake());
        file.lock().items = 1;
        assert!(sleeper.take_wake());
        // Still readable: nothing became ready.
        file.lock().items = 2;
        assert!(!sleeper.take_wake());
        // Unless the change says so.
        let mut guard = file.lock();
        guard.items = 3;
        guard.raise(Events::IN);
        drop(guard);
        assert!(sleeper.take_wake());
    }

    fn registering_gives_the_readiness_of_a_file_that_is_ready_already(new) {
        let file = new();
        file.lock().items = 1;
        let mut poller = Poller::new(Sleeper::new());
        assert_eq!(poller.watch(file, WANTED), Ok(Events::IN));
    }

    fn a_cleared_poller_is_not_woken_and_can_be_used_again(new) {
        let file = new();
        let sleeper = Sleeper::new();
        let mut poller = Poller::new(Arc::clone(&sleeper));
        for round in 0..100 {
            poller.watch(Arc::clone(&file), WANTED).unwrap();
            file.lock().items = 1;
            assert!(sleeper.take_wake(), "round {round}");
            poller.clear();
            file.lock().items = 0;
            file.lock().items = 1;
            assert!(!sleeper.take_wake(), "round {round}");
            file.lock().items = 0;
        }
        drop(poller);
        // The spare handles have gone with the poller, and the file kept none.
        assert_eq!(Arc::strong_count(&sleeper), 1);
    }

    fn an_event_wakes_every_shared_and_one_exclusive_watcher(new) {
        let file = new();
        let sleepers: Vec<_> = (0..40).map(|_| Sleeper::new()).collect();
        let tokens: Vec<_> = sleepers
            .iter()
            .enumerate()
            .map(|(nr, sleeper)| {
                let mode = if nr % 2 == 0 { WakeMode::All } else { WakeMode::Exclusive };
                file.register(Watcher::Task(Arc::clone(sleeper)), WANTED, mode).unwrap().0
            })
            .collect();
        file.lock().items = 1;
        let woken: Vec<_> = sleepers.iter().map(|sleeper| sleeper.take_wake()).collect();
        for (nr, is_woken) in woken.into_iter().enumerate() {
            assert_eq!(is_woken, nr % 2 == 0 || nr == 1, "watcher {nr}");
        }
        for token in tokens {
            file.unregister(token);
        }
    }

    fn one_event_wakes_one_exclusive_watcher_by_either_of_its_names(new) {
        let file = new();
        let sleepers = [(); 2].map(|()| Sleeper::new());
        let tokens = [Events::IN, Events::RDNORM].into_iter().zip(&sleepers).map(|(interest, sleeper)| {
            file.register(Watcher::Task(Arc::clone(sleeper)), interest, WakeMode::Exclusive).unwrap().0
        });
        let tokens: Vec<_> = tokens.collect();
        let mut guard = file.lock();
        guard.items = 1;
        guard.raise(Events::READABLE);
        drop(guard);
        assert_eq!(sleepers.each_ref().map(|sleeper| sleeper.take_wake()), [true, false]);
        for token in tokens {
            file.unregister(token);
        }
    }

    fn a_hang_up_wakes_every_exclusive_watcher(new) {
        let file = new();
        let sleepers: Vec<_> = (0..20).map(|_| Sleeper::new()).collect();
        let _waiting: Vec<_> = sleepers
            .iter()
            .map(|s| Registration::new(&*file, Arc::clone(s), WANTED, WakeMode::Exclusive).unwrap())
            .collect();
        file.lock().is_closed = true;
        assert!(sleepers.iter().all(|sleeper| sleeper.take_wake()));
    }

    fn one_change_that_makes_two_things_ready_tells_one_exclusive_watcher_of_each(new) {
        let file = new();
        file.lock().is_full = true;
        let [reader, other, writer] = [(); 3].map(|()| Sleeper::new());
        let _waiting = [(&reader, Events::IN), (&other, Events::IN), (&writer, Events::OUT)]
            .map(|(s, interest)| Registration::new(&*file, Arc::clone(s), interest, WakeMode::Exclusive).unwrap());
        let mut guard = file.lock();
        guard.items = 1;
        guard.is_full = false;
        drop(guard);
        assert!(reader.take_wake() && !other.take_wake() && writer.take_wake());
    }

    fn exclusive_watchers_are_chosen_in_order_of_arrival(new) {
        let file = new();
        let sleepers: Vec<_> = (0..3).map(|_| Sleeper::new()).collect();
        let waiting: Vec<_> = sleepers
            .iter()
            .map(|s| Registration::new(&*file, Arc::clone(s), WANTED, WakeMode::Exclusive).unwrap())
            .collect();
        // Armed again, the first goes behind the others.
        waiting[0].rearm();
        for nr in [1, 2, 0] {
            let mut guard = file.lock();
            guard.items += 1;
            guard.raise(Events::IN);
            drop(guard);
            let woken: Vec<_> = (0..3).filter(|&other| sleepers[other].take_wake()).collect();
            assert_eq!(woken, [nr]);
        }
    }

    fn a_chosen_watcher_that_leaves_hands_on_an_event_that_is_left(new) {
        let file = new();
        let (first, second) = (Sleeper::new(), Sleeper::new());
        let one = Registration::new(&*file, Arc::clone(&first), WANTED, WakeMode::Exclusive).unwrap();
        let _two = Registration::new(&*file, Arc::clone(&second), WANTED, WakeMode::Exclusive).unwrap();
        file.lock().items = 1;
        assert!(first.take_wake() && !second.take_wake());
        // A debt is not forgotten by arming again.
        one.rearm();
        drop(one);
        assert!(second.take_wake());
    }

    fn a_chosen_watcher_that_used_the_event_wakes_no_other(new) {
        let file = new();
        let (first, second) = (Sleeper::new(), Sleeper::new());
        let one = Registration::new(&*file, Arc::clone(&first), WANTED, WakeMode::Exclusive).unwrap();
        let _two = Registration::new(&*file, Arc::clone(&second), WANTED, WakeMode::Exclusive).unwrap();
        file.lock().items = 1;
        file.lock().items = 0;
        drop(one);
        assert!(!second.take_wake());
    }

    fn an_exclusive_event_goes_past_a_list_on_which_no_task_waits(new) {
        let file = new();
        let [idle, busy] = [(); 2].map(|()| Arc::new(ReadyList::<Host>::new(())));
        let (waiter, last) = (Sleeper::new(), Sleeper::new());
        let waits = Registration::new(&*busy, Arc::clone(&waiter), WANTED, WakeMode::Handoff).unwrap();
        let mut tokens = Vec::new();
        for watcher in [
            idle.entry(idle.open().unwrap()),
            busy.entry(busy.open().unwrap()),
            Watcher::Task(Arc::clone(&last)),
        ] {
            tokens.push(file.register(watcher, WANTED, WakeMode::Exclusive).unwrap().0);
        }
        file.lock().items = 1;
        assert!(!idle.is_empty() && !busy.is_empty());
        assert!(waiter.take_wake() && !last.take_wake());
        // The task that waited was chosen; until it looks again, events go past it.
        file.lock().items = 0;
        file.lock().items = 1;
        assert!(!waiter.take_wake() && last.take_wake());
        drop(waits);
        for token in tokens {
            drop(file.unregister(token));
        }
    }

    fn a_new_interest_counts_from_then_on(new) {
        let file = new();
        let sleeper = Sleeper::new();
        let (token, _) = file
            .register(Watcher::Task(Arc::clone(&sleeper)), Events::PRI, WakeMode::All)
            .unwrap();
        file.lock().items = 1;
        assert!(!sleeper.take_wake());
        assert_eq!(file.set_interest(&token, WANTED), Events::IN);
        file.lock().items = 0;
        file.lock().items = 1;
        assert!(sleeper.take_wake());
        file.unregister(token);
    }

    fn a_persistent_registration_wakes_in_every_wait(new) {
        let (file, other) = (new(), new());
        let sleeper = Sleeper::new();
        let mut epochs = WaitEpochs::new(Arc::clone(&sleeper));
        epochs.begin();
        let (registration, ready) = PersistentRegistration::register(&*file, &epochs, WANTED).unwrap();
        assert_eq!(ready, Events::empty());
        for _ in 0..3 {
            file.lock().items = 1;
            assert!(sleeper.take_wake());
            file.lock().items = 0;
            file.lock().items = 1;
            assert!(!sleeper.take_wake(), "one wake for each wait");
            epochs.end();
            file.lock().items = 0;
            epochs.begin();
            assert!(registration.join(|| &*file, &epochs, WANTED));
        }
        // The next wait is for another file.
        epochs.begin();
        let (other_registration, _) = PersistentRegistration::register(&*other, &epochs, WANTED).unwrap();
        file.lock().items = 1;
        assert!(!sleeper.take_wake());
        other.lock().items = 1;
        assert!(sleeper.take_wake());
        registration.unregister(&*file);
        other_registration.unregister(&*other);
        drop((epochs, registration, other_registration));
        assert_eq!(Arc::strong_count(&sleeper), 1);
    }

    fn a_persistent_registration_has_the_interest_of_its_last_wait(new) {
        let file = new();
        let sleeper = Sleeper::new();
        let mut epochs = WaitEpochs::new(Arc::clone(&sleeper));
        epochs.begin();
        let (registration, _) = PersistentRegistration::register(&*file, &epochs, Events::PRI).unwrap();
        // The same file once more in the same wait: both count.
        assert!(registration.join(|| &*file, &epochs, WANTED));
        file.lock().items = 1;
        assert!(sleeper.take_wake());
        file.lock().items = 0;
        epochs.begin();
        assert!(registration.join(|| &*file, &epochs, Events::PRI));
        file.lock().items = 1;
        assert!(!sleeper.take_wake());
        let stranger = WaitEpochs::new(Sleeper::new());
        assert!(!registration.join(|| &*file, &stranger, WANTED));
        registration.unregister(&*file);
    }

    fn a_persistent_registration_ends_once(new) {
        let file = new();
        let epochs = WaitEpochs::new(Sleeper::new());
        let (registration, _) = PersistentRegistration::register(&*file, &epochs, WANTED).unwrap();
        registration.unregister(&*file);
        // The slot is another watcher's now.
        let sleeper = Sleeper::new();
        let _waits = Registration::new(&*file, Arc::clone(&sleeper), WANTED, WakeMode::All).unwrap();
        registration.unregister(&*file);
        file.lock().items = 1;
        assert!(sleeper.take_wake());
    }

    fn a_million_registrations_use_the_room_of_one(new) {
        let file = new();
        let sleeper = Sleeper::new();
        let waiting = Registration::new(&*file, Arc::clone(&sleeper), WANTED, WakeMode::Exclusive).unwrap();
        let mut poller = Poller::new(Arc::clone(&sleeper));
        for _ in 0..1_000_000 {
            waiting.rearm();
        }
        for _ in 0..100_000 {
            poller.watch(Arc::clone(&file), WANTED).unwrap();
            poller.clear();
        }
        // The two of them, one waiting and one spare handle.
        assert_eq!(Arc::strong_count(&sleeper), 4);
    }
}
