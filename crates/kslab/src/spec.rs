//! What a cache is asked to hold: name, size, alignment, constructor, checks.

use core::fmt;
use core::mem::MaybeUninit;
use core::ops::BitOr;

use mallow_units::Align;

/// Puts one object into its constructed state. It gets the bytes of the object, and may not allocate from the same cache.
pub type Constructor = fn(&mut [MaybeUninit<u8>]);

/// The description of a cache. Any value may be asked for; [`crate::Cache::create`] refuses what cannot be.
///
/// ```
/// use mallow_kslab::{Checks, Spec};
/// use mallow_units::Align;
/// let spec = Spec::new("dentry", 192).aligned(Align::new(64).unwrap()).checked(Checks::POISON | Checks::TAGS);
/// assert_eq!(spec.name, "dentry");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// As it stands in `slabinfo`. Linux refuses a space in it, and so do we.
    pub name: &'static str,
    /// Bytes of an object; 1 to 4 MiB.
    pub bytes: usize,
    /// Where objects may start; at most a page.
    pub align: Align,
    /// Run once for each object when its slab is made. Whoever frees an object leaves it in this state.
    pub constructor: Option<Constructor>,
    /// What is verified on each operation.
    pub checks: Checks,
    /// Whether the objects can be dropped under pressure, as cached directory entries can. Their slabs are kept apart.
    pub is_reclaimable: bool,
}

impl Spec {
    /// Objects of `bytes` bytes at multiples of 8, neither constructed nor checked.
    pub const fn new(name: &'static str, bytes: usize) -> Self {
        Self { name, bytes, align: WORD, constructor: None, checks: Checks::NONE, is_reclaimable: false }
    }

    /// Objects of type `T`.
    pub const fn of<T>(name: &'static str) -> Self {
        let spec = Self::new(name, size_of::<T>());
        match Align::new(align_of::<T>()) {
            Some(align) => spec.aligned(align),
            None => spec,
        }
    }

    /// The same with objects at multiples of `align`. Below a word there is no alignment.
    #[must_use]
    pub const fn aligned(self, align: Align) -> Self {
        Self { align: if align.bytes() < WORD.bytes() { WORD } else { align }, ..self }
    }

    /// The same with objects that `constructor` has seen.
    #[must_use]
    pub const fn constructed_by(self, constructor: Constructor) -> Self {
        Self { constructor: Some(constructor), ..self }
    }

    /// The same for objects that can be dropped under pressure (`SLAB_RECLAIM_ACCOUNT`).
    #[must_use]
    pub const fn reclaimable(self) -> Self {
        Self { is_reclaimable: true, ..self }
    }

    /// The same with `checks`.
    #[must_use]
    pub const fn checked(self, checks: Checks) -> Self {
        Self { checks, ..self }
    }
}

const WORD: Align = match Align::new(8) {
    Some(word) => word,
    None => Align::BLOCK,
};

/// What a cache verifies, as a set. A cache that checks anything has no arrays per CPU: every operation reaches the slab.
///
/// The letters are those of `slab_debug` in Linux: `F` consistency, `Z` red zones, `P` poison, `U` tags.
///
/// ```
/// use mallow_kslab::Checks;
/// assert_eq!(Checks::parse("zp"), Ok(Checks::RED_ZONES | Checks::POISON));
/// assert_eq!(Checks::parse("zx"), Err('x'));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checks(u8);

impl Checks {
    /// Nothing: the fast cache.
    pub const NONE: Self = Self(0);
    /// `F`: a free must name an object of this cache that is in use, at once and not when its array is flushed.
    pub const CONSISTENCY: Self = Self(1);
    /// `Z`: bytes before and behind each object must stay as they are.
    pub const RED_ZONES: Self = Self(2);
    /// `P`: a free object is filled with 6b and ends with a5, and must be so when it is handed out again.
    pub const POISON: Self = Self(4);
    /// `U`: who allocated and who freed an object last.
    pub const TAGS: Self = Self(8);
    /// All of them.
    pub const ALL: Self = Self(15);

    /// Reads letters as in `slab_debug=FZPU`, in either case.
    ///
    /// # Errors
    ///
    /// The first letter that means nothing here.
    pub fn parse(letters: &str) -> Result<Self, char> {
        letters.chars().try_fold(Self::NONE, |checks, letter| match letter.to_ascii_uppercase() {
            'F' => Ok(checks | Self::CONSISTENCY),
            'Z' => Ok(checks | Self::RED_ZONES),
            'P' => Ok(checks | Self::POISON),
            'U' => Ok(checks | Self::TAGS),
            _ => Err(letter),
        })
    }

    /// Whether all of `other` are in it.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is any.
    pub const fn any(self) -> bool {
        self.0 != 0
    }

    /// The same without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Checks {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Why there is no such cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// The name is empty or has a space in it, which `slabinfo` could not show.
    BadName,
    /// Objects of no bytes, or of more than a run of the highest order holds.
    BadSize(usize),
    /// An alignment above a page.
    BadAlign(usize),
    /// As many caches as can be told apart have been made: 2^32 - 1.
    NoIdentity,
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName => f.write_str("the name of a cache is not empty and has no space"),
            Self::BadSize(bytes) => write!(f, "no slab holds an object of {bytes} bytes"),
            Self::BadAlign(bytes) => {
                write!(f, "objects cannot be aligned to {bytes} bytes, which is above a page")
            }
            Self::NoIdentity => f.write_str("no number is left that would tell the cache from others"),
        }
    }
}

impl core::error::Error for CreateError {}
