//! The accounts and garments of a seeded instance, and the final state of each.

use super::picture::{Fabric, Look, Shape};

/// An account with its garments.
pub struct Seller {
    pub name: &'static str,
    pub market: &'static str,
    pub language: &'static str,
    pub garments: &'static [Garment],
}

/// The final state of a listing.
pub enum Fate {
    /// Only stored here, complete or not.
    Draft,
    Published,
    AwaitingConfirmation,
    Cancelled,
    Expired,
    /// The site refuses it with this message.
    Failed {
        refusal: &'static str,
    },
    /// A captcha blocks the job and pauses the account, so this must be the account's last garment.
    Blocked,
}

/// An item for sale. Names are in the account's language.
pub struct Garment {
    pub title: &'static str,
    pub description: &'static str,
    /// The price in cents.
    pub price: Option<i64>,
    pub category: Option<&'static str>,
    pub brand: Option<&'static str>,
    pub size: Option<&'static str>,
    pub condition: Option<&'static str>,
    pub colors: &'static [&'static str],
    pub materials: &'static [&'static str],
    pub package_size: Option<&'static str>,
    pub photos: usize,
    pub look: Look,
    pub fate: Fate,
}

/// The default values of a garment.
const BLANK: Garment = Garment {
    title: "",
    description: "",
    price: None,
    category: None,
    brand: None,
    size: None,
    condition: None,
    colors: &[],
    materials: &[],
    package_size: None,
    photos: 2,
    look: Look {
        shape: Shape::Top,
        fabric: Fabric::Plain,
        color: [120, 120, 120],
        accent: [90, 90, 90],
    },
    fate: Fate::Draft,
};

pub const SELLERS: [Seller; 2] = [
    Seller {
        name: "Le dressing de Camille",
        market: "fr",
        language: "fr",
        garments: &CAMILLE,
    },
    Seller {
        name: "Ellie's wardrobe",
        market: "co.uk",
        language: "en",
        garments: &ELLIE,
    },
];

const CAMILLE: [Garment; 9] = [
    Garment {
        title: "Sweat gris chiné Nike",
        description: "Sweat épais et doux, porté un hiver. Aucun trou, aucune tache. Lavé à 30°.",
        price: Some(1_800),
        category: Some("Hommes > Vêtements > Sweats et pulls > Sweats"),
        brand: Some("Nike"),
        size: Some("M"),
        condition: Some("Très bon état"),
        colors: &["Gris"],
        materials: &["Coton", "Polyester"],
        package_size: Some("Moyen"),
        look: Look {
            shape: Shape::Top,
            fabric: Fabric::Melange,
            color: [150, 152, 156],
            accent: [120, 122, 126],
        },
        fate: Fate::Published,
        ..BLANK
    },
    Garment {
        title: "Robe longue fleurie Sézane",
        description: "Portée deux fois, pour des mariages. Tombe juste au-dessus de la cheville.",
        price: Some(6_500),
        category: Some("Femmes > Vêtements > Robes > Robes longues"),
        brand: Some("Sézane"),
        size: Some("M / 38 / 10"),
        condition: Some("Très bon état"),
        colors: &["Bordeaux", "Rose"],
        materials: &["Viscose"],
        package_size: Some("Petit"),
        photos: 3,
        look: Look {
            shape: Shape::Dress,
            fabric: Fabric::Dots,
            color: [122, 32, 52],
            accent: [230, 170, 180],
        },
        fate: Fate::Published,
    },
    Garment {
        title: "Jean droit Levi's 501",
        description: "Un classique, légèrement délavé aux genoux. Coupe droite, taille haute.",
        price: Some(3_200),
        category: Some("Femmes > Vêtements > Jeans"),
        brand: Some("Levi's"),
        size: Some("W28"),
        condition: Some("Bon état"),
        colors: &["Bleu"],
        materials: &["Jean"],
        package_size: Some("Moyen"),
        look: Look {
            shape: Shape::Trousers,
            fabric: Fabric::Denim,
            color: [62, 88, 130],
            accent: [96, 124, 165],
        },
        fate: Fate::Published,
        ..BLANK
    },
    Garment {
        title: "Manteau en laine Sandro",
        description: "Manteau droit, doublé, deux poches. La doublure a été refaite l'an dernier.",
        price: Some(9_500),
        category: Some("Femmes > Vêtements > Manteaux et vestes > Manteaux"),
        brand: Some("Sandro"),
        size: Some("S / 36 / 8"),
        condition: Some("Bon état"),
        colors: &["Beige"],
        materials: &["Laine", "Cachemire"],
        package_size: Some("Grand"),
        look: Look {
            shape: Shape::Coat,
            fabric: Fabric::Melange,
            color: [190, 164, 128],
            accent: [168, 142, 108],
        },
        ..BLANK
    },
    Garment {
        title: "Baskets blanches Veja",
        description: "Portées un été. Semelles propres, lacets changés.",
        price: Some(4_500),
        category: Some("Femmes > Chaussures > Baskets"),
        brand: Some("Veja"),
        size: Some("38"),
        condition: Some("Très bon état"),
        colors: &["Blanc", "Vert"],
        package_size: Some("Moyen"),
        look: Look {
            shape: Shape::Shoe,
            fabric: Fabric::Plain,
            color: [236, 236, 230],
            accent: [64, 122, 92],
        },
        ..BLANK
    },
    Garment {
        title: "Marinière Saint James",
        description: "La vraie, en coton épais. Col bateau, manches longues.",
        price: Some(2_800),
        category: Some("Femmes > Vêtements > Hauts et t-shirts > T-shirts"),
        brand: Some("Saint James"),
        size: Some("S / 36 / 8"),
        condition: Some("Très bon état"),
        colors: &["Blanc", "Marine"],
        materials: &["Coton"],
        package_size: Some("Petit"),
        look: Look {
            shape: Shape::Top,
            fabric: Fabric::Stripes,
            color: [238, 236, 228],
            accent: [32, 44, 84],
        },
        fate: Fate::AwaitingConfirmation,
        ..BLANK
    },
    Garment {
        title: "Chemise à carreaux Jules",
        description: "Flanelle légère, col boutonné. Un bouton de rechange dans la couture.",
        price: Some(900),
        category: Some("Hommes > Vêtements > Hauts et t-shirts > Chemises"),
        brand: Some("Jules"),
        size: Some("L"),
        condition: Some("Bon état"),
        colors: &["Rouge", "Noir"],
        materials: &["Coton"],
        package_size: Some("Petit"),
        look: Look {
            shape: Shape::Top,
            fabric: Fabric::Checks,
            color: [164, 38, 40],
            accent: [40, 28, 30],
        },
        fate: Fate::Cancelled,
        ..BLANK
    },
    Garment {
        title: "Sac à main Longchamp pliable",
        description: "Toile et cuir, format moyen. Petite marque à l'intérieur, visible sur la photo.",
        price: Some(3_900),
        category: Some("Femmes > Sacs > Sacs à main"),
        brand: Some("Longchamp"),
        condition: Some("Bon état"),
        colors: &["Marine", "Marron"],
        materials: &["Nylon", "Cuir"],
        package_size: Some("Moyen"),
        look: Look {
            shape: Shape::Bag,
            fabric: Fabric::Plain,
            color: [36, 48, 82],
            accent: [112, 70, 42],
        },
        fate: Fate::Failed {
            refusal: "Cette marque demande une preuve d'authenticité.",
        },
        ..BLANK
    },
    Garment {
        title: "Pull à trier",
        photos: 1,
        look: Look {
            shape: Shape::Top,
            fabric: Fabric::Melange,
            color: [70, 104, 84],
            accent: [54, 84, 68],
        },
        ..BLANK
    },
];

const ELLIE: [Garment; 6] = [
    Garment {
        title: "Denim jacket, Wrangler",
        description: "Boxy fit, soft from years of washing. Both chest pockets button up.",
        price: Some(2_600),
        category: Some("Women > Clothing > Outerwear > Jackets"),
        brand: Some("Wrangler"),
        size: Some("M / 38 / 10"),
        condition: Some("Good"),
        colors: &["Light blue"],
        materials: &["Denim"],
        package_size: Some("Medium"),
        look: Look {
            shape: Shape::Coat,
            fabric: Fabric::Denim,
            color: [124, 152, 190],
            accent: [160, 184, 214],
        },
        fate: Fate::Published,
        ..BLANK
    },
    Garment {
        title: "Green corduroy mini skirt",
        description: "Worn once. A-line, side zip, fully lined.",
        price: Some(1_400),
        category: Some("Women > Clothing > Skirts"),
        brand: Some("Monki"),
        size: Some("S / 36 / 8"),
        condition: Some("Very good"),
        colors: &["Dark green"],
        materials: &["Velvet", "Cotton"],
        package_size: Some("Small"),
        look: Look {
            shape: Shape::Skirt,
            fabric: Fabric::Stripes,
            color: [40, 82, 60],
            accent: [32, 68, 50],
        },
        ..BLANK
    },
    Garment {
        title: "Canvas high-tops, Converse",
        description: "Some yellowing on the rubber, plenty of life left.",
        price: Some(2_200),
        category: Some("Women > Shoes > Trainers"),
        brand: Some("Converse"),
        size: Some("39"),
        condition: Some("Satisfactory"),
        colors: &["Black"],
        package_size: Some("Medium"),
        look: Look {
            shape: Shape::Shoe,
            fabric: Fabric::Plain,
            color: [38, 38, 42],
            accent: [226, 220, 204],
        },
        fate: Fate::Expired,
        ..BLANK
    },
    Garment {
        title: "Polka dot tea dress",
        price: Some(1_900),
        category: Some("Women > Clothing > Dresses > Mini dresses"),
        photos: 2,
        look: Look {
            shape: Shape::Dress,
            fabric: Fabric::Dots,
            color: [28, 34, 62],
            accent: [236, 232, 220],
        },
        ..BLANK
    },
    Garment {
        title: "Box from the attic",
        photos: 0,
        ..BLANK
    },
    Garment {
        title: "Tan leather backpack",
        description: "Full-grain leather with two outer pockets. Fits a 13 inch laptop.",
        price: Some(5_400),
        category: Some("Women > Bags > Backpacks"),
        brand: Some("No brand"),
        condition: Some("Very good"),
        colors: &["Brown"],
        materials: &["Leather"],
        package_size: Some("Medium"),
        look: Look {
            shape: Shape::Bag,
            fabric: Fabric::Plain,
            color: [160, 104, 58],
            accent: [104, 64, 36],
        },
        fate: Fate::Blocked,
        ..BLANK
    },
];
