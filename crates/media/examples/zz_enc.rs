//! tmp
use masklet_media::{video_writer::*, *};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut v = open_video(&a[1]).unwrap();
    let out = std::path::PathBuf::from(&a[2]);
    let n: usize = a[3].parse().unwrap();
    let mut segs = vec![];
    let mut times = vec![];
    let t = std::time::Instant::now();
    let mut w = None;
    for i in 0..n {
        let f = v.frame(i).unwrap().unwrap();
        times.push(v.presentation_time(i).unwrap());
        if i % 50 == 0 {
            if let Some(w) = w.take() {
                let w: SegmentWriter = w;
                w.finish().unwrap();
            }
            let p = out.with_extension(format!("{i}.h264"));
            w = Some(SegmentWriter::create(&p, f.dimensions(), VideoQuality::default()).unwrap());
            segs.push(p);
        }
        w.as_mut().unwrap().push(&f).unwrap();
    }
    w.unwrap().finish().unwrap();
    println!("{:.1} frames/s", n as f64 / t.elapsed().as_secs_f64());
    if a.len() > 4 {
        mux(&segs, v.dimensions(), Timing::Times(&times), &out).unwrap()
    } else {
        mux(
            &segs,
            v.dimensions(),
            Timing::Constant(v.frame_rate().unwrap()),
            &out,
        )
        .unwrap()
    }
}
