//! tmp
use std::io::Write;
fn main() {
    let p = std::env::args().nth(1).unwrap();
    let mut v = masklet_media::open_video(&p).unwrap();
    let mut o = std::io::stdout().lock();
    let mut i = 0;
    loop {
        match v.frame(i) {
            Ok(Some(f)) => o.write_all(f.pixels()).unwrap(),
            Ok(None) => break,
            Err(e) => {
                eprintln!("{e}");
                break;
            }
        }
        i += 1;
    }
    eprintln!("{i} frames {:?}", v.dimensions());
}
