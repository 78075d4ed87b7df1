//! Small texts made of others.

/// The parts with commas between them.
pub fn join(parts: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for part in parts {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&part);
    }
    text
}

/// The first letter of a customer's name in upper case, and the number.
pub fn initials(customer: &str) -> String {
    let (name, number) = customer.split_once('-').unwrap_or((customer, ""));
    let mut text: String = name.chars().take(1).flat_map(char::to_uppercase).collect();
    text.push_str(number);
    text
}

/// A sum over lines that depends on their order.
pub fn sum<'line>(lines: impl Iterator<Item = &'line str>) -> u64 {
    let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    lines.flat_map(str::bytes).fold(0xcbf2_9ce4_8422_2325, step)
}
