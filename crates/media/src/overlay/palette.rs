//! The colours of objects.

/// Colours of objects, in the order they are given out.
///
/// The first eight keep apart under the common kinds of colour blindness (after Okabe and Ito,
/// brightened to show on photographs); those after differ in lightness as well as in hue.
pub const PALETTE: [[u8; 3]; 24] = [
    [0, 142, 255],   // blue
    [255, 159, 0],   // orange
    [0, 201, 146],   // bluish green
    [255, 92, 205],  // pink
    [255, 232, 61],  // yellow
    [97, 214, 255],  // sky
    [240, 80, 24],   // vermilion
    [150, 96, 255],  // violet
    [168, 230, 29],  // lime
    [196, 0, 92],    // crimson
    [0, 128, 128],   // teal
    [255, 183, 178], // salmon
    [40, 80, 190],   // royal blue
    [180, 122, 0],   // ochre
    [214, 170, 255], // lavender
    [0, 128, 48],    // green
    [130, 255, 210], // mint
    [140, 20, 140],  // purple
    [255, 214, 150], // apricot
    [112, 72, 40],   // brown
    [0, 220, 255],   // cyan
    [255, 60, 100],  // rose
    [120, 130, 60],  // olive
    [200, 210, 230], // mist
];

/// The colour of object `id`: object 1 has the first, and they repeat after the last.
pub fn colour_of(id: u32) -> [u8; 3] {
    PALETTE[(id as usize + PALETTE.len() - 1) % PALETTE.len()]
}
