use super::{ACTIVATIONS, Numbers, apply, assert_close, on_every_path};
use crate::*;

/// Channels-last image access with zeros outside.
fn at(images: &Images, b: usize, y: isize, x: isize, c: usize) -> f64 {
    if y < 0 || x < 0 || y >= images.height as isize || x >= images.width as isize {
        return 0.0;
    }
    let position = (b * images.height + y as usize) * images.width + x as usize;
    f64::from(images.data[position * images.channels + c])
}

#[test]
fn convolutions_match_the_reference() {
    let shapes = [
        (3, 96, 7, 4, [3, 3], 30, 37),
        (1, 4, 3, 2, [1, 1], 16, 17),
        (4, 16, 3, 2, [1, 1], 9, 8),
        (3, 32, 3, 2, [0, 1], 16, 18),
        (16, 33, 2, 2, [0, 0], 10, 6),
        (1, 1, 4, 4, [0, 0], 12, 16),
        (5, 7, 1, 1, [0, 0], 6, 5),
        (2, 3, 5, 1, [2, 2], 3, 2),
    ];
    on_every_path(|path| {
        for (inputs, outputs, kernel, stride, padding, height, width) in shapes {
            let mut numbers = Numbers::new(inputs as u64);
            let data = numbers.vec(2 * height * width * inputs);
            let images = Images {
                data: &data,
                batch: 2,
                height,
                width,
                channels: inputs,
            };
            let weight = numbers.vec(outputs * inputs * kernel * kernel);
            let bias = numbers.vec(outputs);
            let shape = ConvShape {
                inputs,
                outputs,
                kernel,
                stride,
                padding,
            };
            let (oh, ow) = (shape.output_len(height), shape.output_len(width));
            let mut expected = Vec::new();
            for index in 0..2 * oh * ow {
                let (b, y, x) = (index / (oh * ow), index / ow % oh, index % ow);
                for o in 0..outputs {
                    let mut sum = f64::from(bias[o]);
                    for i in 0..inputs {
                        for p in 0..kernel * kernel {
                            let (ky, kx) = (p / kernel, p % kernel);
                            let iy = (y * stride + ky) as isize - padding[0] as isize;
                            let ix = (x * stride + kx) as isize - padding[0] as isize;
                            let w = weight[(o * inputs + i) * kernel * kernel + p];
                            sum += f64::from(w) * at(&images, b, iy, ix, i);
                        }
                    }
                    expected.push(sum);
                }
            }
            for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.05)] {
                let conv = Conv2d::pack(&weight, shape, precision);
                let out = collect(expected.len(), |out| {
                    conv2d(images, &conv, Epilogue::bias(&bias), out)
                });
                let what = format!("{path:?} {precision:?} {shape:?}");
                assert_close(&out, &expected, tolerance, &what);
            }
        }
    });
}

#[test]
fn depthwise_convolution_matches_the_reference() {
    let shapes = [
        // Sides of the images, channels, kernel, stride, zeros before the image.
        (9, 25, 40, 7, 1, 3),
        (3, 2, 5, 7, 1, 3),
        (6, 30, 64, 3, 1, 1),
        (12, 26, 40, 3, 2, 0),
        (8, 40, 19, 5, 2, 1),
        (7, 23, 16, 3, 2, 0),
        (2, 2, 3, 5, 2, 1),
    ];
    on_every_path(|path| {
        for (height, width, channels, kernel, stride, padding) in shapes {
            let mut numbers = Numbers::new(channels as u64);
            let data = numbers.vec(2 * height * width * channels);
            let images = Images {
                data: &data,
                batch: 2,
                height,
                width,
                channels,
            };
            let weight = numbers.vec(channels * kernel * kernel);
            let bias = numbers.vec(channels);
            let (oh, ow) = (height.div_ceil(stride), width.div_ceil(stride));
            let mut expected = Vec::new();
            for index in 0..2 * oh * ow {
                let (b, y, x) = (index / (oh * ow), index / ow % oh, index % ow);
                for c in 0..channels {
                    let mut sum = f64::from(bias[c]);
                    for p in 0..kernel * kernel {
                        let iy = (y * stride + p / kernel) as isize - padding;
                        let ix = (x * stride + p % kernel) as isize - padding;
                        let w = f64::from(weight[c * kernel * kernel + p]);
                        sum += w * at(&images, b, iy, ix, c);
                    }
                    expected.push(sum);
                }
            }
            let shape = DepthwiseShape {
                channels,
                kernel,
                stride,
            };
            let conv = DepthwiseConv::pack(&weight, &bias, shape);
            for activation in ACTIVATIONS {
                let out = collect(expected.len(), |out| {
                    depthwise_conv(images, &conv, activation, out)
                });
                let expected: Vec<f64> = expected.iter().map(|&v| apply(activation, v)).collect();
                let what = format!("{path:?} {shape:?} {activation:?}");
                assert_close(&out, &expected, 1e-5, &what);
            }
        }
    });
}

#[test]
fn transposed_convolution_doubles_the_image() {
    on_every_path(|path| {
        for (height, width, inputs, outputs) in [(5, 7, 16, 32), (3, 4, 9, 5), (4, 4, 64, 64)] {
            let mut numbers = Numbers::new(outputs as u64);
            let data = numbers.vec(2 * height * width * inputs);
            let images = Images {
                data: &data,
                batch: 2,
                height,
                width,
                channels: inputs,
            };
            let weight = numbers.vec(inputs * outputs * 4);
            let (bias, skip) = (
                numbers.vec(outputs),
                numbers.vec(8 * height * width * outputs),
            );
            let mut expected: Vec<f64> = Vec::new();
            for index in 0..8 * height * width {
                let (b, y, x) = (
                    index / (4 * height * width),
                    index / (2 * width) % (2 * height),
                    index % (2 * width),
                );
                for o in 0..outputs {
                    let p = y % 2 * 2 + x % 2;
                    let term = |i: usize| {
                        f64::from(weight[(i * outputs + o) * 4 + p])
                            * at(&images, b, (y / 2) as isize, (x / 2) as isize, i)
                    };
                    let sum = (0..inputs).map(term).sum::<f64>() + f64::from(bias[o]);
                    expected.push(sum + f64::from(skip[index * outputs + o]));
                }
            }
            for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.05)] {
                let conv = ConvTranspose2x2::pack(&weight, inputs, outputs, precision);
                let epilogue = Epilogue::residual(&bias, &skip);
                let out = collect(skip.len(), |out| {
                    conv_transpose_2x2(images, &conv, epilogue, out)
                });
                assert_close(
                    &out,
                    &expected,
                    tolerance,
                    &format!("{path:?} {precision:?}"),
                );
            }
        }
    });
}

#[test]
fn resizing_keeps_a_plane_and_matches_the_reference() {
    let mut numbers = Numbers::new(5);
    for (from, to) in [
        ((8, 8), (32, 32)),
        ((5, 7), (13, 3)),
        ((1, 1), (4, 4)),
        ((6, 6), (6, 6)),
    ] {
        let maps = numbers.vec(2 * from.0 * from.1);
        let out = collect(2 * to.0 * to.1, |out| {
            resize_bilinear(&maps, 2, from, to, out)
        });
        let mut expected = Vec::new();
        for index in 0..2 * to.0 * to.1 {
            let (map, y, x) = (index / (to.0 * to.1), index / to.1 % to.0, index % to.1);
            let place = |i: usize, from: usize, to: usize| {
                let p = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
                let near = (p as usize).min(from - 1);
                (near, (near + 1).min(from - 1), p - near as f64)
            };
            let ((y0, y1, wy), (x0, x1, wx)) = (place(y, from.0, to.0), place(x, from.1, to.1));
            let m = |y: usize, x: usize| f64::from(maps[(map * from.0 + y) * from.1 + x]);
            let top = (1.0 - wx) * m(y0, x0) + wx * m(y0, x1);
            let bottom = (1.0 - wx) * m(y1, x0) + wx * m(y1, x1);
            expected.push((1.0 - wy) * top + wy * bottom);
        }
        assert_close(&out, &expected, 1e-5, &format!("{from:?} to {to:?}"));
    }
}

#[test]
fn pooling_takes_the_largest_and_upsampling_repeats() {
    on_every_path(|path| {
        let mut numbers = Numbers::new(6);
        let (height, width, channels) = (5, 7, 19);
        let mut data = numbers.vec(2 * height * width * channels);
        data[0] = f32::NAN;
        let images = Images {
            data: &data,
            batch: 2,
            height,
            width,
            channels,
        };
        let pooled = collect(2 * 2 * 3 * channels, |out| max_pool_2x2(images, out));
        let coarse = Images {
            data: &pooled,
            batch: 2,
            height: 2,
            width: 3,
            channels,
        };
        let zeros = vec![0.0; 4 * pooled.len()];
        let fine = collect(zeros.len(), |out| upsample_add(&zeros, coarse, out));
        for (index, &found) in fine.iter().enumerate() {
            let (c, x) = (index % channels, index / channels % 6);
            let (y, b) = (index / channels / 6 % 4, index / channels / 24);
            let four = (0..4).map(|i| {
                at(
                    &images,
                    b,
                    (y / 2 * 2 + i / 2) as isize,
                    (x / 2 * 2 + i % 2) as isize,
                    c,
                )
            });
            let most = four.fold(
                f64::NEG_INFINITY,
                |m, v| if v > m || v.is_nan() { v } else { m },
            );
            let found = f64::from(found);
            assert!(
                found == most || (found.is_nan() && index / channels < 12 && c == 0),
                "{path:?}"
            );
        }
        assert!(fine[0].is_nan());
    });
}
