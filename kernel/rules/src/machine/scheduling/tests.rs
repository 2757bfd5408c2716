//! Simulates CPUs for milliseconds to seconds, and checks who got how much.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::entity::{Class, Entity, Manner};
use super::queue::{Arrival, Queue};
use super::tree::{Key, Tree};
use super::weight::weight;

const TICK: u64 = 1_000_000;

/// A CPU with tasks that are numbers.
#[derive(Default)]
struct Cpu {
    queue: Queue<usize>,
    now: u64,
    used: BTreeMap<usize, u64>,
}

impl Cpu {
    fn add(&mut self, task: usize, class: Class, arrival: Arrival) -> bool {
        let mut entity = Entity::new(class);
        entity.task = Some(task);
        self.enter(entity, arrival)
    }

    fn enter(&mut self, entity: alloc::boxed::Box<Entity<usize>>, arrival: Arrival) -> bool {
        let preempts = self.queue.add(entity, arrival, self.now);
        if preempts {
            let _ = self.queue.pick(self.now);
        }
        preempts
    }

    /// Lets the current task run for `nanos` without a tick.
    fn run(&mut self, nanos: u64) {
        self.now += nanos;
        if let Some(current) = self.queue.current() {
            *self.used.entry(*current).or_default() += nanos;
        }
    }

    fn tick(&mut self) {
        self.run(TICK);
        if self.queue.tick(self.now) {
            let _ = self.queue.pick(self.now);
        }
    }

    fn used(&self, task: usize) -> u64 {
        self.used.get(&task).copied().unwrap_or(0)
    }
}

fn normal(nice: i8) -> Class {
    Class::fair(nice, Manner::Eager)
}

fn fifo(priority: u8) -> Class {
    Class::RealTime { priority, takes_turns: false }
}

#[test]
fn equal_tasks_share_equally() {
    for count in [2, 3, 10, 100] {
        let mut cpu = Cpu::default();
        for task in 0..count {
            cpu.add(task, normal(0), Arrival::New);
        }
        for _ in 0..6000 {
            cpu.tick();
        }
        let (least, most) = (cpu.used.values().min().unwrap(), cpu.used.values().max().unwrap());
        assert!(cpu.used.len() == count && most - least <= 13 * TICK, "{count}: {least} {most}");
    }
}

#[test]
fn weights_share_as_the_table_says() {
    for (first, second) in [(0, 1), (0, 5), (-5, 5), (0, 19), (-20, -19), (10, 15)] {
        let mut cpu = Cpu::default();
        cpu.add(0, normal(first), Arrival::New);
        cpu.add(1, normal(second), Arrival::New);
        for _ in 0..100_000 {
            cpu.tick();
        }
        let wanted = f64::from(weight(first)) / f64::from(weight(second));
        let got = cpu.used(0) as f64 / cpu.used(1) as f64;
        assert!((got / wanted - 1.0).abs() < 0.05, "{first} {second}: {got} for {wanted}");
    }
}

#[test]
fn nobody_starves() {
    let mut cpu = Cpu::default();
    cpu.add(0, normal(-20), Arrival::New);
    cpu.add(1, normal(19), Arrival::New);
    cpu.add(2, Class::fair(0, Manner::Idle), Arrival::New);
    for _ in 0..200_000 {
        cpu.tick();
    }
    assert!(cpu.used(1) > 0 && cpu.used(2) > 0, "{:?}", cpu.used);
}

#[test]
fn a_sleeper_beside_a_hundred_preempts_and_does_not_stay() {
    let mut cpu = Cpu::default();
    for task in 0..100 {
        cpu.add(task, normal(0), Arrival::New);
    }
    for _ in 0..1000 {
        cpu.tick();
    }
    let mut sleeper = Some(Entity::new(normal(0)));
    let mut worst = 0;
    for _ in 0..1000 {
        let mut entity = sleeper.take().unwrap();
        entity.task = Some(1000);
        let woken = cpu.now;
        cpu.enter(entity, Arrival::Woken);
        while cpu.queue.current() != Some(&1000) {
            cpu.tick();
        }
        worst = worst.max(cpu.now - woken);
        // Twice of what a hundredth of the CPU would allow.
        cpu.run(20_000);
        sleeper = cpu.queue.take_current(cpu.now);
        assert!(cpu.queue.pick(cpu.now));
        cpu.tick();
    }
    assert!(worst <= 10 * TICK, "{worst}");
}

#[test]
fn one_that_slept_long_does_not_run_long() {
    let mut cpu = Cpu::default();
    cpu.add(0, normal(0), Arrival::New);
    for _ in 0..10_000 {
        cpu.tick();
    }
    assert!(cpu.add(1, normal(0), Arrival::Woken));
    let before = cpu.used(0);
    for _ in 0..12 {
        cpu.tick();
    }
    assert!(cpu.used(0) > before, "the other waits for a few milliseconds, not for ten seconds");
}

#[test]
fn one_that_is_patient_or_new_preempts_nobody_but_idle_ones() {
    let mut cpu = Cpu::default();
    cpu.add(0, normal(0), Arrival::New);
    for _ in 0..100 {
        cpu.tick();
    }
    assert!(!cpu.add(1, Class::fair(0, Manner::Patient), Arrival::Woken));
    assert!(!cpu.add(2, normal(-20), Arrival::New));
    let mut cpu = Cpu::default();
    cpu.add(0, Class::fair(0, Manner::Idle), Arrival::New);
    assert!(!cpu.add(1, Class::fair(0, Manner::Idle), Arrival::Woken));
    assert!(cpu.add(2, Class::fair(19, Manner::Patient), Arrival::Woken));
}

#[test]
fn real_time_tasks_run_by_priority_until_they_sleep() {
    let mut cpu = Cpu::default();
    cpu.add(0, normal(-20), Arrival::New);
    assert!(cpu.add(1, fifo(10), Arrival::Woken));
    assert!(!cpu.add(2, fifo(10), Arrival::Woken));
    assert!(cpu.add(3, fifo(11), Arrival::Woken));
    let _ = cpu.queue.take_current(cpu.now);
    assert!(cpu.queue.pick(cpu.now));
    assert_eq!(cpu.queue.current(), Some(&1), "who was preempted is still the first");
    for _ in 0..300 {
        cpu.tick();
    }
    assert_eq!(cpu.queue.current(), Some(&1), "FIFO has no turns");
    assert!(cpu.queue.give_way(cpu.now) && cpu.queue.pick(cpu.now));
    assert_eq!(cpu.queue.current(), Some(&2));
    let _ = cpu.queue.take_current(cpu.now);
    assert!(cpu.queue.pick(cpu.now));
    assert!(!cpu.queue.give_way(cpu.now), "a real-time task does not yield to a fair one");
}

#[test]
fn round_robin_takes_turns() {
    let mut cpu = Cpu::default();
    for task in 0..3 {
        cpu.add(task, Class::RealTime { priority: 5, takes_turns: true }, Arrival::New);
    }
    for _ in 0..600 {
        cpu.tick();
    }
    assert_eq!([cpu.used(0), cpu.used(1), cpu.used(2)], [200 * TICK; 3]);
}

#[test]
fn real_time_tasks_leave_a_twentieth() {
    let mut cpu = Cpu::default();
    cpu.add(0, fifo(99), Arrival::New);
    cpu.add(1, normal(0), Arrival::New);
    for _ in 0..10_000 {
        cpu.tick();
    }
    let share = cpu.used(1) / (10_000 * TICK / 1000);
    assert!((40..=60).contains(&share), "{share}");
}

#[test]
fn a_new_class_counts_at_once() {
    let mut cpu = Cpu::default();
    cpu.add(0, normal(0), Arrival::New);
    cpu.add(1, normal(0), Arrival::New);
    let mut waiting = cpu.queue.take_waiting(|task| *task == 1).unwrap();
    assert!(cpu.queue.take_waiting(|task| *task == 7).is_none());
    waiting.set_class(fifo(1));
    assert!(cpu.enter(waiting, Arrival::Woken));
    cpu.queue.set_current_class(normal(0), cpu.now);
    for _ in 0..100 {
        cpu.tick();
    }
    assert!(cpu.used(0) > 40 * TICK && cpu.used(1) > 40 * TICK);
}

#[test]
fn yielding_lets_the_others_run() {
    let mut cpu = Cpu::default();
    cpu.add(0, normal(0), Arrival::New);
    assert!(!cpu.queue.give_way(cpu.now));
    cpu.add(1, normal(0), Arrival::New);
    for _ in 0..10 {
        let before = *cpu.queue.current().unwrap();
        cpu.run(1000);
        assert!(cpu.queue.give_way(cpu.now) && cpu.queue.pick(cpu.now));
        assert_ne!(cpu.queue.current(), Some(&before));
    }
}

/// What happens to a CPU in the random test.
#[derive(Clone, Debug)]
enum Step {
    Wake(usize, i8),
    Sleep,
    Tick,
    Yield,
    Change(usize, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..20_usize, -20..20_i8).prop_map(|(task, nice)| Step::Wake(task, nice)),
        Just(Step::Sleep),
        Just(Step::Tick),
        Just(Step::Tick),
        Just(Step::Yield),
        (0..20_usize, 0..99_u8).prop_map(|(task, priority)| Step::Change(task, priority)),
    ]
}

proptest! {
    #[test]
    fn no_task_is_lost_or_doubled(steps in proptest::collection::vec(step(), 0..400)) {
        let mut cpu = Cpu::default();
        let mut runnable = Vec::new();
        for step in steps {
            match step {
                Step::Wake(task, nice) if !runnable.contains(&task) => {
                    cpu.add(task, normal(nice), Arrival::Woken);
                    runnable.push(task);
                }
                Step::Wake(..) => {}
                Step::Sleep => {
                    if let Some(entity) = cpu.queue.take_current(cpu.now) {
                        runnable.retain(|task| Some(*task) != entity.task);
                        prop_assert_eq!(cpu.queue.pick(cpu.now), !runnable.is_empty());
                    }
                }
                Step::Tick => cpu.tick(),
                Step::Yield => {
                    if cpu.queue.give_way(cpu.now) {
                        prop_assert!(cpu.queue.pick(cpu.now));
                    }
                }
                Step::Change(task, priority) => {
                    let class = if priority == 0 { normal(0) } else { fifo(priority) };
                    if cpu.queue.current() == Some(&task) {
                        cpu.queue.set_current_class(class, cpu.now);
                    } else if let Some(mut entity) = cpu.queue.take_waiting(|other| *other == task) {
                        entity.set_class(class);
                        cpu.enter(entity, Arrival::Woken);
                    }
                }
            }
            prop_assert_eq!(cpu.queue.len(), runnable.len());
            prop_assert_eq!(cpu.queue.current().is_some(), !runnable.is_empty());
        }
        let mut found = Vec::new();
        while let Some(entity) = cpu.queue.take_current(cpu.now) {
            found.extend(entity.task);
            let _ = cpu.queue.pick(cpu.now);
        }
        found.sort_unstable();
        runnable.sort_unstable();
        prop_assert_eq!(found, runnable);
    }

    #[test]
    fn sleepers_run_soon_and_computers_get_their_share(
        count in 1..60_usize, work in 1_000..60_000_u64, pause in 1..6_u64,
    ) {
        let mut cpu = Cpu::default();
        for task in 0..count {
            cpu.add(task, normal(0), Arrival::New);
        }
        let mut sleeper = Some(Entity::new(normal(0)));
        let mut worst = 0;
        for _ in 0..300 {
            for _ in 0..pause {
                cpu.tick();
            }
            let mut entity = sleeper.take().unwrap();
            entity.task = Some(1000);
            let woken = cpu.now;
            cpu.enter(entity, Arrival::Woken);
            while cpu.queue.current() != Some(&1000) {
                cpu.tick();
            }
            worst = worst.max(cpu.now - woken);
            cpu.run(work);
            sleeper = cpu.queue.take_current(cpu.now);
            prop_assert!(cpu.queue.pick(cpu.now));
        }
        prop_assert!(worst <= 20 * TICK, "{}", worst);
        let (least, most) = (0..count).fold((u64::MAX, 0), |(least, most), task| {
            (least.min(cpu.used(task)), most.max(cpu.used(task)))
        });
        prop_assert!(most - least <= 14 * TICK, "{} {}", least, most);
    }

    #[test]
    fn the_tree_is_an_ordered_set(keys in proptest::collection::vec((0..40_u64, any::<bool>()), 0..300)) {
        let mut tree = Tree::default();
        let mut model = BTreeMap::new();
        for (rank, adds) in keys {
            let key = Key { rank, number: 0 };
            if adds && !model.contains_key(&rank) {
                let mut entity = Entity::new(normal(0));
                entity.task = Some(rank);
                tree.insert(entity, key);
                model.insert(rank, ());
            } else if !adds {
                prop_assert_eq!(tree.find(&mut |task| *task == rank).is_some(), model.contains_key(&rank));
                if model.remove(&rank).is_some() {
                    prop_assert_eq!(tree.remove(key).unwrap().task, Some(rank));
                }
            }
            prop_assert_eq!(tree.first().and_then(|entity| entity.task), model.keys().next().copied());
            prop_assert_eq!(tree.len(), model.len());
        }
        while let Some((rank, ())) = model.pop_first() {
            prop_assert_eq!(tree.pop_first().unwrap().task, Some(rank));
        }
        prop_assert!(tree.is_empty());
    }
}
