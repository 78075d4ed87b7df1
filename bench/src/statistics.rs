//! The few statistics that the suite uses.
//!
//! Noise only ever adds to a time, so the best of several runs says most about the program; memory varies both ways,
//! so its median does.

/// Returns the middle value, or the mean of the two in the middle; `None` of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[values.len() / 2 - 1], upper))
}

/// Returns the smallest value; `None` of nothing.
pub(crate) fn least(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    values.into_iter().min_by(f64::total_cmp)
}

/// Returns how far apart the values lie, as a part of the smallest: (max - min) / min.
pub(crate) fn spread(values: impl IntoIterator<Item = f64> + Clone) -> Option<f64> {
    let least = least(values.clone())?;
    let most = values.into_iter().max_by(f64::total_cmp)?;
    Some((most - least) / least)
}

/// Returns the geometric mean of positive values; `None` of nothing.
pub(crate) fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value.ln();
        count += 1.0;
    }
    (count > 0.0).then(|| f64::exp(sum / count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: Option<f64>, expected: f64) -> bool {
        got.is_some_and(|got| (got - expected).abs() < 1e-12)
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!(near(median([3.0, 1.0, 2.0]), 2.0));
        assert!(near(median([4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(near(median([7.0]), 7.0));
        assert_eq!(median([]), None);
    }

    #[test]
    fn the_spread_is_a_part_of_the_smallest() {
        assert!(near(spread([2.0, 3.0, 2.5]), 0.5));
        assert!(near(spread([2.0]), 0.0));
        assert_eq!(spread([]), None);
    }

    #[test]
    fn the_geometric_mean_treats_twice_and_half_alike() {
        assert!(near(geometric_mean([2.0, 0.5]), 1.0));
        assert!(near(geometric_mean([1.0, 8.0]), 8f64.sqrt()));
        assert_eq!(geometric_mean([]), None);
    }

    #[test]
    fn the_least_is_found() {
        assert!(near(least([2.0, 1.5, 9.0]), 1.5));
        assert_eq!(least([]), None);
    }
}
