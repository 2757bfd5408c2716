//! An ordered set of entities: a treap, whose nodes the entities are.
//!
//! A treap is a search tree by key and a heap by a random number, so that it is balanced whatever the keys are: with
//! ten thousand entities a path has about forty steps, and so deep do the functions here call themselves.
//! Invariant: no key is below a key to its left; no node's random number is above its parent's.

use alloc::boxed::Box;

use super::entity::Entity;

/// What a tree is ordered by; the number distinguishes entities of one rank.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    pub(super) rank: u64,
    pub(super) number: u64,
}

type Subtree<T> = Option<Box<Entity<T>>>;

/// An entity's part of the tree.
#[derive(Debug)]
pub(super) struct Link<T> {
    pub(super) key: Key,
    height: u32,
    left: Subtree<T>,
    right: Subtree<T>,
}

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self { key: Key::default(), height: 0, left: None, right: None }
    }
}

/// The ordered set.
#[derive(Debug)]
pub(super) struct Tree<T> {
    root: Subtree<T>,
    len: usize,
    random: u32,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { root: None, len: 0, random: 0x9e37_79b9 }
    }
}

impl<T> Tree<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Adds an entity with a key that no other has.
    pub(super) fn insert(&mut self, mut entity: Box<Entity<T>>, key: Key) {
        self.len += 1;
        entity.link.key = key;
        if self.root.is_none() {
            self.root = Some(entity);
            return;
        }
        entity.link.height = self.next();
        let mut place = &mut self.root;
        while place.as_ref().is_some_and(|node| node.link.height >= entity.link.height) {
            let Some(node) = place.as_mut() else { return };
            place = if key < node.link.key { &mut node.link.left } else { &mut node.link.right };
        }
        let (left, right) = split(place.take(), key);
        (entity.link.left, entity.link.right) = (left, right);
        *place = Some(entity);
    }

    /// Returns the next number of Marsaglia's xorshift: heights only have to be unrelated to the keys.
    const fn next(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    /// Returns a number that no task chooses, below 2^32.
    pub(super) fn random(&mut self) -> u64 {
        u64::from(self.next())
    }

    /// Returns the first entity.
    pub(super) fn first(&self) -> Option<&Entity<T>> {
        let mut node = self.root.as_deref()?;
        while let Some(left) = node.link.left.as_deref() {
            node = left;
        }
        Some(node)
    }

    /// Removes the first entity.
    pub(super) fn pop_first(&mut self) -> Option<Box<Entity<T>>> {
        let mut place = &mut self.root;
        while place.as_ref()?.link.left.is_some() {
            place = &mut place.as_mut()?.link.left;
        }
        let mut first = place.take()?;
        *place = first.link.right.take();
        self.len -= 1;
        Some(first)
    }

    /// Removes the entity with that key.
    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Entity<T>>> {
        let mut place = &mut self.root;
        while place.as_ref()?.link.key != key {
            let node = place.as_mut()?;
            place = if key < node.link.key { &mut node.link.left } else { &mut node.link.right };
        }
        let mut found = place.take()?;
        *place = join(found.link.left.take(), found.link.right.take());
        self.len -= 1;
        Some(found)
    }

    /// Returns the key of the first entity in order whose task meets a condition.
    pub(super) fn find(&self, meets: &mut impl FnMut(&T) -> bool) -> Option<Key> {
        find(self.root.as_deref(), meets)
    }
}

fn find<T>(node: Option<&Entity<T>>, meets: &mut impl FnMut(&T) -> bool) -> Option<Key> {
    let node = node?;
    if let Some(found) = find(node.link.left.as_deref(), meets) {
        return Some(found);
    }
    if node.task.as_ref().is_some_and(&mut *meets) {
        return Some(node.link.key);
    }
    find(node.link.right.as_deref(), meets)
}

/// Splits a subtree into what is before `key` and the rest.
fn split<T>(tree: Subtree<T>, key: Key) -> (Subtree<T>, Subtree<T>) {
    let Some(mut node) = tree else { return (None, None) };
    if key < node.link.key {
        let (before, after) = split(node.link.left.take(), key);
        node.link.left = after;
        (before, Some(node))
    } else {
        let (before, after) = split(node.link.right.take(), key);
        node.link.right = before;
        (Some(node), after)
    }
}

/// Joins two subtrees; all keys of `left` are below those of `right`.
fn join<T>(left: Subtree<T>, right: Subtree<T>) -> Subtree<T> {
    match (left, right) {
        (None, tree) | (tree, None) => tree,
        (Some(mut left), Some(mut right)) => {
            if left.link.height >= right.link.height {
                left.link.right = join(left.link.right.take(), Some(right));
                Some(left)
            } else {
                right.link.left = join(Some(left), right.link.left.take());
                Some(right)
            }
        }
    }
}
