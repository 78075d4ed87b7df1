//! What is known of the records: by customer, by item and by word; and the questions that are asked.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::text;
use crate::tree::Tree;

/// A map whose order of buckets is the same in every run, so that every run does the same.
type Map<Key, Value> = HashMap<Key, Value, BuildHasherDefault<DefaultHasher>>;

/// One sale of one item.
#[derive(Clone, Debug)]
struct Sale {
    item: String,
    price: i64,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Store {
    sales: Map<String, Vec<Sale>>,
    words: Map<String, u32>,
    senders: BTreeMap<String, Vec<i64>>,
}

impl Store {
    /// Takes in a record, which is over afterwards.
    pub fn add(&mut self, record: Tree) {
        let sales = record
            .list("items")
            .iter()
            .map(|item| Sale { item: item.text("name").to_owned(), price: item.number("price") });
        self.sales.entry(record.text("customer").to_owned()).or_default().extend(sales);
        for word in record.text("note").split(' ').filter(|word| !word.is_empty()) {
            // Pairs of a word and where it stands, so that there are more than a few.
            *self.words.entry(format!("{word}/{}", record.number("id") % 1_000)).or_default() += 1;
        }
        if let Some(Tree::Text(sender)) = record.get("from") {
            self.senders.entry(sender.to_lowercase()).or_default().push(record.number("id"));
        }
    }

    /// Takes in all that another one holds.
    pub fn merge(&mut self, other: Store) {
        for (customer, mut sales) in other.sales {
            self.sales.entry(customer).or_default().append(&mut sales);
        }
        for (word, count) in other.words {
            *self.words.entry(word).or_default() += count;
        }
        for (sender, mut ids) in other.senders {
            self.senders.entry(sender).or_default().append(&mut ids);
        }
    }

    /// Answers every question, as text.
    pub fn report(&self) -> Vec<String> {
        let mut lines = self.best_customers();
        lines.extend(self.items());
        lines.extend(self.commonest_words());
        lines.extend(self.senders.iter().map(|(sender, ids)| {
            let mut ids = ids.clone();
            ids.sort_unstable();
            format!("{sender}: {}", text::join(ids.iter().map(ToString::to_string)))
        }));
        lines
    }

    /// Customers by what they spent, the first by name among equals.
    fn best_customers(&self) -> Vec<String> {
        let mut customers: Vec<(i64, String)> = self
            .sales
            .iter()
            .map(|(customer, sales)| (sales.iter().map(|sale| sale.price).sum(), customer.clone()))
            .collect();
        customers.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
        customers.into_iter().map(|(spent, customer)| format!("{customer} spent {spent}")).collect()
    }

    /// Items by name, each with the customers that bought it: the join of the sales with themselves.
    fn items(&self) -> Vec<String> {
        let mut buyers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (customer, sales) in &self.sales {
            for sale in sales {
                buyers.entry(&sale.item).or_default().push(customer);
            }
        }
        let line = |(item, mut customers): (&str, Vec<&str>)| {
            customers.sort_unstable();
            customers.dedup();
            format!("{item}: {}", text::join(customers.into_iter().map(text::initials)))
        };
        buyers.into_iter().map(line).collect()
    }

    fn commonest_words(&self) -> Vec<String> {
        let mut words: Vec<(&String, &u32)> = self.words.iter().collect();
        words.sort_by(|left, right| right.1.cmp(left.1).then_with(|| left.0.cmp(right.0)));
        words.iter().map(|(word, count)| format!("{count:>6} {word}")).collect()
    }
}
