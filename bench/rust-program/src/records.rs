//! Makes up the text: records of a shop in JSON, the same for the same numbers.

use std::fmt::Write;

const WORDS: [&str; 24] = [
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "granite", "harbour", "indigo", "juniper", "kelp",
    "lagoon", "marble", "nectar", "onyx", "pebble", "quartz", "russet", "saffron", "tundra", "umber",
    "velvet", "willow", "zephyr",
];

/// A generator of numbers that look random: a step of a linear congruence, of which the high bits are used.
struct Numbers(u64);

impl Numbers {
    /// A number below `limit`.
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let high = self.0 >> 32;
        ((high * u64::from(limit)) >> 32) as u32
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u32) as usize]
    }
}

/// Writes an array of `count` records.
pub fn write(count: u32, seed: u32) -> String {
    let mut numbers = Numbers(u64::from(seed) + 1);
    let mut text = String::from("[");
    for id in 0..count {
        if id > 0 {
            text.push_str(",\n");
        }
        record(&mut text, &mut numbers, id).expect("writing to a string does not fail");
    }
    text.push(']');
    text
}

fn record(text: &mut String, numbers: &mut Numbers, id: u32) -> std::fmt::Result {
    let customer = numbers.below(2_000);
    write!(text, r#"{{"id": {id}, "customer": "{}-{customer}", "items": ["#, WORDS[customer as usize % 24])?;
    for item in 0..numbers.below(5) {
        let comma = if item > 0 { ", " } else { "" };
        let (name, price) = (numbers.word(), numbers.below(50_000));
        write!(text, r#"{comma}{{"name": "{name} {}", "price": {price}}}"#, numbers.below(40))?;
    }
    text.push_str(r#"], "note": ""#);
    for place in 0..numbers.below(12) {
        let gap = if place > 0 { " " } else { "" };
        write!(text, "{gap}{}", numbers.word())?;
    }
    let is_paid = numbers.below(3) > 0;
    write!(text, r#"", "paid": {is_paid}, "from": "#)?;
    if numbers.below(4) > 0 {
        write!(text, r#""{} \"{}\"""#, numbers.word(), id % 97)?
    } else {
        text.push_str("null")
    }
    text.push('}');
    Ok(())
}
