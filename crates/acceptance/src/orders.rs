//! How a scenario wants to be run: the lines of its leading comment that begin with `@`.
//!
//! | order | meaning |
//! | --- | --- |
//! | `@run [NAME=VALUE].. [ARG]..` | one test with these variables and arguments; without any such line, one plain test |
//! | `@soak [NAME=VALUE].. [ARG]..` | the same, but only if `MALLOW_SOAK` is set, and with ten times the limit |
//! | `@limit SECONDS` | how long one run may take (60) |
//! | `@link KIND..` | of `dynamic` (the default), `static`, `static-pie`: one test each |
//! | `@flags FLAG..` | more for the compiler |
//! | `@plugin FILE` | a source beside the scenario, compiled as shared library, its path in the variable `PLUGIN` |
//! | `@only mallow` | a promise of mallow, not of every allocator |
//! | `@bare` | start without the library, and pass its path in the variable `LIBRARY` |

use core::fmt;
use core::time::Duration;

use mallow_testkit::compile::Link;

/// Variables and arguments of one test.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Invocation {
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Arguments.
    pub args: Vec<String>,
    /// Whether the test is too long for every day.
    pub is_soak: bool,
}

/// The orders of one scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Orders {
    /// One test each, for each link mode.
    pub invocations: Vec<Invocation>,
    /// How long one run may take.
    pub limit: Duration,
    /// Link modes.
    pub links: Vec<Link>,
    /// More flags for the compiler.
    pub flags: Vec<String>,
    /// Source of a shared library.
    pub plugin: Option<String>,
    /// Whether only mallow promises this.
    pub is_mallows: bool,
    /// Whether the program starts without the library.
    pub is_bare: bool,
}

/// An order that is not in the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrdersError {
    line: String,
}

impl fmt::Display for OrdersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot follow the order `{}`", self.line)
    }
}

impl core::error::Error for OrdersError {}

impl Orders {
    /// Reads the orders in the leading comment of `source`.
    ///
    /// # Errors
    ///
    /// [`OrdersError`] names the first line that is not in the table of this module.
    pub fn parse(source: &str) -> Result<Self, OrdersError> {
        let mut orders = Self {
            invocations: Vec::new(),
            limit: Duration::from_mins(1),
            links: Vec::new(),
            flags: Vec::new(),
            plugin: None,
            is_mallows: false,
            is_bare: false,
        };
        let comment = source.split_once("*/").map_or("", |(comment, _)| comment);
        for line in
            comment.lines().filter_map(|line| line.trim_start_matches([' ', '*', '/']).strip_prefix('@'))
        {
            orders.follow(line.trim()).ok_or_else(|| OrdersError { line: line.trim().into() })?;
        }
        if orders.invocations.is_empty() {
            orders.invocations.push(Invocation::default());
        }
        if orders.links.is_empty() {
            orders.links.push(Link::Dynamic);
        }
        Ok(orders)
    }

    fn follow(&mut self, order: &str) -> Option<()> {
        let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
        let words = || rest.split_whitespace();
        match verb {
            "run" => self.invocations.push(Invocation::parse(rest, false)),
            "soak" => self.invocations.push(Invocation::parse(rest, true)),
            "limit" => self.limit = Duration::from_secs(rest.parse().ok()?),
            "link" => self.links = words().map(link).collect::<Option<_>>()?,
            "flags" => self.flags = words().map(Into::into).collect(),
            "plugin" => self.plugin = Some(rest.into()),
            "only" if rest == "mallow" => self.is_mallows = true,
            "bare" if rest.is_empty() => self.is_bare = true,
            _ => return None,
        }
        Some(())
    }
}

impl Invocation {
    fn parse(words: &str, is_soak: bool) -> Self {
        let mut invocation = Self { is_soak, ..Self::default() };
        for word in words.split_whitespace() {
            match word.split_once('=') {
                Some((name, value)) if invocation.args.is_empty() => {
                    invocation.env.push((name.into(), value.into()));
                }
                _ => invocation.args.push(word.into()),
            }
        }
        invocation
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, " {name}={value}")?;
        }
        for arg in &self.args {
            write!(f, " {arg}")?;
        }
        Ok(())
    }
}

fn link(word: &str) -> Option<Link> {
    match word {
        "dynamic" => Some(Link::Dynamic),
        "static" => Some(Link::Static),
        "static-pie" => Some(Link::StaticPie),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_order() {
        let orders = Orders::parse(
            "/* Proves it.\n *\n * @run A=1 B=2 x y=3\n * @soak long\n * @limit 7\n * @link static static-pie\n \
             * @flags -lm\n * @plugin p.c\n * @only mallow\n * @bare\n */\nint main;",
        )
        .unwrap();
        assert_eq!(orders.invocations[0].env, [("A".into(), "1".into()), ("B".into(), "2".into())]);
        assert_eq!(orders.invocations[0].args, ["x", "y=3"]);
        assert!(!orders.invocations[0].is_soak && orders.invocations[1].is_soak);
        assert_eq!(orders.limit, Duration::from_secs(7));
        assert_eq!(orders.links, [Link::Static, Link::StaticPie]);
        assert_eq!((orders.flags, orders.plugin), (vec!["-lm".into()], Some("p.c".into())));
        assert!(orders.is_mallows && orders.is_bare);
    }

    #[test]
    fn runs_once_when_nothing_is_ordered() {
        let orders = Orders::parse("/* Proves it. */ @limit 9").unwrap();
        assert_eq!(orders.invocations, [Invocation::default()]);
        assert_eq!((orders.links, orders.limit), (vec![Link::Dynamic], Duration::from_mins(1)));
    }

    #[test]
    fn names_the_order_it_does_not_know() {
        assert_eq!(
            Orders::parse("/* @link dynamc */").unwrap_err().to_string(),
            "cannot follow the order `link dynamc`"
        );
    }
}
