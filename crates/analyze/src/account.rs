//! Accounts: everything that there is to say about the memory of a process, from a recording of it.
//!
//! ```text
//!  recording ──► mappings, status ──► owners ──► ledger ─┐
//!            ├─► heaps, huge pages, samples ─────────────┼──► findings
//!            └─► groups, up to the root ─────────────────┘
//! ```
//!
//! Called by the commands `why`, `diff` and `report`.

use core::error::Error;
use core::fmt;

use mallow_units::page::PAGE_BYTES;

use crate::glibc::Heap;
use crate::ledger::Ledger;
use crate::limits::{self, Bound, Look};
use crate::mallow::View;
use crate::owner::{self, Owner};
use crate::padding::Padding;
use crate::read::cgroup::group::Group;
use crate::read::cgroup::place::{self, Folder, Place};
use crate::read::smaps::{self, Mapping};
use crate::read::status::{self, Status};
use crate::read::{ReadError, meminfo, mountinfo, rlimits, statm};
use crate::recording::Recording;
use crate::slope::{Sample, Slope};
use crate::verdict::{self, Finding};

/// Bytes of a thread's stack in the kernel, on x86-64.
pub const KERNEL_STACK_BYTES: u64 = 16 << 10;

/// The memory of a process.
#[derive(Clone, PartialEq, Debug)]
pub struct Account {
    /// The number of the process.
    pub pid: u32,
    /// Milliseconds since 1970 began, when it was read.
    pub unix_ms: u64,
    /// The path of its program; empty if it is not told.
    pub program: Vec<u8>,
    /// Who it is, and the kernel's own sums.
    pub status: Status,
    /// Its address space.
    pub mappings: Vec<Mapping>,
    /// Who has each of [`Account::mappings`].
    pub owners: Vec<Owner>,
    /// Where its resident memory is.
    pub ledger: Ledger,
    /// What `statm` said was resident, in bytes, before and after `smaps` was read.
    pub statm: [Option<u64>; 2],
    /// What was seen of its heaps, or why nothing was.
    pub heaps: Result<Vec<Heap>, String>,
    /// What was seen of its heap if it is on mallow, or why nothing was.
    pub mallow: Option<Result<View, String>>,
    /// What was seen of its huge pages.
    pub padding: Option<Padding>,
    /// What was resident while it was watched.
    pub samples: Vec<Sample>,
    /// How it grows, if it was watched for long enough.
    pub slope: Option<Slope>,
    /// Its group and those above, or why they are not known.
    pub groups: Result<Vec<(Folder, Group)>, String>,
    /// What limits it, as far as that is known; see [`limits::bounds`].
    pub bounds: Vec<Bound>,
    /// What was found, the most important first; never empty.
    pub findings: Vec<Finding>,
}

/// Why there is no account of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccountError {
    /// A file is missing, for this reason.
    Missing(&'static str, String),
    /// A file is not as it must be.
    Malformed(&'static str, ReadError),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(file, reason) => write!(f, "{file} is missing: {reason}"),
            Self::Malformed(file, error) => write!(f, "cannot understand {file}, {error}"),
        }
    }
}

impl Error for AccountError {}

impl Account {
    /// The account of what was recorded.
    ///
    /// # Errors
    ///
    /// If `smaps` or `status` is missing or malformed. Anything else that is missing is left out.
    pub fn of(recording: &Recording) -> Result<Self, AccountError> {
        let file = |name| {
            recording.get(name).ok_or_else(|| AccountError::Missing(name, recording.reason(name).to_owned()))
        };
        let mappings =
            smaps::parse(&file("smaps")?).map_err(|error| AccountError::Malformed("smaps", error))?;
        let status =
            status::parse(&file("status")?).map_err(|error| AccountError::Malformed("status", error))?;
        let program = recording.get("exe").unwrap_or_default();
        // The sum over the mappings is exact; the counters of `status` and `statm` may be some pages off.
        let resident = mappings.iter().map(Mapping::resident_bytes).fold(0, u64::saturating_add);
        let resident_of = |name| {
            let pages = statm::parse(&recording.get(name)?).ok()?.resident;
            pages.checked_mul(PAGE_BYTES as u64)
        };
        let shares = match &recording.mallow {
            Some(Ok(view)) => &view.shares[..],
            _ => &[],
        };
        let mut owners = owner::owners(&mappings, &program);
        owner::correct(&mut owners, shares);
        let mut account = Self {
            pid: recording.pid,
            unix_ms: recording.unix_ms,
            owners,
            ledger: Ledger::with_heap(&mappings, &program, &status, resident, shares),
            program,
            status,
            mappings,
            statm: [resident_of("statm.before"), resident_of("statm.after")],
            heaps: recording.heaps.clone(),
            mallow: recording.mallow.clone(),
            padding: recording.padding,
            slope: Slope::of(&recording.samples),
            samples: recording.samples.clone(),
            groups: groups(recording),
            bounds: Vec::new(),
            findings: Vec::new(),
        };
        account.bounds = bounds(recording, &account);
        account.findings = verdict::judge(&verdict::Facts::of(&account));
        Ok(account)
    }

    /// How much resident memory came or went while `smaps` was read, in bytes; `None` if that is not known.
    pub fn moved(&self) -> Option<i128> {
        let [before, after] = self.statm;
        Some(i128::from(after?) - i128::from(before?))
    }

    /// Bytes of stacks in the kernel: of each thread one.
    pub const fn kernel_stacks(&self) -> u64 {
        self.status.threads.saturating_mul(KERNEL_STACK_BYTES)
    }

    /// Its own group.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    pub fn group(&self) -> Result<&(Folder, Group), &str> {
        match &self.groups {
            Ok(groups) => groups.first().ok_or("it is in no group"),
            Err(reason) => Err(reason),
        }
    }
}

/// Where the groups of a process are, from what was recorded of it.
///
/// # Errors
///
/// Why that is not known.
pub fn place(recording: &Recording) -> Result<Place, String> {
    let file = |name: &str| recording.get(name).ok_or_else(|| recording.reason(name).to_owned());
    let memberships = place::parse(&file("cgroup")?).map_err(|error| error.to_string())?;
    let mounts = mountinfo::parse(&file("mountinfo")?).map_err(|error| error.to_string())?;
    place::of_memory(&memberships, &mounts).map_err(|error| error.to_string())
}

/// The name under which a file of the `nth` group, counted from its own, is recorded.
pub fn group_file(nth: usize, file: &str) -> String {
    format!("cgroup/{nth}/{file}")
}

fn groups(recording: &Recording) -> Result<Vec<(Folder, Group)>, String> {
    let place = place(recording)?;
    let read = |(nth, folder): (usize, Folder)| {
        let group = Group::read(place.version, |file| recording.get(&group_file(nth, file)));
        group.map(|group| (folder, group)).map_err(|error| error.to_string())
    };
    place.groups.clone().into_iter().enumerate().map(read).collect()
}

/// What limits the process. A file that is missing or malformed leaves out what it would tell.
fn bounds(recording: &Recording, account: &Account) -> Vec<Bound> {
    let of_groups = account.groups.as_ref().map_or(&[][..], |groups| groups);
    let groups: Vec<_> =
        of_groups.iter().map(|(folder, group)| (folder.name.clone(), group.clone())).collect();
    let setting = |name| str::from_utf8(&recording.get(name)?).ok()?.trim().parse().ok();
    let bounds = limits::bounds(&Look {
        groups: &groups,
        rlimits: recording.get("limits").and_then(|file| rlimits::parse(&file).ok()).as_ref(),
        status: &account.status,
        meminfo: &recording.get("meminfo").and_then(|file| meminfo::parse(&file).ok()).unwrap_or_default(),
        mappings: Some(account.mappings.len() as u64),
        most_mappings: setting("max_map_count"),
        overcommit_mode: setting("overcommit_memory"),
    });
    bounds.into_iter().filter(|bound| !bound.kind.is_everybodys()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Kind;

    fn recording() -> Recording {
        let mut recording = Recording::new(17, 0);
        recording.put("smaps", b"1000-9000 rw-p 0 00:00 0 [heap]\nRss: 32 kB\n".to_vec());
        recording.put("status", b"Name:\tx\nPid:\t17\nThreads:\t2\nVmSize:\t32 kB\n".to_vec());
        recording.put("statm.before", b"9 8 0\n".to_vec());
        recording.put("statm.after", b"9 9 0\n".to_vec());
        recording
    }

    #[test]
    fn an_account_is_made_of_what_there_is() {
        let account = Account::of(&recording()).unwrap();
        assert_eq!((account.ledger.resident, account.ledger.residual()), (32 << 10, 0));
        assert_eq!(account.moved(), Some(4096));
        assert_eq!(account.kernel_stacks(), 32 << 10);
        assert_eq!(account.group(), Err("it was not read"));
        assert_eq!(account.findings[0].kind, Kind::NothingWrong);
    }

    #[test]
    fn the_groups_are_read_from_the_recording() {
        let mut recording = recording();
        recording.put("cgroup", b"0::/a/b\n".to_vec());
        recording.put("mountinfo", b"31 23 0:28 / /cg rw - cgroup2 cgroup2 rw\n".to_vec());
        recording.put("cgroup/0/memory.current", b"4096\n".to_vec());
        recording.put("cgroup/1/memory.max", b"max\n".to_vec());
        let account = Account::of(&recording).unwrap();
        let (folder, group) = account.group().unwrap();
        assert_eq!((&folder.path[..], group.current), (&b"/cg/a/b"[..], Some(4096)));
        assert_eq!(account.groups.unwrap().len(), 3);
    }

    #[test]
    fn without_mappings_there_is_no_account() {
        let mut recording = recording();
        recording.put_missing("smaps", "not permitted".to_owned());
        assert_eq!(Account::of(&recording).unwrap_err().to_string(), "smaps is missing: not permitted");
        recording.put("smaps", b"Rss: 1 kB\n".to_vec());
        let error = Account::of(&recording).unwrap_err().to_string();
        assert_eq!(error, "cannot understand smaps, at byte 0: expected a mapping before its amounts");
    }
}
