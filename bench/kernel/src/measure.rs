//! How something is measured: subjects in turns, best and median of the rounds.

use std::time::Instant;

/// One round of one subject. Returns nanoseconds per operation.
type Round = Box<dyn FnMut() -> f64>;

/// Sets a subject up, when its metric is run: those of other metrics take no memory, and none of the caches, meanwhile.
type Setup = Box<dyn FnOnce() -> Round>;

/// One kind of operation, and everybody who does it.
pub struct Metric {
    /// What a row of the table is called.
    pub name: String,
    /// What mallow must reach. Unit: nanoseconds per operation.
    pub bar: Option<f64>,
    subjects: Vec<(&'static str, Setup)>,
}

/// What a subject took. Unit: nanoseconds per operation.
pub struct Figure {
    /// Who.
    pub subject: &'static str,
    /// Every round.
    pub rounds: Vec<f64>,
}

/// All figures of a metric.
pub struct Outcome {
    /// The metric.
    pub name: String,
    /// Its bar.
    pub bar: Option<f64>,
    /// mallow first.
    pub figures: Vec<Figure>,
}

impl Metric {
    /// A metric without subjects.
    pub fn new(name: impl Into<String>, bar: Option<f64>) -> Self {
        Self { name: name.into(), bar, subjects: Vec::new() }
    }

    /// Adds a subject; `setup` makes what does a round: a few milliseconds of work, of which it says how long one operation took.
    pub fn with<R: FnMut() -> f64 + 'static>(
        mut self,
        subject: &'static str,
        setup: impl FnOnce() -> R + 'static,
    ) -> Self {
        self.subjects.push((subject, Box::new(|| Box::new(setup()))));
        self
    }

    /// Leaves out everybody but `name`.
    pub fn keep(&mut self, name: &str) {
        self.subjects.retain(|(subject, _)| *subject == name);
    }

    /// Runs everybody in turns, once more than `rounds` to warm up.
    pub fn run(self, rounds: usize) -> Outcome {
        let (names, setups): (Vec<_>, Vec<_>) = self.subjects.into_iter().unzip();
        let mut subjects: Vec<Round> = setups.into_iter().map(|setup| setup()).collect();
        let mut figures: Vec<_> =
            names.into_iter().map(|subject| Figure { subject, rounds: Vec::new() }).collect();
        for round in 0..=rounds {
            for at in 0..subjects.len() {
                // Another one begins in each round.
                let at = (at + round) % subjects.len();
                let took = subjects[at]();
                if round > 0 {
                    figures[at].rounds.push(took);
                }
            }
        }
        eprintln!("{}", self.name);
        Outcome { name: self.name, bar: self.bar, figures }
    }
}

impl Figure {
    /// The best round.
    pub fn best(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The median round.
    pub fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}

/// How long one of `operations` took on average while `work` did them. Unit: nanoseconds.
pub fn time(operations: u32, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e9 / f64::from(operations)
}

/// Numbers that look random and are the same in every run.
pub struct Random(u64);

impl Random {
    /// Begins anew.
    pub const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`.
    pub const fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * bound as u64) >> 32) as u32
    }

    /// Brings `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.below(u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1));
            items.swap(at, other as usize);
        }
    }
}
