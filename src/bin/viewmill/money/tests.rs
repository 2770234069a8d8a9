//! What is promised about amounts: exact digits in, exact digits out, and no panic.

use proptest::prelude::*;

use super::currency::CurrencyError;
use super::*;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

#[test]
fn digits_are_read_and_written_exactly() {
    for (json, out) in [
        ("129.5", "129.5"),
        ("269.10", "269.10"),
        ("\"269.10\"", "269.10"),
        ("39000", "39000"),
        ("-0.05", "-0.05"),
        ("0", "0"),
        ("-0", "0"),
        ("1.5e3", "1500"),
        ("1.5E+1", "15"),
        ("15e-1", "1.5"),
        ("1e-28", "0.0000000000000000000000000001"),
        ("0e999999999999", "0"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
        ("\"\\u0031.5\"", "1.5"),
        ("\"007.50\"", "7.50"),
    ] {
        let money: Money = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&money).unwrap(), out, "{json}");
    }
}

#[test]
fn what_is_no_exact_number_is_refused() {
    for json in
        ["\"\"", "\"-\"", "\"1,000\"", "\"1.\"", "\".5\"", "\"1e\"", "\"1e+\"", "\"0x1f\"", "\"NaN\"", "\" 1\"", "true", "[1]", "{}"]
    {
        let error = serde_json::from_str::<Money>(json).unwrap_err().to_string();
        assert!(error.contains("not an amount"), "{json}: {error}");
    }
    for json in ["79228162514264337593543950336", "1e29", "1e-29", "1e999999999999999999999", "0.12345678901234567890123456789"] {
        let error = serde_json::from_str::<Money>(json).unwrap_err().to_string();
        assert!(error.contains("out of range"), "{json}: {error}");
    }
    let digits = "9".repeat(1_000_000);
    assert!(serde_json::from_str::<Money>(&digits).unwrap_err().to_string().contains("out of range"));
    assert!(serde_json::from_str::<Money>("null").is_err());
}

#[test]
fn arithmetic_is_exact_or_an_error() {
    assert_eq!(money("0.1").checked_add(money("0.2")).unwrap().to_string(), "0.3");
    assert_eq!(money("100").checked_add(money("0.50")).unwrap().to_string(), "100.50");
    assert_eq!(money("0.00").checked_add(money("5")).unwrap().to_string(), "5.00");
    assert_eq!(money("134.55").checked_mul(2).unwrap().to_string(), "269.10");
    let most = money("79228162514264337593543950335");
    assert_eq!(most.checked_add(money("1")), Err(MoneyError::OutOfRange));
    assert_eq!(most.checked_add(money("0.1")), Err(MoneyError::OutOfRange), "never rounded");
    assert_eq!(most.checked_mul(2), Err(MoneyError::OutOfRange));
    assert_eq!(most.checked_mul(u32::MAX), Err(MoneyError::OutOfRange));
}

#[test]
fn amounts_are_written_as_people_read_them() {
    use Language::{English, German, Korean};
    for (amount, currency, language, text) in [
        ("39000", "KRW", Korean, "₩39,000"),
        ("39000.00", "KRW", English, "₩39,000"),
        ("269.1", "USD", English, "$269.10"),
        ("269.10", "USD", Korean, "$269.10"),
        ("1234567.5", "EUR", English, "€1,234,567.50"),
        ("1234567.5", "EUR", German, "1.234.567,50\u{a0}€"),
        ("39000", "KRW", German, "39.000\u{a0}₩"),
        ("0", "JPY", English, "¥0"),
        ("-5", "USD", English, "-$5.00"),
        ("12.3456", "USD", English, "$12.3456"),
        ("1.5", "KWD", English, "KWD\u{a0}1.500"),
        ("12", "CHF", German, "12,00\u{a0}CHF"),
    ] {
        assert_eq!(money(amount).format(currency.parse().unwrap(), language), text);
    }
}

#[test]
fn the_language_is_the_one_liked_best() {
    for (header, language) in [
        ("", Language::English),
        ("fr-FR,fr;q=0.9", Language::English),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", Language::Korean),
        ("en;q=0.5, de-AT ; q=0.75", Language::German),
        ("de;q=0,ko;q=0.1", Language::Korean),
        ("KO", Language::Korean),
        ("ko;q=x,de;q=0.001", Language::German),
        (";;;,,q=1", Language::English),
    ] {
        assert_eq!(Language::from_accept_language(header), language, "{header}");
    }
}

#[test]
fn a_currency_is_three_upper_case_letters() {
    assert_eq!("KRW".parse(), Ok(Currency::KRW));
    for text in ["", "krw", "KR", "KRWX", "K1W", "원"] {
        assert_eq!(text.parse::<Currency>(), Err(CurrencyError), "{text}");
    }
    assert_eq!(serde_json::to_string(&Currency::USD).unwrap(), "\"USD\"");
    let listed = |code: &str| code.parse::<Currency>().unwrap().is_listed();
    assert!(["KRW", "USD", "EUR", "AED", "ZWG", "GTQ", "ZAR"].into_iter().all(listed));
    assert!(!["XXX", "XTS", "XAU", "DEM", "AAA"].into_iter().any(listed));
}

proptest! {
    #[test]
    fn any_amount_survives_json_and_binary(mantissa in -79_228_162_514_264_337_593_543_950_335_i128..79_228_162_514_264_337_593_543_950_335, scale in 0_u32..=28) {
        let money = Money::new(mantissa, scale).unwrap();
        let json = serde_json::to_string(&money).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Money>(&json).unwrap().to_string(), &json);
        let mut bytes = Vec::new();
        viewmill::codec::encode_body(&money, &mut bytes).unwrap();
        let back: Money = viewmill::codec::decode_body(&bytes).unwrap();
        prop_assert_eq!(back.to_string(), json);
    }

    #[test]
    fn no_text_makes_reading_panic(text in ".{0,40}", number in "-?[0-9]{0,40}(\\.[0-9]{0,40})?([eE][+-]?[0-9]{0,12})?") {
        let _ = text.parse::<Money>();
        let _ = number.parse::<Money>();
        let _ = Language::from_accept_language(&text);
    }

    #[test]
    fn sums_agree_with_whole_numbers(a in -1_000_000_000_000_i64..1_000_000_000_000, b in -1_000_000_000_000_i64..1_000_000_000_000) {
        let sum = Money::new(a.into(), 2).unwrap().checked_add(Money::new(b.into(), 2).unwrap()).unwrap();
        prop_assert_eq!(sum, Money::new(i128::from(a) + i128::from(b), 2).unwrap());
    }
}
