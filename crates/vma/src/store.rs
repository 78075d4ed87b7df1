//! Where a space keeps its nodes and its areas.

use mallow_ds::pool::{ArrayPool, Pool};
use mallow_ds::range_map::Node;

use crate::area::Vma;

/// A choice of pools for a [`crate::Space`].
pub trait Store {
    /// Holds the nodes of the map from pages to areas.
    type Nodes: Pool<Node>;
    /// Holds the areas.
    type Areas: Pool<Vma>;
}

/// Arrays inside the space: no memory from anywhere else. An area takes at most one sixth of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fixed<const NODES: usize, const AREAS: usize>;

impl<const NODES: usize, const AREAS: usize> Store for Fixed<NODES, AREAS> {
    type Nodes = ArrayPool<Node, NODES>;
    type Areas = ArrayPool<Vma, AREAS>;
}

#[cfg(feature = "std")]
pub use self::growing::{Growing, GrowingPool};

#[cfg(feature = "std")]
mod growing {
    use super::{Node, Pool, Store, Vma};
    use alloc::vec::Vec;

    /// Vectors that grow.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Growing;

    impl Store for Growing {
        type Nodes = GrowingPool<Node>;
        type Areas = GrowingPool<Vma>;
    }

    /// A pool in a vector.
    #[derive(Clone, Debug)]
    pub struct GrowingPool<T> {
        slots: Vec<T>,
        free: Vec<u32>,
    }

    impl<T> Default for GrowingPool<T> {
        fn default() -> Self {
            Self { slots: Vec::new(), free: Vec::new() }
        }
    }

    impl<T> GrowingPool<T> {
        /// How many numbers are taken.
        pub const fn taken(&self) -> usize {
            self.slots.len() - self.free.len()
        }
    }

    impl<T> Pool<T> for GrowingPool<T> {
        fn reserve(&mut self, count: usize) -> bool {
            let missing = count.saturating_sub(self.free.len());
            self.slots.try_reserve(missing).is_ok() && u32::try_from(self.slots.len() + missing).is_ok()
        }

        fn take(&mut self, value: T) -> Option<u32> {
            if let Some(at) = self.free.pop() {
                *self.get_mut(at) = value;
                return Some(at);
            }
            let at = u32::try_from(self.slots.len()).ok()?;
            self.slots.try_reserve(1).ok()?;
            self.slots.push(value);
            Some(at)
        }

        fn give_back(&mut self, at: u32) {
            self.free.push(at);
        }

        fn get(&self, at: u32) -> &T {
            &self.slots[at as usize]
        }

        fn get_mut(&mut self, at: u32) -> &mut T {
            &mut self.slots[at as usize]
        }
    }
}
