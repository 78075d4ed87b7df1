//! What other tools say of the same process.

use core::time::Duration;
use std::process::Command;
use std::thread;

use libtest_mimic::Failed;
use procfs::process::Process;

use crate::subject::{Seen, Subject};

/// Bytes by which sums that the kernel keeps in batches, or that are rounded, may be off; and per cent.
const SLACK: (i64, i64) = (1 << 20, 1);

/// How often a process may change while a tool looks at it: it may be slow to settle, and the kernel may take pages of files from
/// it at any time.
const TRIES: usize = 20;
/// How long it is left alone then.
const PAUSE: Duration = Duration::from_millis(200);

/// That `pmap`, `ps`, `smem` and the `procfs` crate see what we see. They look between two looks of ours, and only what has not changed
/// in between can be compared.
pub(crate) fn agree(subject: &Subject, options: &[&str]) -> Result<(), Failed> {
    let mut before = subject.why(options)?;
    for _ in 0..TRIES {
        let found = look(subject.pid);
        let after = subject.why(options)?;
        if before.rss == after.rss {
            return found.compare(&after);
        }
        thread::sleep(PAUSE);
        before = subject.why(options)?;
    }
    Err(format!("it never stands still\n{}", before.text).into())
}

/// What the tools see, in bytes; `None` from one that is not there.
struct Found {
    pmap: Option<i64>,
    procfs: [Option<i64>; 2],
    ps: Option<i64>,
    smem: [Option<i64>; 3],
}

fn look(pid: u32) -> Found {
    let smem = smem(pid).map_or([None; 3], |sizes| sizes.map(Some));
    Found { pmap: pmap(pid), procfs: ["Rss", "Pss"].map(|field| procfs(pid, field)), ps: ps(pid), smem }
}

impl Found {
    fn compare(&self, seen: &Seen) -> Result<(), Failed> {
        let [procfs_rss, procfs_pss] = self.procfs;
        let [smem_rss, smem_pss, smem_uss] = self.smem;
        // Whoever else uses the same files comes and goes meanwhile, the tools themselves among them.
        let shared = seen.uss.map_or(seen.rss, |uss| seen.rss - uss);
        let about = |ours: i64, shared: i64| shared + SLACK.0.max(ours * SLACK.1 / 100);
        let rows = [
            ("pmap -X", self.pmap, Some(seen.rss), 0),
            ("procfs", procfs_rss, Some(seen.rss), 0),
            ("ps, RSS", self.ps, Some(seen.rss), about(seen.rss, 0)),
            ("smem, RSS", smem_rss, Some(seen.rss), about(seen.rss, 0)),
            ("smem, PSS", smem_pss, seen.pss, about(seen.pss.unwrap_or(0), shared)),
            ("smem, USS", smem_uss, seen.uss, about(seen.uss.unwrap_or(0), shared)),
            ("procfs, PSS", procfs_pss, seen.pss, about(seen.pss.unwrap_or(0), shared)),
        ];
        for (tool, theirs, ours, slack) in rows {
            let (Some(theirs), Some(ours)) = (theirs, ours) else { continue };
            if (theirs - ours).abs() > slack {
                return Err(format!("{tool} is {theirs}, and ours {ours}\n{}", seen.text).into());
            }
        }
        Ok(())
    }
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
