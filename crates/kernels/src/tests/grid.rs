use super::attention::reference;
use super::{Numbers, assert_close, on_every_path};
use crate::*;

/// Memories of a grid and what asks them, with random numbers.
struct Case {
    batch: usize,
    queries: usize,
    memories: usize,
    side: usize,
    others: usize,
    dim: usize,
    width: usize,
    q: Vec<f32>,
    tokens: Vec<f32>,
    values: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Case {
    fn new(seed: u64, [batch, queries, memories, side, others, dim, width]: [usize; 7]) -> Case {
        let mut numbers = Numbers::new(seed);
        let len = batch * (memories * side * side + others) * width;
        let mut axis = || numbers.vec(side * dim / 4);
        // Pairs of the first half turn with x, those of the second with y.
        let mut table = || -> Vec<f32> {
            let (of_x, of_y) = (axis(), axis());
            let row = |of: &[f32], at: usize| of[at * dim / 4..(at + 1) * dim / 4].to_vec();
            (0..side * side)
                .flat_map(|p| [row(&of_x, p % side), row(&of_y, p / side)].concat())
                .collect()
        };
        let (cos, sin) = (table(), table());
        Case {
            batch,
            queries,
            memories,
            side,
            others,
            dim,
            width,
            q: numbers.vec(batch * queries * dim),
            tokens: numbers.vec(len),
            values: numbers.vec(len),
            weight: numbers.vec(dim * width),
            bias: numbers.vec(dim),
            cos,
            sin,
        }
    }

    fn inputs(&self) -> GridAttention<'_> {
        GridAttention {
            batch: self.batch,
            queries: self.queries,
            memories: self.memories,
            side: self.side,
            others: self.others,
            q: &self.q,
            key_tokens: &self.tokens,
            values: &self.values,
            weight: &self.weight,
            bias: &self.bias,
            table: RotaryTable {
                cos: &self.cos,
                sin: &self.sin,
            },
            scale: 1.0 / ((self.dim * self.width) as f32).sqrt(),
        }
    }

    fn answer(&self) -> Vec<f32> {
        let len = self.batch * self.queries * self.width;
        collect(len, |out| grid_attention(&self.inputs(), out))
    }

    /// A key as it is defined: projected, then turned.
    fn key(&self, index: usize, token: &[f32]) -> Vec<f32> {
        let mut key: Vec<f64> = (self.weight.chunks(self.width).zip(&self.bias))
            .map(|(row, &bias)| {
                let products = row.iter().zip(token);
                let sum: f64 = products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                sum + f64::from(bias)
            })
            .collect();
        let positions = self.side * self.side;
        if index < self.memories * positions {
            for (i, pair) in key.chunks_exact_mut(2).enumerate() {
                let at = index % positions * self.dim / 2 + i;
                let (cos, sin) = (f64::from(self.cos[at]), f64::from(self.sin[at]));
                let (a, b) = (pair[0], pair[1]);
                (pair[0], pair[1]) = (a * cos - b * sin, a * sin + b * cos);
            }
        }
        key.into_iter().map(|x| x as f32).collect()
    }

    fn expected(&self) -> Vec<f64> {
        let len = self.tokens.len() / self.batch;
        let scale = f64::from(self.inputs().scale);
        let item = |b: usize| {
            let tokens = self.tokens[b * len..(b + 1) * len].chunks(self.width);
            let keys: Vec<f32> = tokens
                .enumerate()
                .flat_map(|(i, token)| self.key(i, token))
                .collect();
            let queries = self.queries * self.dim;
            let q = &self.q[b * queries..(b + 1) * queries];
            let values = &self.values[b * len..(b + 1) * len];
            reference(q, &keys, values, self.dim, self.width, scale)
        };
        (0..self.batch).flat_map(item).collect()
    }
}

#[test]
fn keys_that_are_never_made_give_what_made_ones_give() {
    let sizes = [
        // batch, queries, memories, side, others, dim, width
        [1, 1, 1, 1, 0, 4, 1],
        [2, 33, 3, 5, 7, 24, 10],
        [1, 70, 7, 9, 4, 32, 16],
        [1, 32, 4, 8, 300, 16, 8],
        [1, 5, 40, 3, 1, 8, 5],
        [2, 31, 2, 17, 0, 64, 24],
        [1, 9, 0, 3, 12, 8, 6],
    ];
    on_every_path(|path| {
        for (seed, size) in sizes.into_iter().enumerate() {
            let case = Case::new(seed as u64, size);
            let what = format!("{path:?} {size:?}");
            assert_close(&case.answer(), &case.expected(), 3e-6, &what);
        }
    });
}

#[test]
fn large_scores_are_no_matter_and_nan_stays_in_its_query() {
    on_every_path(|path| {
        let size = [1, 40, 3, 6, 5, 16, 8];
        let mut case = Case::new(20, size);
        case.q.iter_mut().for_each(|x| *x *= 300.0);
        case.q[17 * 16 + 3] = f32::NAN;
        let (found, expected) = (case.answer(), case.expected());
        for (query, (found, expected)) in found.chunks(8).zip(expected.chunks(8)).enumerate() {
            let what = format!("{path:?} query {query}");
            if query == 17 {
                assert!(found.iter().all(|x| x.is_nan()), "{what}");
            } else {
                assert_close(found, expected, 1e-3, &what);
            }
        }
    });
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let case = Case::new(3, [1, 200, 5, 10, 6, 32, 16]);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| case.answer())
    };
    assert_eq!(run(1), run(5));
}

#[test]
#[should_panic(expected = "grid attention: length of values")]
fn values_of_another_number_are_refused() {
    let mut case = Case::new(1, [1, 2, 3, 4, 0, 8, 4]);
    case.values.pop();
    case.answer();
}
