//! Pages of 2 MiB.

use super::super::call::Call;
use super::super::look::Column;
use super::super::subject::Outcome;
use super::super::{Experiment, Lab, MIB, Obstacle, machine, page_bytes, size};

pub(super) const HUGE_PAGES: Experiment = Experiment {
    name: "huge-pages",
    title: "one byte can make 2 MiB resident: transparent huge pages",
    explanation: &[
        "Where a mapping covers a whole aligned piece of 2 MiB, the kernel may answer the first fault in it with one huge page. \
         That saves faults, page tables and entries of the processor's cache of translations (TLB). But the whole piece is \
         resident, however little of it is touched: memory that a sparse program pays for.",
        "/sys/kernel/mm/transparent_hugepage/enabled says when: always; madvise, only where a program asks for it with \
         MADV_HUGEPAGE; or never. Which one is the default depends on the distribution. If no 2 MiB of free memory lie side by \
         side, the kernel falls back to small pages.",
        "hugetlbfs (MAP_HUGETLB) is something else: a pool that the administrator sets aside, vm.nr_hugepages, and that is not \
         counted in RSS.",
    ],
    run,
};

const ENABLED: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const SIZE: &str = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
/// Huge pages that are asked for.
const COUNT: u64 = 8;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident, Column::Huge, Column::PageTables]);
    let enabled = machine::text_of(ENABLED).map_err(|_| {
        Obstacle::new(format!("this kernel has no transparent huge pages: there is no {ENABLED}"))
    })?;
    let chosen = enabled.split(['[', ']']).nth(1).unwrap_or_default().to_owned();
    let huge = machine::number_in(SIZE)?;
    lab.note(format!("{ENABLED}: {enabled}"));
    let bytes = COUNT * huge;

    lab.part("with MADV_NOHUGEPAGE");
    let small = touched(lab, huge, false)?;
    lab.part("with MADV_HUGEPAGE");
    let large = touched(lab, huge, true)?;
    let expected = COUNT * page_bytes();
    lab.expect(
        small.huge == 0 && (expected..expected + MIB).contains(&small.resident),
        format!(
            "one byte in each of 8 pieces of {} makes {} resident with small pages",
            size(huge),
            size(small.resident)
        ),
    );
    if chosen == "never" {
        lab.expect(
            large.huge == 0,
            "they are turned off for the whole machine, so asking for them changes nothing",
        );
    } else if large.huge == 0 {
        return Err(Obstacle::new(format!(
            "the kernel had no {} side by side to give (see: mallow lab buddy, and thp_fault_fallback in /proc/vmstat)",
            size(huge)
        )));
    } else {
        lab.expect(
            large.resident >= large.huge,
            format!(
                "the same with huge pages makes {} resident, {} of it in huge pages",
                size(large.resident),
                size(large.huge)
            ),
        );
        let is_whole = large.huge != bytes || large.faults <= COUNT + 4;
        lab.expect(is_whole, format!("it takes {} faults", large.faults));
    }

    lab.part("from the pool of hugetlbfs");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let pool = machine::number_in("/proc/sys/vm/nr_hugepages")?;
    let outcome = subject.attempt(&Call::mmap_huge("p", huge))?;
    lab.look(&mut subject)?;
    if pool == 0 && machine::number_in("/proc/sys/vm/nr_overcommit_hugepages").unwrap_or(0) == 0 {
        lab.expect(
            matches!(outcome, Outcome::Refused(_)),
            "the pool is empty (vm.nr_hugepages is 0), and the request is refused",
        );
    }
    lab.remark(
        "the page of 4 KB is the unit that the kernel deals in and the hardware translates",
        "the hardware translates 2 MiB and 1 GiB at once too, and where the kernel uses that, one touched byte costs 2 MiB of RSS",
    );
    Ok(())
}

/// What one byte in each piece costs.
struct Cost {
    resident: u64,
    huge: u64,
    faults: u64,
}

fn touched(lab: &mut Lab, huge: u64, are_wanted: bool) -> Result<Cost, Obstacle> {
    let mut subject = lab.start()?;
    subject.ask(&Call::allow_huge_pages())?;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::mmap("p", (COUNT + 1) * huge))?;
    let aligned = p.plus("aligned", p.address.next_multiple_of(huge) - p.address);
    subject.call(&Call::advise_huge(aligned, COUNT * huge, are_wanted))?;
    let before = lab.look(&mut subject)?;
    subject.call(&Call::poke(aligned, COUNT * huge, huge))?;
    let faults = subject.faults();
    let after = lab.look(&mut subject)?;
    Ok(Cost {
        resident: after.above(&before, Column::Resident),
        huge: after.above(&before, Column::Huge),
        faults,
    })
}
