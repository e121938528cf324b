//! What invented people, streets and notes are called. Nobody here exists; telephone numbers and mail domains are of
//! the ranges kept for drama and documentation.

/// Given names, some with letters beyond ASCII.
pub(super) const GIVEN_NAMES: &[&str] = &[
    "Ada",
    "Alan",
    "Aoibhinn",
    "Barbara",
    "Bróna",
    "Callum",
    "Carys",
    "Chidi",
    "Danuta",
    "Eilidh",
    "Élodie",
    "Farah",
    "Gethin",
    "Grażyna",
    "Hamish",
    "Idris",
    "İpek",
    "Jörg",
    "Joyce",
    "Kwame",
    "Lena",
    "Lowri",
    "Marek",
    "Mirosława",
    "Nóra",
    "Oğuz",
    "Parveen",
    "Pádraig",
    "Ravi",
    "Rosemary",
    "Seren",
    "Søs",
    "Tadeusz",
    "Thanh",
    "Ursula",
    "Vasco",
    "Winifred",
    "Yolanda",
    "Zoltán",
    "Ángel",
];

/// Family names, some with letters beyond ASCII, an apostrophe, a hyphen or a space.
pub(super) const FAMILY_NAMES: &[&str] = &[
    "Achebe",
    "Ap Rhys",
    "Barker",
    "Bílek",
    "Brâncuși",
    "Carmichael",
    "Chaudhry",
    "Da Silva",
    "Doğan",
    "Fairweather",
    "Fitzgerald",
    "Gębala",
    "Grünwald",
    "Haddad",
    "Hjörleifsson",
    "Ibrahim",
    "Jagiełło",
    "Jenkins",
    "Kaur",
    "Kessler",
    "Llewellyn",
    "Mbeki",
    "McAllister",
    "Mwangi",
    "Ní Bhriain",
    "O'Hanlon",
    "Ólafsdóttir",
    "Osei",
    "Paszkiewicz",
    "Pereira",
    "Quigley",
    "Rowntree",
    "Sääskilahti",
    "Scrivener",
    "Tran",
    "Trelawny",
    "Underhill",
    "Vågen",
    "Whittaker-Bloom",
    "Yeo",
];

/// What a business is called, before `Ltd`; a comma and quotes among them.
pub(super) const BUSINESSES: &[&str] = &[
    "Ammonite Books",
    "Bakewell & Daughters",
    "Candle, Wick and Flame",
    "Dovecote Dairy",
    "Ffordd Fawr Garage",
    "Gdańsk Delicatessen",
    "Juniper Laundry",
    "Lantern Rock Café",
    "Ropewalk Bicycles",
    "The \"Blue\" Anchor",
];

/// First words of a street.
pub(super) const STREETS: &[&str] = &[
    "Abbey",
    "Beacon",
    "Brewery",
    "Canal",
    "Chestnut",
    "Dovecote",
    "Fairfield",
    "Foundry",
    "Granary",
    "Hawthorn",
    "Ivy",
    "Kiln",
    "Lime",
    "Market",
    "Nightingale",
    "Poplar",
    "Quarry",
    "Ropery",
    "Saddlers",
    "Sycamore",
    "Tannery",
    "Vicarage",
    "Weavers",
    "Willow",
];

/// Second words of a street.
pub(super) const STREET_KINDS: &[&str] =
    &["Street", "Road", "Lane", "Avenue", "Close", "Drive", "Gardens", "Crescent", "Terrace", "Row"];

/// Buildings with flats.
pub(super) const BUILDINGS: &[&str] =
    &["Cuttlefish House", "Plas Newydd", "Mariner's Court", "The \"Hop\" Store", "Léonie Point", "Halyard Wharf"];

/// Villages and suburbs.
pub(super) const LOCALITIES: &[&str] =
    &["Nether Marsh", "Upper Thorley", "St Bride's", "Llanfair-y-Cwm", "Stow, nr. Ely", "Westing-on-Sea"];

/// Counties.
pub(super) const COUNTIES: &[&str] = &["Cornwall", "Powys", "Fife", "Suffolk", "Tyne and Wear", "West Midlands"];

/// Towns and their postcode areas.
pub(super) const TOWNS: &[(&str, &str)] = &[
    ("London", "N"),
    ("London", "SE"),
    ("Brighton", "BN"),
    ("Cardiff", "CF"),
    ("Derby", "DE"),
    ("Dundee", "DD"),
    ("Exeter", "EX"),
    ("Glasgow", "G"),
    ("Hull", "HU"),
    ("Leeds", "LS"),
    ("Manchester", "M"),
    ("Norwich", "NR"),
    ("Swansea", "SA"),
    ("York", "YO"),
];

/// Letters that the last part of a postcode may have.
pub(super) const POSTCODE_LETTERS: &[&str] =
    &["A", "B", "D", "E", "F", "G", "H", "J", "L", "N", "P", "Q", "R", "S", "T", "U", "W", "X", "Y", "Z"];

/// Mail domains that belong to nobody.
pub(super) const MAIL_DOMAINS: &[&str] = &["example.com", "example.net", "example.org"];

/// Starts of telephone numbers kept for drama; three digits follow.
pub(super) const LANDLINES: &[&str] = &["02079460", "020 7946 0", "01174960", "+441134960"];

/// What agents write down.
pub(super) const NOTES: &[&str] = &[
    "Asked for a copy of the last bill",
    "Said the display shows \"Err 09\"",
    "Meter is behind the freezer, needs two people",
    "Rang about the winter estimate; reading taken over the phone",
    "Prefers letters, does not use e-mail",
    "Gave notice of moving, no date yet",
    "Poprosił o rozmowę po polsku",
    "Disputes the final reading of the old tariff",
    "Instalment raised to £45.00, agreed",
    "No answer, message left",
    "Neighbour, Mrs O'Hanlon, holds the key",
    "Refund sent, cheque no. 10/442",
];

/// What stands between two sentences of a note: line breaks, too.
pub(super) const NOTE_JOINTS: &[&str] = &[". ", "; ", "\n", "\n\n"];

/// Debt agencies.
pub(super) const AGENCIES: &[&str] = &["Barnacle Recoveries", "Harbour Light Collections, Ltd", "Tide & Turn LLP"];

/// Collection paths of the target.
pub(super) const DUNNING_PATHS: &[&str] = &["standard_domestic", "vulnerable_domestic", "standard_business"];

/// Metadata: key, field and the values it may have.
pub(super) const METADATA: &[(&str, &str, &[&str])] = &[
    ("legacy_segment", "segment", &["Silver", "Gold, rural", "naïve"]),
    ("migration_wave", "wave", &["wave-1", "wave-2", "wave-3"]),
    ("source_system", "system", &["OCTAVO 4", "OCTAVO 5"]),
    ("paperwork", "box", &["A/17", "B/03"]),
];
