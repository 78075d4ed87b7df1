//! `mallow explain-address`: its options.

use std::ffi::OsString;

use super::Output;

const NOTES: &str = "\
The steps from a pointer of a program to a bank of memory: the block of the heap, if the process is on mallow; the mapping;
which entry of each page table; the page; and, for who may see it (root), the frame and its zone. Nothing is touched: a page
that is not in memory stays out.

Examples:
  mallow explain-address 4121 0x7f2ccd801230      what is behind this pointer of process 4121
  mallow explain-address --json redis-server 0x55d0c0de0000 | jq .page

Exit status:
  0  it is mapped      1  nothing is mapped there      2  could not look";

/// `mallow explain-address`.
#[derive(Debug, clap::Args)]
#[command(after_help = NOTES)]
pub(crate) struct ExplainAddress {
    /// The process, by its number or its name
    #[arg(value_name = "PID|NAME")]
    pub(crate) target: OsString,

    /// The address, in hexadecimal with 0x, or in decimal
    #[arg(value_parser = address)]
    pub(crate) address: u64,

    #[command(flatten)]
    pub(crate) output: Output,
}

pub(super) fn address(word: &str) -> Result<u64, String> {
    let number = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16),
        Some(_) => return Err("an address is 0x and hexadecimal digits, or a decimal number".to_owned()),
        None => word.parse(),
    };
    number.map_err(|_| {
        "an address is 0x and hexadecimal digits, or a decimal number, of 64 bits at most".to_owned()
    })
}
