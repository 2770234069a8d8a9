//! The section of the application.

use super::*;

#[test]
fn an_application_has_a_section_of_its_own() {
    const COLOUR: OwnKey = OwnKey { name: "shop.colour", doc: "Of all.", default: "red", quoted: true, check: colour };
    const OPEN: OwnKey = OwnKey { name: "shop.open", doc: "Whether.", default: "false", quoted: false, check: |_| Ok(()) };
    static SHOP: OwnSection = OwnSection { name: "shop", doc: "The shop.", keys: &[COLOUR, OPEN] };
    fn colour(text: &str) -> Result<(), String> {
        ["red", "blue"].contains(&text).then_some(()).ok_or_else(|| "must be red or blue".to_string())
    }
    let load = |directory: &Directory, environment: &[(&str, &str)], set: &[&str]| {
        Config::load(&Sources { own: Some(&SHOP), variables: variables(environment), flags: flags(set), ..directory.sources() })
    };
    let empty = Directory::with("[shop]\n");
    let config = load(&empty, &[], &[]).unwrap();
    assert_eq!((config.own.text("shop.colour"), config.own.text("shop.open"), config.own.text("shop.none")), ("red", "false", ""));
    let directory = Directory::with("[shop]\ncolour = \"blue\"\nopen = true\n");
    let config = load(&directory, &[("VIEWMILL__SHOP__COLOUR", "red")], &["shop.colour="]).unwrap();
    assert_eq!((config.own.text("shop.colour"), config.own.text("shop.open")), ("red", "true"));
    let shown = "\n[shop]\ncolour = \"red\"  # --set shop.colour\nopen = true  # config.toml:3\n";
    assert!(directory.clean(config.to_toml_redacted()).ends_with(shown), "{}", config.to_toml_redacted());
    let told = load(&empty, &[("VIEWMILL__SHOP__COLOR", "red")], &["shop.colour=green", "shop=1"]).unwrap_err();
    let told: Vec<String> = told.faults.iter().map(ToString::to_string).collect();
    let expected = [
        "VIEWMILL__SHOP__COLOR: shop.color is not a key; did you mean VIEWMILL__SHOP__COLOUR?",
        "--set shop.colour: shop.colour must be red or blue, not \"green\"",
        "--set shop: shop is a section, it takes no value",
    ];
    assert_eq!(told, expected);
    let default = "\n# The shop.\n# [shop]\n# Of all.\n# colour = \"red\"\n# Whether.\n# open = false\n";
    assert_eq!(Config::default_file(Some(&SHOP)), Config::default_file(None) + default);
    // Whoever has no such section does not take it.
    assert!(Config::load(&empty.sources()).is_err());
}
