//! Privilege: programs that gain rights when they start.
//!
//! The kernel marks such a start (`AT_SECURE`), and the loader then ignores `LD_PRELOAD`, whatever it says: a
//! caller must not be able to slip code into a program that may do more than the caller.
//!
//! # Source
//!
//! `execve(2)`, "Effect on process attributes"; `ld.so(8)`, "Secure-execution mode"; `capabilities(7)`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::prctl;
use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
use rustix::process::{getegid, geteuid, getgid, getuid};

use super::obstacle::Obstacle;

/// The file runs as its owner.
const SET_USER: u32 = 0o4000;

/// The file runs as its group, if the group may execute it.
const SET_GROUP: u32 = 0o2010;

/// Who starts the program.
#[derive(Clone, Copy)]
struct Caller {
    user: u32,
    effective_user: u32,
    group: u32,
    effective_group: u32,
}

/// What the file of the program grants; nothing where the kernel is told not to grant anything.
#[derive(Clone, Copy, Default)]
struct Grant {
    user: Option<u32>,
    group: Option<u32>,
    has_capabilities: bool,
}

/// Looks for rights that `program` would gain.
///
/// A file that cannot be asked grants nothing.
pub(super) fn inspect(program: &Path) -> Result<(), Obstacle> {
    let caller = Caller {
        user: getuid().as_raw(),
        effective_user: geteuid().as_raw(),
        group: getgid().as_raw(),
        effective_group: getegid().as_raw(),
    };
    compare(caller, Grant::of(program).unwrap_or_default())
}

/// The kernel's rule: a start is marked if the program runs as another user or group than its caller really
/// is, or gains capabilities that are not the superuser's anyway.
fn compare(caller: Caller, grant: Grant) -> Result<(), Obstacle> {
    let user = grant.user.unwrap_or(caller.effective_user);
    let group = grant.group.unwrap_or(caller.effective_group);
    if user != caller.user {
        Err(Obstacle::OtherUser(user))
    } else if group != caller.group {
        Err(Obstacle::OtherGroup(group))
    } else if grant.has_capabilities && caller.user != 0 {
        Err(Obstacle::Capabilities)
    } else {
        Ok(())
    }
}

impl Grant {
    fn of(program: &Path) -> Option<Self> {
        let is_disabled = prctl::get_no_new_privs().ok()?
            || statvfs(program).ok()?.f_flag.contains(StatVfsMountFlags::NOSUID);
        if is_disabled {
            return None;
        }
        let file = fs::metadata(program).ok()?;
        let grants = |bits| file.mode() & bits == bits;
        Some(Self {
            user: grants(SET_USER).then_some(file.uid()),
            group: grants(SET_GROUP).then_some(file.gid()),
            has_capabilities: getxattr(program, "security.capability", &mut [0_u8; 64]).is_ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Caller = Caller { user: 0, effective_user: 0, group: 0, effective_group: 0 };
    const SOMEBODY: Caller = Caller { user: 1000, effective_user: 1000, group: 100, effective_group: 100 };

    #[test]
    fn an_ordinary_file_grants_nothing() {
        assert_eq!(compare(SOMEBODY, Grant::default()), Ok(()));
    }

    #[test]
    fn running_as_oneself_is_no_gain() {
        let own = Grant { user: Some(1000), group: Some(100), ..Grant::default() };
        assert_eq!(compare(SOMEBODY, own), Ok(()));
        assert_eq!(compare(ROOT, Grant { user: Some(0), ..Grant::default() }), Ok(()));
    }

    #[test]
    fn running_as_another_is_a_change_even_for_the_superuser() {
        assert_eq!(
            compare(SOMEBODY, Grant { user: Some(0), ..Grant::default() }),
            Err(Obstacle::OtherUser(0))
        );
        assert_eq!(
            compare(ROOT, Grant { user: Some(1000), ..Grant::default() }),
            Err(Obstacle::OtherUser(1000))
        );
        assert_eq!(
            compare(SOMEBODY, Grant { group: Some(5), ..Grant::default() }),
            Err(Obstacle::OtherGroup(5))
        );
    }

    #[test]
    fn capabilities_are_nothing_new_to_the_superuser() {
        let capable = Grant { has_capabilities: true, ..Grant::default() };
        assert_eq!(compare(SOMEBODY, capable), Err(Obstacle::Capabilities));
        assert_eq!(compare(ROOT, capable), Ok(()));
    }
}
