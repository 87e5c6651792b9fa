//! The table of threats names tests that are there.

use std::collections::BTreeMap;
use std::path::Path;

/// Every row of the table has a test, and every test named is a function of the file named.
#[test]
fn every_threat_has_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/threats.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, _, tests] = cells.as_slice() else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        let mut named = 0;
        for quoted in tests.split('`').skip(1).step_by(2) {
            let Some((file, function)) = quoted.split_once("::") else { continue };
            let text = std::fs::read_to_string(root.join(file))
                .unwrap_or_else(|error| panic!("threat {number}: {file}: {error}"));
            let at = text
                .find(&format!("fn {function}("))
                .unwrap_or_else(|| panic!("threat {number}: {file} has no {function}"));
            let before = &text[..at];
            let attribute = before.rfind("#[").unwrap_or_default();
            assert!(before[attribute..].contains("test"), "threat {number}: {function} is no test");
            named += 1;
        }
        rows.insert(number, named);
    }
    let without: Vec<_> =
        (1..=30).filter(|number| rows.get(number).is_none_or(|named| *named == 0)).collect();
    let honest: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("- Threat ")?.split_once(':')?.0.parse::<u32>().ok())
        .collect();
    assert_eq!(without, honest, "threats without a test are told below the table, and only these");
}
