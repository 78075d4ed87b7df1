//! One scenario: a C or C++ file, the tests it stands for, and how each is carried out.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Completion, Failed, Trial};
use mallow_testkit::compile::{Link, compile};
use mallow_testkit::preload::{self, Run};

use crate::orders::{Invocation, Orders};

/// Exit status of a program that cannot run here and has printed why.
const SKIPPED: i32 = 77;

/// How many times as long as the others a soaking test may take.
const SOAK: u32 = 10;

/// A source and its orders.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: PathBuf,
    orders: Orders,
}

impl Scenario {
    /// Reads the scenario in the file `source`.
    ///
    /// # Panics
    ///
    /// If the file cannot be read or gives an order that does not exist.
    #[must_use]
    pub fn read(source: PathBuf) -> Self {
        let text =
            fs::read_to_string(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        let orders = Orders::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        Self { source, orders }
    }

    /// Returns one test for each link mode and invocation.
    pub fn trials(self) -> impl Iterator<Item = Trial> {
        let runs = self
            .orders
            .invocations
            .iter()
            .flat_map(|invocation| self.orders.links.iter().map(|&link| (link, invocation.clone())));
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(move |(link, invocation)| {
            let scenario = self.clone();
            let name = scenario.name(link, &invocation);
            Trial::ignorable_test(name, move || scenario.carry_out(link, &invocation))
        })
    }

    fn name(&self, link: Link, invocation: &Invocation) -> String {
        let stem = self.source.file_stem().unwrap_or_default().to_string_lossy();
        let link = match link {
            Link::Static => " (static)",
            Link::StaticPie => " (static-pie)",
            Link::Dynamic | Link::Plugin => "",
        };
        format!("{stem}{invocation}{link}")
    }

    fn carry_out(&self, link: Link, invocation: &Invocation) -> Result<Completion, Failed> {
        if let Some(reason) = self.reason_to_skip(link, invocation) {
            return Ok(Completion::ignored_with(reason));
        }
        let outcome = self.prepare(link, invocation)?.finish()?;
        if outcome.status.code() == Some(SKIPPED) {
            return Ok(Completion::ignored_with(outcome.stderr().trim_end()));
        }
        outcome.success()?;
        Ok(Completion::Completed)
    }

    fn reason_to_skip(&self, link: Link, invocation: &Invocation) -> Option<&'static str> {
        if invocation.is_soak && env::var_os("MALLOW_SOAK").is_none() {
            return Some("takes long: set MALLOW_SOAK=1");
        }
        if self.orders.is_mallows && !preload::is_mallow() {
            return Some("only mallow promises this, and it is not under test");
        }
        if self.orders.is_bare && preload::library().is_none() {
            return Some("there is no library to load");
        }
        if link != Link::Dynamic && preload::library().is_some() && preload::archive().is_none() {
            return Some("the library under test comes without an archive");
        }
        None
    }

    fn prepare(&self, link: Link, invocation: &Invocation) -> Result<Run, Failed> {
        let flags: Vec<&str> = self.orders.flags.iter().map(String::as_str).collect();
        let limit = self.orders.limit * if invocation.is_soak { SOAK } else { 1 };
        let mut run = Run::new(compile(&self.source, link, &flags)?).args(&invocation.args).limit(limit);
        for (name, value) in &invocation.env {
            run = run.env(name, value);
        }
        if let Some(plugin) = &self.orders.plugin {
            let source = self.source.parent().unwrap_or(Path::new("")).join(plugin);
            run = run.env("PLUGIN", compile(&source, Link::Plugin, &[])?);
        }
        if preload::is_mallow() {
            run = run.env("IS_MALLOW", "1");
        }
        if self.orders.is_bare {
            run = run.without_library().env("LIBRARY", preload::library().unwrap_or(Path::new("")));
        }
        if link != Link::Dynamic {
            run = run.without_library();
        }
        Ok(run)
    }
}
