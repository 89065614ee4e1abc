//! Are two lists of units the same? The order of lines does not count, nor how a SKU is
//! divided among them.

use std::collections::BTreeMap;

/// Reports whether two `items` fields name the same units.
pub fn are_same(one: &str, other: &str) -> bool {
    // Nearly always: the module writes a list in one way.
    one == other || matches!((sums(one), sums(other)), (Some(one), Some(other)) if one == other)
}

/// Sums `qty` over the lines that are equal in all else; `None` for what is no such list.
fn sums(items: &str) -> Option<BTreeMap<String, i64>> {
    let lines: Vec<serde_json::Value> = serde_json::from_str(items).ok()?;
    let mut sums = BTreeMap::new();
    for mut line in lines {
        let fields = line.as_object_mut()?;
        let qty = fields.remove("qty")?.as_i64()?;
        let sum: &mut i64 = sums.entry(line.to_string()).or_default();
        *sum = sum.checked_add(qty)?;
    }
    Some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_may_change_places_and_units_may_not() {
        let two = r#"[{"sku":"a","qty":2},{"sku":"b","qty":1}]"#;
        assert!(are_same(
            two,
            r#"[{"sku":"b","qty":1},{"sku":"a","qty":2}]"#
        ));
        assert!(are_same(
            two,
            r#"[{"sku":"a","qty":1},{"sku":"b","qty":1},{"sku":"a","qty":1}]"#
        ));
        assert!(!are_same(
            two,
            r#"[{"sku":"a","qty":1},{"sku":"b","qty":2}]"#
        ));
        // Units with names are the same only under their names.
        let named = r#"[{"sku":"a","qty":1,"units":["A-1"]},{"sku":"b","qty":1}]"#;
        assert!(are_same(
            named,
            r#"[{"sku":"b","qty":1},{"sku":"a","qty":1,"units":["A-1"]}]"#
        ));
        assert!(!are_same(
            named,
            r#"[{"sku":"b","qty":1},{"sku":"a","qty":1,"units":["A-2"]}]"#
        ));
        assert!(!are_same(two, "[]"));
        assert!(!are_same("no list", "another text"));
        assert!(are_same("no list", "no list"));
    }
}
