//! What other tools say of the same process.

use std::process::Command;

use libtest_mimic::Failed;
use procfs::process::Process;

use crate::subject::Seen;

/// Bytes by which sums that the kernel keeps in batches, or that are rounded, may be off; and per cent.
const SLACK: (i64, i64) = (1 << 20, 1);

/// That `pmap`, `ps`, `smem` and the `procfs` crate see what we see.
pub(crate) fn agree(pid: u32, seen: &Seen) -> Result<(), Failed> {
    let exact = [("pmap -X", pmap(pid)), ("procfs", procfs(pid, "Rss"))];
    for (tool, rss) in exact {
        if let Some(rss) = rss.filter(|rss| *rss != seen.rss) {
            return Err(
                format!("{tool} sees {rss} bytes in memory, and we {}\n{}", seen.rss, seen.text).into()
            );
        }
    }
    let [smem_rss, smem_pss, smem_uss] = smem(pid).map_or([None; 3], |sizes| sizes.map(Some));
    // Whoever else uses the same files comes and goes meanwhile, the tools themselves among them.
    let shared = seen.uss.map_or(seen.rss, |uss| seen.rss - uss);
    let near = [
        ("ps, RSS", ps(pid), Some(seen.rss), 0),
        ("smem, RSS", smem_rss, Some(seen.rss), 0),
        ("smem, PSS", smem_pss, seen.pss, shared),
        ("smem, USS", smem_uss, seen.uss, shared),
        ("procfs, PSS", procfs(pid, "Pss"), seen.pss, shared),
    ];
    for (tool, theirs, ours, slack) in near {
        let (Some(theirs), Some(ours)) = (theirs, ours) else { continue };
        if (theirs - ours).abs() > slack + SLACK.0.max(ours * SLACK.1 / 100) {
            return Err(format!("{tool} is {theirs}, and ours {ours}\n{}", seen.text).into());
        }
    }
    Ok(())
}

/// What a tool prints; `None` if it is not there, or cannot say.
fn printed(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last line is the sum of the columns that the second line names.
fn pmap(pid: u32) -> Option<i64> {
    let text = printed("pmap", &["-X", &pid.to_string()])?;
    let titles: Vec<&str> = text.lines().nth(1)?.split_whitespace().collect();
    let place = titles.iter().position(|title| *title == "Rss")?;
    // The sums begin with the size, behind address, rights, offset, device and inode.
    let first = titles.iter().position(|title| *title == "Size")?;
    let sums: Vec<&str> = text.lines().rev().find(|line| line.contains("KB"))?.split_whitespace().collect();
    kib(sums.get(place - first)?)
}

fn ps(pid: u32) -> Option<i64> {
    kib(printed("ps", &["-o", "rss=", "-p", &pid.to_string()])?.trim())
}

/// RSS, PSS and USS.
fn smem(pid: u32) -> Option<[i64; 3]> {
    let text = printed("smem", &["-H", "-c", "pid rss pss uss"])?;
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(&pid.to_string()))?;
    let sizes: Vec<i64> = line.split_whitespace().skip(1).filter_map(kib).collect();
    sizes.try_into().ok()
}

fn procfs(pid: u32, field: &str) -> Option<i64> {
    let maps = Process::new(i32::try_from(pid).ok()?).ok()?.smaps().ok()?;
    let sizes = maps.0.iter().filter_map(|map| map.extension.map.get(field));
    i64::try_from(sizes.sum::<u64>()).ok()
}

fn kib(number: &str) -> Option<i64> {
    number.parse::<i64>().ok()?.checked_mul(1024)
}
