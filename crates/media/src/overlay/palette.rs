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

/// The colour of object `id`: object 1 has the first of the palette, and so on. Objects after the
/// last have colours of their own as well, the hue turning by the golden angle from one to the
/// next, so that those of any few successive objects keep apart.
pub fn colour_of(id: u32) -> [u8; 3] {
    // Number 0, which is no object's, shares the last colour of the palette.
    let index = id.checked_sub(1).unwrap_or(PALETTE.len() as u32 - 1) as usize;
    PALETTE.get(index).copied().unwrap_or_else(|| turned(index))
}

/// The colour of an object after the palette's last.
fn turned(index: usize) -> [u8; 3] {
    const GOLDEN_ANGLE: f64 = 0.618_033_988_75;
    let hue = (index as f64 * GOLDEN_ANGLE).fract();
    let saturation = [0.9, 0.6, 0.75][index % 3];
    let value = [1.0, 0.8, 0.65][index / 3 % 3];
    // From HSV, with the three channels a third of a turn apart.
    [0.0, 2.0 / 3.0, 1.0 / 3.0].map(|turn| {
        let distance = ((hue + turn).fract() * 6.0 - 3.0).abs() - 1.0;
        let channel = value * (1.0 - saturation * (1.0 - distance.clamp(0.0, 1.0)));
        (channel * 255.0).round() as u8
    })
}
