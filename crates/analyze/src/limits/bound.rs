//! A bound: something that a process, its group or the machine cannot get beyond.

use core::time::Duration;

use crate::escape;
use crate::read::Limit;

/// What is left of a limit, in thousandths, below which it is worth a look.
const LITTLE: u64 = 100;

/// A limit, with what is used of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Bound {
    /// Which one it is.
    pub kind: Kind,
    /// The name of the group, if it is of one.
    pub scope: Option<Vec<u8>>,
    /// What is used, in [`Kind::unit`].
    pub used: Option<u64>,
    /// What may be used.
    pub limit: Limit,
    /// Of what is used, file cache: the kernel takes it back before anything worse happens.
    pub reclaimable: Option<u64>,
    /// What happens there.
    pub effect: Effect,
    /// Whether anything happens there: it may be switched off, or the process be exempt.
    pub binds: bool,
    /// How much more is used every second; `None` if there was one look only.
    pub slope: Option<f64>,
}

/// What is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `memory.max`, or `memory.limit_in_bytes`.
    GroupMax,
    /// `memory.high`.
    GroupHigh,
    /// `memory.swap.max`.
    GroupSwap,
    /// `memory.memsw.limit_in_bytes`.
    GroupWithSwap,
    /// A group above those that can be seen.
    UnseenGroup,
    /// `RLIMIT_AS`.
    AddressSpace,
    /// `RLIMIT_DATA`.
    Data,
    /// `RLIMIT_STACK`.
    Stack,
    /// `RLIMIT_MEMLOCK`.
    Locked,
    /// `vm.max_map_count`.
    Mappings,
    /// Memory and swap of the machine.
    Machine,
    /// The commit limit.
    Commit,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Mappings.
    Mappings,
}

/// What happens at a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Somebody is killed, after everything was reclaimed that could be.
    Kills,
    /// All of the group are killed.
    KillsGroup,
    /// Who asks for memory waits until there is some.
    Stops,
    /// Who asks for memory has to reclaim, and is slowed down.
    Slows,
    /// Nothing more is swapped out.
    StopsSwapping,
    /// The call fails, and says so.
    Refuses,
    /// The program ends by a signal.
    Faults,
}

impl Kind {
    /// Its name, as those know it who set it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GroupMax => "cgroup max",
            Self::GroupHigh => "cgroup high",
            Self::GroupSwap => "cgroup swap",
            Self::GroupWithSwap => "cgroup memory+swap",
            Self::UnseenGroup => "cgroup above this container",
            Self::AddressSpace => "RLIMIT_AS",
            Self::Data => "RLIMIT_DATA",
            Self::Stack => "RLIMIT_STACK",
            Self::Locked => "RLIMIT_MEMLOCK",
            Self::Mappings => "vm.max_map_count",
            Self::Machine => "memory of the machine",
            Self::Commit => "commit limit",
        }
    }

    /// What is counted.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Mappings => Unit::Mappings,
            _ => Unit::Bytes,
        }
    }

    /// Whether it limits everybody, and says nothing of one process.
    pub const fn is_everybodys(self) -> bool {
        matches!(self, Self::Machine)
    }

    /// The option of `prlimit` that sets it.
    pub const fn option(self) -> Option<&'static str> {
        match self {
            Self::AddressSpace => Some("--as"),
            Self::Data => Some("--data"),
            Self::Stack => Some("--stack"),
            Self::Locked => Some("--memlock"),
            _ => None,
        }
    }

    /// Whether a process gets there by taking more and more memory, and not only by something special.
    pub const fn is_reached_by_growth(self) -> bool {
        !matches!(self, Self::GroupSwap | Self::Stack | Self::Locked | Self::Mappings)
    }
}

impl Effect {
    /// What happens, in a word or two.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kills => "kill",
            Self::KillsGroup => "kill of the group",
            Self::Stops => "wait",
            Self::Slows => "slow down",
            Self::StopsSwapping => "no more swap",
            Self::Refuses => "ENOMEM",
            Self::Faults => "SIGSEGV",
        }
    }

    /// What happens, as the end of a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Kills => "what can be reclaimed is, then somebody is killed",
            Self::KillsGroup => "what can be reclaimed is, then the whole group is killed",
            Self::Stops => "whoever asks for memory waits: killing is switched off",
            Self::Slows => "whoever asks for memory reclaims some, and is slowed down; nobody is killed",
            Self::StopsSwapping => "nothing more is swapped out",
            Self::Refuses => "mmap, brk or mlock fail with ENOMEM or EAGAIN, and malloc returns NULL",
            Self::Faults => "the program ends by SIGSEGV",
        }
    }
}

impl Bound {
    /// A limit that binds if there is one.
    pub(super) fn new(kind: Kind, used: Option<u64>, limit: Limit, effect: Effect) -> Self {
        let binds = limit != Limit::Unlimited;
        Self { kind, scope: None, used, limit, reclaimable: None, effect, binds, slope: None }
    }

    /// What is left; 0 if more is used than allowed.
    pub fn headroom(&self) -> Option<u64> {
        Some(self.limit.number()?.saturating_sub(self.used?))
    }

    /// What is left, in thousandths of what is allowed.
    pub fn headroom_share(&self) -> Option<u64> {
        let (left, limit) = (u128::from(self.headroom()?), u128::from(self.limit.number()?));
        u64::try_from((left * 1000).checked_div(limit).unwrap_or(0)).ok()
    }

    /// What is left if the kernel takes file cache back, which it does before anything worse happens.
    pub fn room(&self) -> Option<u64> {
        let limit = self.limit.number()?;
        Some(self.headroom()?.saturating_add(self.reclaimable.unwrap_or(0)).min(limit))
    }

    /// Whether so little is left that somebody should look: less than a tenth.
    pub fn is_close(&self) -> bool {
        let is_used = self.used.is_some_and(|used| used > 0);
        let is_short =
            self.limit.number().zip(self.room()).is_some_and(|(limit, room)| {
                u128::from(room) * 1000 < u128::from(limit) * u128::from(LITTLE)
            });
        self.binds && is_used && is_short
    }

    /// Which one it is, and of which group; safe to print.
    pub fn title(&self) -> String {
        match &self.scope {
            Some(scope) => format!("{} of {}", self.kind.name(), escape::name(scope)),
            None => self.kind.name().to_owned(),
        }
    }

    /// When it is reached at the present slope; `None` if it is not, or not known.
    #[expect(clippy::cast_precision_loss, reason = "a page more or less does not show")]
    pub fn time_left(&self) -> Option<Duration> {
        let slope = self.slope.filter(|slope| *slope > 0.0)?;
        Duration::try_from_secs_f64(self.headroom()? as f64 / slope).ok()
    }
}
