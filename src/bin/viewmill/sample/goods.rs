//! What is sold, to whom, and for how much.

use std::sync::Arc;

use fastrand::Rng;

use crate::events::{Address, AddressLines, Item};
use crate::money::{Currency, Money};

/// A thing that is sold.
struct Product {
    id: &'static str,
    korean: &'static str,
    english: &'static str,
    /// Its price in Korea.
    won: u32,
    /// Its price in dollars and in euros, in hundredths.
    cents: u32,
}

const PRODUCTS: [Product; 16] = [
    Product { id: "P-1001", korean: "기계식 키보드", english: "Mechanical keyboard", won: 129_000, cents: 9_990 },
    Product { id: "P-1002", korean: "무선 마우스", english: "Wireless mouse", won: 39_000, cents: 2_990 },
    Product { id: "P-1003", korean: "27인치 모니터", english: "27-inch monitor", won: 289_000, cents: 21_950 },
    Product { id: "P-1004", korean: "노트북 거치대", english: "Laptop stand", won: 34_900, cents: 2_749 },
    Product { id: "P-1005", korean: "USB-C 허브", english: "USB-C hub", won: 45_000, cents: 3_499 },
    Product { id: "P-2001", korean: "스테인리스 텀블러", english: "Steel tumbler", won: 24_500, cents: 1_895 },
    Product { id: "P-2002", korean: "드립 커피 세트", english: "Pour-over coffee set", won: 52_000, cents: 4_100 },
    Product { id: "P-2003", korean: "녹차 선물 세트", english: "Green tea gift box", won: 31_000, cents: 2_450 },
    Product { id: "P-2004", korean: "무쇠 프라이팬", english: "Cast-iron skillet", won: 48_900, cents: 3_875 },
    Product { id: "P-3001", korean: "러닝화", english: "Running shoes", won: 119_000, cents: 8_999 },
    Product { id: "P-3002", korean: "요가 매트", english: "Yoga mat", won: 29_900, cents: 2_299 },
    Product { id: "P-3003", korean: "등산 배낭 30L", english: "Hiking backpack 30 l", won: 98_000, cents: 7_650 },
    Product { id: "P-4001", korean: "면 티셔츠", english: "Cotton T-shirt", won: 19_900, cents: 1_490 },
    Product { id: "P-4002", korean: "경량 패딩", english: "Light down jacket", won: 89_000, cents: 6_990 },
    Product { id: "P-5001", korean: "그림책", english: "Picture book", won: 13_500, cents: 1_199 },
    Product { id: "P-5002", korean: "만년필", english: "Fountain pen", won: 67_000, cents: 5_325 },
];

/// A country that is sold to.
pub(super) struct Shop {
    /// What its prices are in.
    pub(super) currency: Currency,
    /// How people pay.
    pub(super) methods: &'static [&'static str],
    /// Who carries parcels.
    pub(super) carriers: &'static [&'static str],
    /// Where parcels are seen on their way.
    pub(super) hubs: &'static [&'static str],
    country: &'static str,
    people: &'static [&'static str],
    /// Streets, with their city and postal code.
    streets: &'static [(&'static str, &'static str, &'static str)],
}

static KOREA: Shop = Shop {
    currency: Currency::KRW,
    methods: &["CARD", "KAKAO_PAY", "NAVER_PAY", "BANK_TRANSFER"],
    carriers: &["CJ대한통운", "한진택배", "롯데택배"],
    hubs: &["대전 허브", "옥천 허브", "곤지암 허브"],
    country: "KR",
    people: &["김민준", "이서연", "박도윤", "최지우", "정하은", "강시우", "조수아", "윤예준", "장지호", "임채원"],
    streets: &[
        ("테헤란로", "서울특별시 강남구", "06234"),
        ("세종대로", "서울특별시 중구", "04524"),
        ("해운대해변로", "부산광역시 해운대구", "48094"),
        ("동성로", "대구광역시 중구", "41937"),
        ("대학로", "대전광역시 유성구", "34141"),
    ],
};

static AMERICA: Shop = Shop {
    currency: Currency::USD,
    methods: &["CARD", "PAYPAL", "APPLE_PAY"],
    carriers: &["UPS", "FedEx", "USPS"],
    hubs: &["Memphis, TN", "Louisville, KY", "Ontario, CA"],
    country: "US",
    people: &["Emma Johnson", "Liam Smith", "Olivia Brown", "Noah Garcia", "Ava Miller", "James Wilson"],
    streets: &[("Main St", "Boston", "02110"), ("Market St", "San Francisco", "94103"), ("Pine Ave", "Seattle", "98101")],
};

static EUROPE: Shop = Shop {
    currency: Currency::EUR,
    methods: &["CARD", "PAYPAL", "SEPA"],
    carriers: &["DHL", "DPD", "Hermes"],
    hubs: &["Leipzig", "Hannover", "Aschaffenburg"],
    country: "DE",
    people: &["Hannah Müller", "Leon Schmidt", "Mia Fischer", "Paul Weber", "Lina Wagner"],
    streets: &[("Hauptstraße", "Berlin", "10827"), ("Lindenweg", "Hamburg", "20095"), ("Bahnhofstraße", "München", "80335")],
};

static JAPAN: Shop = Shop {
    currency: Currency::JPY,
    methods: &["CARD", "KONBINI", "PAYPAY"],
    carriers: &["Yamato", "Sagawa"],
    hubs: &["Atsugi", "Osaka Gateway"],
    country: "JP",
    people: &["Haruto Sato", "Yui Suzuki", "Sota Takahashi", "Aoi Tanaka"],
    streets: &[("Meiji-dori", "Shibuya, Tokyo", "150-0001"), ("Midosuji", "Chuo, Osaka", "542-0086")],
};

impl Shop {
    /// The shop of the next customer: most are in Korea.
    pub(super) fn choose(rng: &mut Rng) -> &'static Shop {
        match rng.u32(0..100) {
            0..60 => &KOREA,
            60..80 => &AMERICA,
            80..92 => &EUROPE,
            _ => &JAPAN,
        }
    }

    /// One to three different things; mostly one piece of each.
    pub(super) fn fill_cart(&self, rng: &mut Rng) -> Arc<[Item]> {
        let lines = [1, 1, 1, 2, 2, 3][rng.usize(0..6)];
        let first = rng.usize(0..PRODUCTS.len());
        // A step that has no factor in common with the number of products meets none of them twice.
        let products = (0..lines).map(|line| &PRODUCTS[(first + line * 7) % PRODUCTS.len()]);
        products.map(|product| self.item(product, [1, 1, 1, 1, 2, 3][rng.usize(0..6)])).collect()
    }

    /// Somebody, somewhere in the country.
    pub(super) fn address(&self, rng: &mut Rng, express: bool) -> Arc<Address> {
        let (street, city, postal_code) = one_of(rng, self.streets);
        let number = rng.u32(1..200);
        let street = if self.country == "US" { format!("{number} {street}") } else { format!("{street} {number}") };
        let lines = AddressLines {
            recipient: Some(*one_of(rng, self.people)),
            street: Some(&street),
            city: Some(city),
            postal_code: Some(postal_code),
            country: Some(self.country),
        };
        Arc::new(Address::new(lines, express))
    }

    fn item(&self, product: &Product, quantity: u32) -> Item {
        let name = if self.country == "KR" { product.korean } else { product.english };
        let (mantissa, scale) = match self.country {
            "KR" => (product.won, 0),
            "JP" => (product.won / 90 * 10, 0),
            _ => (product.cents, 2),
        };
        let price = Money::new(mantissa.into(), scale).expect("a price has a few digits");
        Item::new(product.id, Some(name), price, quantity)
    }
}

/// What the lines cost.
pub(super) fn total(items: &[Item]) -> Money {
    let total = items.iter().try_fold(Money::ZERO, |sum, item| sum.checked_add(item.price.checked_mul(item.quantity)?));
    total.expect("three lines of a few digits have a sum")
}

/// One of a list that is not empty.
pub(super) fn one_of<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[rng.usize(0..list.len())]
}
