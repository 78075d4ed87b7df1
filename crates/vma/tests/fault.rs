//! The fault table, whole: every access to every kind of area in every state.
#![expect(clippy::tests_outside_test_module, clippy::unwrap_used, reason = "an integration test")]

use core::num::NonZeroU32;

use mallow_units::{PageNumber, VirtAddr};
use mallow_vma::fault::{Access, Action, Cover, Entry, SegvCode, decide};
use mallow_vma::{
    FileId, Fixed, Flags, Layout, Limits, MapFlags, MapRequest, OpenFile, Prot, Space, Unbacked, Vma,
};

const AT: VirtAddr = VirtAddr(0x10_0000);
const ACCESSES: [Access; 3] = [Access::Read, Access::Write, Access::Execute];

/// What an area shows, and to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Anonymous,
    PrivateFile,
    SharedFile,
}

const KINDS: [Kind; 3] = [Kind::Anonymous, Kind::PrivateFile, Kind::SharedFile];

fn area(kind: Kind, prot: u32) -> Vma {
    let mut space: Space<Fixed<4, 4>> =
        Space::new(Default::default(), Default::default(), Layout::X86_64, Limits::ORDINARY);
    let mut request = MapRequest::anonymous(4096, Prot(prot)).at(AT);
    if kind != Kind::Anonymous {
        request.file = Some(OpenFile::read_write(FileId(NonZeroU32::MIN)));
        request.flags = request.flags.without(MapFlags::ANONYMOUS);
    }
    if kind == Kind::SharedFile {
        request.flags = request.flags.without(MapFlags::PRIVATE).with(MapFlags::SHARED);
    }
    space.mmap(&request, &mut Unbacked::default()).unwrap();
    *space.find(AT.page()).unwrap()
}

/// Every state that an entry can have, and whether one below an area of this kind can.
fn entries(kind: Kind) -> Vec<Entry> {
    let mut entries = vec![Entry::None, Entry::Guard];
    let both = [false, true];
    if kind == Kind::Anonymous {
        entries.push(Entry::Zero);
    } else {
        let may_write = |is_writable: &bool| kind == Kind::SharedFile || !is_writable;
        entries.extend(both.into_iter().filter(may_write).map(|is_writable| Entry::Cache { is_writable }));
    }
    if kind != Kind::SharedFile {
        entries.extend(both.map(|is_exclusive| Entry::Swapped { is_exclusive }));
        for is_writable in both {
            // What others have too is never writable.
            entries.push(Entry::Anon { is_writable, is_exclusive: true });
        }
        entries.push(Entry::Anon { is_writable: false, is_exclusive: false });
    }
    entries
}

/// Every combination: the area, the access, the entry, the action.
fn table() -> Vec<(Kind, Vma, Access, Entry, Action)> {
    let mut table = Vec::new();
    for kind in KINDS {
        for prot in 0..8 {
            let area = area(kind, prot);
            for access in ACCESSES {
                for entry in entries(kind) {
                    table.push((kind, area, access, entry, decide(Cover::Area(&area), access, entry)));
                }
            }
        }
    }
    table
}

fn is_allowed(area: &Vma, access: Access) -> bool {
    match access {
        Access::Read => area.flags().has_any(Flags::ACCESS),
        Access::Write => area.flags().has(Flags::WRITE),
        Access::Execute => area.flags().has(Flags::EXEC),
    }
}

#[test]
fn what_an_area_forbids_is_an_error_and_nothing_else_is() {
    for (kind, area, access, entry, action) in table() {
        let refused = Action::Segv(SegvCode::NotAllowed);
        assert_eq!(action == refused, !is_allowed(&area, access), "{kind:?} {area:?} {access:?} {entry:?}");
    }
}

#[test]
fn a_guard_is_not_mapped_for_anybody() {
    let guarded = table()
        .into_iter()
        .filter(|(_, area, access, entry, _)| *entry == Entry::Guard && is_allowed(area, *access));
    assert!(guarded.map(|row| row.4).all(|action| action == Action::Segv(SegvCode::NotMapped)));
}

#[test]
fn the_table_is_this_one() {
    use Action::{Copy, CopyCache, MapCache, MapNew, MapZero, Reuse, Spurious, SwapIn, WriteCache};
    for (kind, area, access, entry, action) in table() {
        if !is_allowed(&area, access) || entry == Entry::Guard {
            continue;
        }
        let writes = access == Access::Write;
        let expected = match (kind, entry, writes) {
            (Kind::Anonymous, Entry::None, false) => MapZero,
            (Kind::Anonymous, Entry::None | Entry::Zero, true) => MapNew,
            (Kind::PrivateFile | Kind::SharedFile, Entry::None, false) => MapCache,
            (Kind::PrivateFile, Entry::None | Entry::Cache { .. }, true) => CopyCache,
            (Kind::SharedFile, Entry::None | Entry::Cache { is_writable: false }, true) => WriteCache,
            (_, Entry::Anon { is_writable: false, is_exclusive: true }, true) => Reuse,
            (_, Entry::Anon { is_writable: false, is_exclusive: false }, true) => Copy,
            (_, Entry::Swapped { is_exclusive }, _) => SwapIn { is_writable: writes && is_exclusive },
            _ => Spurious,
        };
        assert_eq!(action, expected, "{kind:?} {access:?} {entry:?}");
    }
}

#[test]
fn a_write_never_reaches_what_others_have() {
    for (kind, area, access, entry, action) in table() {
        let is_others = match entry {
            Entry::Anon { is_exclusive, .. } | Entry::Swapped { is_exclusive } => !is_exclusive,
            Entry::Zero => true,
            Entry::Cache { .. } => kind == Kind::PrivateFile,
            Entry::None | Entry::Guard => false,
        };
        let lets_write = matches!(
            action,
            Action::Spurious | Action::Reuse | Action::SwapIn { is_writable: true } | Action::WriteCache
        );
        let is_write = access == Access::Write && is_allowed(&area, access);
        assert!(!(is_others && is_write && lets_write), "{kind:?} {entry:?} {action:?}");
    }
}

#[test]
fn outside_of_areas_only_a_stack_helps() {
    let stack = area(Kind::Anonymous, 3);
    for access in ACCESSES {
        for entry in entries(Kind::Anonymous) {
            assert_eq!(decide(Cover::Nothing, access, entry), Action::Segv(SegvCode::NotMapped));
            assert_eq!(decide(Cover::BelowStack(&stack), access, entry), Action::GrowStack);
        }
    }
    assert_eq!(stack.span().start(), PageNumber(0x100));
}
