//! The three letters of a currency, and how many digits its smallest unit has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use viewmill::{CodecError, KeyCodec};

/// A currency by its ISO 4217 code: three upper-case letters, such as `KRW`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// The text is not an ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a currency: expected three upper-case letters, such as KRW")]
pub struct CurrencyError;

impl Currency {
    /// South Korean won.
    pub const KRW: Currency = Currency(*b"KRW");
    /// United States dollar.
    pub const USD: Currency = Currency(*b"USD");
    /// Euro.
    pub const EUR: Currency = Currency(*b"EUR");
    /// Japanese yen.
    pub const JPY: Currency = Currency(*b"JPY");
    /// That of an event that names none, and of an order that is placed without one unless another is configured.
    pub const DEFAULT: Currency = Currency::KRW;

    /// The code: three upper-case letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is three ASCII letters")
    }

    /// Whether ISO 4217 lists it as money of today. Events of others may hold any code; an order is placed only in one of these.
    pub fn is_listed(self) -> bool {
        Self::listed().any(|code| code == self.as_str())
    }

    /// The codes that ISO 4217 lists.
    pub fn listed() -> impl Iterator<Item = &'static str> {
        LISTED.split_ascii_whitespace()
    }

    /// How many digits stand after the point of an amount in this currency (ISO 4217's minor unit); 2 where unknown.
    pub fn minor_digits(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV"
            | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

/// ISO 4217's list of active codes, without metals, funds of banks and codes for tests.
const LISTED: &str = "
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY
    COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR
    ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
    MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
    SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

impl Default for Currency {
    fn default() -> Self {
        Currency::DEFAULT
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Currency, CurrencyError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Currency(code)) } else { Err(CurrencyError) }
    }
}

/// The three letters: no code is longer or shorter.
impl KeyCodec for Currency {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        let (code, rest) = input.split_first_chunk::<3>().ok_or_else(|| CodecError::new("key ends within a currency"))?;
        *input = rest;
        let text = std::str::from_utf8(code).map_err(|_| CodecError::new(CurrencyError.to_string()))?;
        text.parse().map_err(|error: CurrencyError| CodecError::new(error.to_string()))
    }

    fn key_shape() -> String {
        "currency".to_string()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        struct Code;
        impl de::Visitor<'_> for Code {
            type Value = Currency;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency of three upper-case letters")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Currency, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Code)
    }
}
