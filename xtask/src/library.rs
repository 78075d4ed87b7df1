//! A shared library as the dynamic loader sees it.
//!
//! Used by `exports`, which says what mallow's library must look like.

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, Sym};

type Header = elf::FileHeader64<Endianness>;

/// What the loader reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Library {
    /// Names of symbols that others may bind to, sorted.
    pub(crate) exports: Vec<String>,
    /// Symbols that must, or if `weak` may, be found elsewhere, as `name@VERSION`, sorted.
    pub(crate) imports: Vec<String>,
    /// Whether every symbol is bound when the library is loaded, not when it is first called.
    pub(crate) binds_now: bool,
    /// Whether its thread-local storage is reached at a fixed distance from the thread pointer.
    pub(crate) has_static_tls: bool,
    /// Whether it stays loaded when the program closes it.
    pub(crate) is_never_unloaded: bool,
    /// Whether the loader has to write into code.
    pub(crate) has_text_relocations: bool,
    /// Bytes of thread-local storage that each thread of each program pays for.
    pub(crate) tls_bytes: u64,
}

impl Library {
    /// Reads an ELF file.
    pub(crate) fn parse(data: &[u8]) -> Result<Self> {
        let header = Header::parse(data)?;
        let endian = header.endian()?;
        let mut library = Self::default();
        for segment in header.program_headers(endian, data)? {
            if segment.p_type(endian) == elf::PT_TLS {
                library.tls_bytes += segment.p_memsz(endian);
            }
            for entry in segment.dynamic(endian, data)?.unwrap_or_default() {
                library.note(entry.d_tag(endian), entry.d_val(endian));
            }
        }
        library.read_symbols(header, endian, data)?;
        Ok(library)
    }

    fn note(&mut self, tag: elf::DynamicTag, value: u64) {
        let flags = elf::DynamicFlags(value);
        match tag {
            elf::DT_FLAGS => {
                self.binds_now |= flags.contains(elf::DF_BIND_NOW);
                self.has_static_tls |= flags.contains(elf::DF_STATIC_TLS);
                self.has_text_relocations |= flags.contains(elf::DF_TEXTREL);
            }
            elf::DT_FLAGS_1 => {
                self.is_never_unloaded = elf::DynamicFlags1(value).contains(elf::DF_1_NODELETE);
            }
            elf::DT_TEXTREL => self.has_text_relocations = true,
            _ => {}
        }
    }

    fn read_symbols(&mut self, header: &Header, endian: Endianness, data: &[u8]) -> Result<()> {
        let sections = header.sections(endian, data)?;
        let symbols = sections.symbols(endian, data, elf::SHT_DYNSYM)?;
        if symbols.is_empty() {
            bail!("it has no dynamic symbols");
        }
        let versions = sections.versions(endian, data)?;
        for (index, symbol) in symbols.enumerate() {
            let name = symbols.symbol_name(endian, symbol)?;
            let name = core::str::from_utf8(name).context("a symbol's name is not UTF-8")?;
            if name.is_empty() || symbol.st_bind() == elf::STB_LOCAL {
                continue;
            }
            if !symbol.is_undefined(endian) {
                self.exports.push(name.to_owned());
                continue;
            }
            let version = versions
                .as_ref()
                .and_then(|table| table.version(table.version_index(endian, index).index()).ok().flatten());
            let version = version.map(|version| format!("@{}", String::from_utf8_lossy(version.name())));
            let weak = if symbol.st_bind() == elf::STB_WEAK { " weak" } else { "" };
            self.imports.push(format!("{name}{}{weak}", version.unwrap_or_default()));
        }
        self.exports.sort();
        self.imports.sort();
        Ok(())
    }
}
