//! The standard library as the oracle.

use super::*;
use alloc::format;
use alloc::string::ToString;
use proptest::prelude::*;

fn printed(value: f64) -> String {
    let mut out = String::new();
    print(value, &mut out);
    out
}

/// JavaScript's form from the standard library's digits.
fn expected(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    if (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[test]
fn borders() {
    let mut values = alloc::vec![
        0.0,
        -0.0,
        0.1,
        0.2,
        0.3,
        0.1 + 0.2,
        1.0 / 3.0,
        2.0 / 3.0,
        5e-324,
        1e-323,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::EPSILON,
        9007199254740991.0,
        9007199254740992.0,
        9007199254740993.0,
        1e21,
        1e-6,
        1e-7,
        999999999999999900000.0,
        1e22,
        1e23,
        4.35,
        0.000001,
        123456.789,
        2.225073858507201e-308,
        8.41e21,
        2.0f64.powi(70),
        5e-320,
        1.5,
        1e15,
        1e16,
        1e17,
    ];
    values.extend((-1074..1024).map(|power| 2.0f64.powi(power)));
    values.extend((-320..308).map(|power| format!("1e{power}").parse::<f64>().unwrap()));
    for value in values {
        for value in
            [value, -value, f64::from_bits(value.to_bits() + 1), f64::from_bits(value.to_bits().max(1) - 1)]
        {
            if value.is_finite() {
                assert_eq!(printed(value), expected(value), "{value:e}");
                assert_eq!(parse(format!("{value:e}").as_bytes()), Some(value), "{value:e}");
            }
        }
    }
    assert_eq!(printed(f64::NAN), "null");
    assert_eq!(printed(f64::INFINITY), "null");
}

#[test]
fn texts_that_are_hard_or_no_numbers() {
    let long = format!("0.{}1", "0".repeat(900));
    let halfway = format!("9007199254740993{}", "0".repeat(900));
    let above = format!("9007199254740993.{}1", "0".repeat(900));
    let tie = "2.4703282292062327208299439643411068618252990130716238221279284125033775363510437593264991818081799618989828234772285886546332835517796989819938739800539093906315035659515570226392290858392449105184435931802849936536152500319370457678249219365623669863658480757001585769269903706311928279558551332927834338409351978015531246597263579574622766465272827220056374006485499977096599470454020828166226237857393450736339007967761930577506740176324673600968951340535537458516661134223766678604862159680461914467291840300530057530849048765391711386591646239524912623653881879636239373280423891018672348497668235089863388587925628302755995657524455507255189313690836254779186948667994968324049705821028513185451396213837722826145437693412532098591327667236328125e-324";
    for text in [
        "1",
        "-1",
        "+1",
        ".5",
        "5.",
        "00012.500",
        "1e5",
        "1E+5",
        "1e-5",
        "1e400",
        "-1e400",
        "1e-400",
        "0e999999999999",
        "1e999999999999",
        "123456789012345678901234567890",
        "0.1234567890123456789012345678901234567890",
        "17976931348623158e292",
        "17976931348623159e292",
        "4.9406564584124654e-324",
        "2.4e-324",
        "2.5e-324",
        tie,
        "2.2250738585072012e-308",
        "2.225073858507201e-308",
        "1e23",
        "8.5e22",
        &long,
        &halfway,
        &above,
    ] {
        let parsed = parse(text.as_bytes()).map(f64::to_bits);
        assert_eq!(parsed, text.parse::<f64>().ok().map(f64::to_bits), "{text}");
    }
    for text in [
        "", "-", "+", ".", "e5", "1e", "1e+", "1..2", "1.2.3", "1e5.5", " 1", "1 ", "0x10", "inf", "nan",
        "1_0", "--1", "1-",
    ] {
        assert_eq!(parse(text.as_bytes()), None, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_double_prints_and_reads_as_by_the_standard_library(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        prop_assert_eq!(printed(value), expected(value));
        prop_assert_eq!(parse(printed(value).as_bytes()), Some(value).map(|value| if value == 0.0 { 0.0 } else { value }));
    }

    #[test]
    fn everyday_numbers(whole in 0u64..1_000_000_000_000, places in 0i32..12) {
        let value = format!("{whole}e-{places}").parse::<f64>().unwrap();
        prop_assert_eq!(printed(value), expected(value));
    }

    #[test]
    fn any_decimal_reads_as_by_the_standard_library(
        whole in "[0-9]{0,40}", fraction in "[0-9]{0,40}", exponent in -400i32..400, sign in "[+-]?",
    ) {
        let text = format!("{sign}{whole}.{fraction}e{exponent}");
        prop_assert_eq!(parse(text.as_bytes()).map(f64::to_bits), text.parse::<f64>().ok().map(f64::to_bits));
    }
}
