//! The areas as text, in the form of `/proc/PID/maps`.

use core::fmt;

use mallow_units::PageNumber;

use crate::area::{Backing, Vma};
use crate::edit::PAGE;
use crate::flags::Flags;
use crate::space::Space;
use crate::store::Store;

/// What `maps` says about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileName<'name> {
    /// Major number of the device.
    pub major: u32,
    /// Minor number of the device.
    pub minor: u32,
    /// The number of the file on it.
    pub inode: u64,
    /// The path; may be empty.
    pub path: &'name str,
}

/// A space as text; made by [`Space::maps`].
pub struct Maps<'space, S: Store, N> {
    space: &'space Space<S>,
    name: N,
}

impl<S: Store> Space<S> {
    /// The areas as `/proc/PID/maps` shows them, a line each; `name` knows the files.
    pub const fn maps<'name, N>(&self, name: N) -> Maps<'_, S, N>
    where
        N: Fn(&Vma) -> FileName<'name>,
    {
        Maps { space: self, name }
    }

    /// What the line of an area says when it shows no file: `[heap]`, `[stack]`, or nothing.
    pub fn region_name(&self, area: &Vma) -> &'static str {
        let (start, end) = (area.span.start().start(), area.span.end().start());
        let stack = self.layout.stack;
        if !area.is_anonymous() {
            ""
        } else if start < self.heap_end && end > self.layout.heap_start {
            "[heap]"
        } else if start <= stack && end >= stack {
            "[stack]"
        } else {
            ""
        }
    }

    /// One line without its end.
    fn write_line(&self, f: &mut fmt::Formatter<'_>, area: &Vma, name: &FileName<'_>) -> fmt::Result {
        let offset = if area.is_anonymous() { 0 } else { area.offset.wrapping_mul(PAGE) };
        let head = Head { area, offset, name };
        let path = if area.is_anonymous() { self.region_name(area) } else { name.path };
        // The path begins at column 74, or after one blank if the rest is longer.
        if path.is_empty() { write!(f, "{head} ") } else { write!(f, "{head:<72} {path}") }
    }
}

impl<'name, S: Store, N: Fn(&Vma) -> FileName<'name>> fmt::Display for Maps<'_, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for area in self.space.areas() {
            let name = match area.backing() {
                Backing::Anonymous => FileName::default(),
                Backing::File(_) => (self.name)(area),
            };
            self.space.write_line(f, area, &name)?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

impl<S: Store, N> fmt::Debug for Maps<'_, S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.space.areas()).finish()
    }
}

/// A line up to the path.
struct Head<'line> {
    area: &'line Vma,
    offset: u64,
    name: &'line FileName<'line>,
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |page: PageNumber| page.start().0;
        let (start, end) = (address(self.area.span.start()), address(self.area.span.end()));
        let FileName { major, minor, inode, .. } = *self.name;
        let mut line = Line::default();
        let access = Access(self.area.flags);
        fmt::write(
            &mut line,
            format_args!(
                "{start:08x}-{end:08x} {access} {:08x} {major:02x}:{minor:02x} {inode}",
                self.offset
            ),
        )?;
        f.pad(line.text())
    }
}

/// `rwxp`, as far as they hold.
pub(crate) struct Access(pub(crate) Flags);

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |flag: Flags, letter: &'static str| if self.0.has(flag) { letter } else { "-" };
        f.write_str(letter(Flags::READ, "r"))?;
        f.write_str(letter(Flags::WRITE, "w"))?;
        f.write_str(letter(Flags::EXEC, "x"))?;
        f.write_str(if self.0.has(Flags::MAY_SHARE) { "s" } else { "p" })
    }
}

/// Room for the longest head of a line.
struct Line {
    bytes: [u8; 128],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; 128], len: 0 }
    }
}

impl Line {
    fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let to = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(fmt::Error)?;
        to.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}
