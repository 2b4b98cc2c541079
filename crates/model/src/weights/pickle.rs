//! The pickle inside a `.pt` file, read as data.
//!
//! A pickle is a program for a stack machine. This machine knows the instructions of protocols 2
//! to 5 that build plain values, and turns the handful of Python names with which PyTorch rebuilds
//! tensors into descriptions of tensors. Any other name ends the reading. Every instruction is
//! handled once, without recursion, and adds a bounded amount to memory, so that the work is
//! proportional to the length of the pickle.

use std::collections::HashMap;

use super::Dtype;
use super::error::Fault;

mod globals;
mod rebuild;
mod stream;

pub(super) use globals::printable;
use globals::{Global, resolve};
use stream::Stream;

/// A plain value, or what stands for a tensor. Containers are numbers in the machine's tables,
/// because pickles refer to them again while they are being filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Int(i64),
    Text(&'a str),
    List(usize),
    Tuple(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
    /// `None`, a boolean, a float, bytes, a set, a large integer: of no further use here.
    Plain,
}

/// A storage as the pickle refers to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StorageRef<'a> {
    /// Name of the file in the archive.
    pub key: &'a str,
    pub dtype: Dtype,
    pub elements: usize,
}

/// A tensor as the pickle describes it; nothing in it has been compared with the storage yet.
#[derive(Debug, Clone)]
pub(super) struct TensorRef {
    pub storage: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// Everything that a pickle describes, and the value it results in.
#[derive(Debug)]
pub(super) struct Unpickled<'a> {
    pub root: Value<'a>,
    pub dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub storages: Vec<StorageRef<'a>>,
    pub tensors: Vec<TensorRef>,
}

/// Longest accepted pickle. The largest official model's has 260 kB.
const MAX_LENGTH: usize = 16 << 20;

/// Interprets a pickle.
pub(super) fn unpickle(pickle: &[u8]) -> Result<Unpickled<'_>, Fault> {
    if pickle.len() > MAX_LENGTH {
        return Err(Fault::Unsupported(format!(
            "its pickle has {} bytes, at most {MAX_LENGTH} are accepted; save the tensors alone, \
             without optimizer state: `torch.save({{\"model\": model.state_dict()}}, \"clean.pt\")`",
            pickle.len()
        )));
    }
    let mut machine = Machine {
        input: Stream::new(pickle),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        sequences: Vec::new(),
        copies_left: pickle.len(),
        out: Unpickled {
            root: Value::Plain,
            dicts: Vec::new(),
            storages: Vec::new(),
            tensors: Vec::new(),
        },
    };
    machine.run()?;
    Ok(machine.out)
}

struct Machine<'a> {
    input: Stream<'a>,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    /// Items of lists and tuples.
    sequences: Vec<Vec<Value<'a>>>,
    /// How many more items may be copied from one container to another.
    copies_left: usize,
    out: Unpickled<'a>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<(), Fault> {
        loop {
            let op = self.input.u8()?;
            if op == b'.' {
                self.out.root = self.pop()?;
                return Ok(());
            }
            self.step(op)?;
        }
    }

    fn step(&mut self, op: u8) -> Result<(), Fault> {
        match op {
            0x80 => self.protocol(),
            0x95 => self.input.take(8).map(|_| ()), // FRAME: only a hint for buffering
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'1' => self.pop_mark().map(|_| ()),
            b'2' => self.top().map(|top| self.stack.push(top)),
            b'N' | 0x88 | 0x89 => self.push(Value::Plain),
            b'G' => self.plain(8),
            b'J' => self
                .input
                .i32()
                .and_then(|n| self.push(Value::Int(n.into()))),
            b'K' => self
                .input
                .u8()
                .and_then(|n| self.push(Value::Int(n.into()))),
            b'M' => self
                .input
                .u16()
                .and_then(|n| self.push(Value::Int(n.into()))),
            0x8a => self.input.u8().and_then(|n| self.long(n.into())),
            0x8b => self.input.length4().and_then(|n| self.long(n)),
            0x8c | b'U' => self.input.u8().and_then(|n| self.text(n.into())),
            b'X' | b'T' => self.input.length4().and_then(|n| self.text(n)),
            0x8d => self.input.length8().and_then(|n| self.text(n)),
            b'C' => self.input.u8().and_then(|n| self.plain(n.into())),
            b'B' => self.input.length4().and_then(|n| self.plain(n)),
            0x8e | 0x96 => self.input.length8().and_then(|n| self.plain(n)),
            b']' => self.push_sequence(Vec::new(), Value::List),
            b')' => self.push_sequence(Vec::new(), Value::Tuple),
            0x85..=0x87 => self.tuple_of(usize::from(op - 0x84)),
            b't' => self
                .pop_mark()
                .and_then(|v| self.push_sequence(v, Value::Tuple)),
            b'l' => self
                .pop_mark()
                .and_then(|v| self.push_sequence(v, Value::List)),
            b'}' => self.push_dict(Vec::new()),
            b'd' => self.pop_mark().and_then(|v| {
                let items = pairs(&v)?;
                self.push_dict(items)
            }),
            0x8f => self.push(Value::Plain),     // EMPTY_SET
            0x90 => self.pop_mark().map(|_| ()), // ADDITEMS
            0x91 => self.pop_mark().and_then(|_| self.push(Value::Plain)), // FROZENSET
            b'a' => self.pop().and_then(|item| self.append(&[item])),
            b'e' => self.pop_mark().and_then(|items| self.append(&items)),
            b's' => self.set_item(),
            b'u' => self.pop_mark().and_then(|v| {
                let items = pairs(&v)?;
                self.set_items(items)
            }),
            b'q' => self.input.u8().and_then(|n| self.memoize(n.into())),
            b'r' => self.input.length4().and_then(|n| self.memoize(n)),
            0x94 => self.memoize(self.memo.len()),
            b'h' => self.input.u8().and_then(|n| self.recall(n.into())),
            b'j' => self.input.length4().and_then(|n| self.recall(n)),
            b'c' => self.global(),
            0x93 => self.stack_global(),
            b'Q' => self.persistent(),
            b'R' | 0x81 => self.reduce(),
            b'b' => self.build(),
            b'i' => self.instance(),
            b'o' | 0x92 => Err(Fault::Forbidden("an object of a class".into())),
            0x82..=0x84 => Err(Fault::Forbidden("copyreg extension".into())),
            _ => Err(Fault::corrupt(format!(
                "its pickle has the instruction 0x{op:02x} at byte {}, which PyTorch does not write",
                self.input.position() - 1
            ))),
        }
    }

    fn protocol(&mut self) -> Result<(), Fault> {
        match self.input.u8()? {
            2..=5 => Ok(()),
            other => Err(Fault::Unsupported(format!(
                "its pickle has protocol {other}, accepted are 2 to 5; save it again with \
                 `torch.save` and its default protocol"
            ))),
        }
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Fault> {
        self.stack.push(value);
        Ok(())
    }

    /// Takes from the stack, but never what lies below the last mark.
    fn pop(&mut self) -> Result<Value<'a>, Fault> {
        self.top()?;
        self.stack.pop().ok_or_else(underflow)
    }

    fn top(&self) -> Result<Value<'a>, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&top) if self.stack.len() > floor => Ok(top),
            _ => Err(underflow()),
        }
    }

    fn pop_mark(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let height = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(height.min(self.stack.len())))
    }

    fn plain(&mut self, length: usize) -> Result<(), Fault> {
        self.input.take(length)?;
        self.push(Value::Plain)
    }

    /// A little-endian integer in two's complement, of any length.
    fn long(&mut self, length: usize) -> Result<(), Fault> {
        let bytes = self.input.take(length)?;
        let negative = bytes.last().is_some_and(|&b| b >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        let Some(low) = wide.get_mut(..bytes.len()) else {
            return self.push(Value::Plain);
        };
        low.copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn text(&mut self, length: usize) -> Result<(), Fault> {
        let text = self.input.text(length)?;
        self.push(Value::Text(text))
    }

    fn push_sequence(
        &mut self,
        items: Vec<Value<'a>>,
        kind: fn(usize) -> Value<'a>,
    ) -> Result<(), Fault> {
        self.sequences.push(items);
        self.push(kind(self.sequences.len() - 1))
    }

    fn push_dict(&mut self, items: Vec<(Value<'a>, Value<'a>)>) -> Result<(), Fault> {
        self.out.dicts.push(items);
        self.push(Value::Dict(self.out.dicts.len() - 1))
    }

    fn tuple_of(&mut self, length: usize) -> Result<(), Fault> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push_sequence(items, Value::Tuple)
    }

    fn append(&mut self, items: &[Value<'a>]) -> Result<(), Fault> {
        match self.top()? {
            Value::List(list) => {
                if let Some(list) = self.sequences.get_mut(list) {
                    list.extend_from_slice(items);
                }
                Ok(())
            }
            Value::Plain => Ok(()),
            _ => Err(misused("appends to something that is not a list")),
        }
    }

    fn set_item(&mut self) -> Result<(), Fault> {
        let value = self.pop()?;
        let key = self.pop()?;
        self.set_items(vec![(key, value)])
    }

    fn set_items(&mut self, items: Vec<(Value<'a>, Value<'a>)>) -> Result<(), Fault> {
        let Value::Dict(dict) = self.top()? else {
            return Err(misused("sets items of something that is not a dictionary"));
        };
        if let Some(dict) = self.out.dicts.get_mut(dict) {
            dict.extend(items);
        }
        Ok(())
    }

    fn memoize(&mut self, number: usize) -> Result<(), Fault> {
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, number: usize) -> Result<(), Fault> {
        let value = self.memo.get(&number).copied();
        self.push(value.ok_or_else(|| misused("recalls a value that it never stored"))?)
    }

    fn global(&mut self) -> Result<(), Fault> {
        let (module, name) = (self.input.line()?, self.input.line()?);
        self.push(Value::Global(resolve(module, name)?))
    }

    fn stack_global(&mut self) -> Result<(), Fault> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Value::Text(module), Value::Text(name)) = (module, name) else {
            return Err(misused("names a global with something that is not text"));
        };
        self.push(Value::Global(resolve(module, name)?))
    }

    fn instance(&mut self) -> Result<(), Fault> {
        let (module, name) = (self.input.line()?, self.input.line()?);
        Err(Fault::Forbidden(printable(&format!("{module}.{name}"))))
    }

    /// The state given to a dictionary or tensor after its creation (attributes such as a state
    /// dictionary's `_metadata`) is not needed.
    fn build(&mut self) -> Result<(), Fault> {
        self.pop()?;
        match self.top()? {
            Value::Dict(_) | Value::Tensor(_) => Ok(()),
            _ => Err(misused(
                "gives attributes to something but a dictionary or tensor",
            )),
        }
    }
}

fn pairs<'a>(items: &[Value<'a>]) -> Result<Vec<(Value<'a>, Value<'a>)>, Fault> {
    match items.as_chunks() {
        (pairs, []) => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err(misused("gives a dictionary a key without a value")),
    }
}

fn underflow() -> Fault {
    misused("takes more values than it made")
}

fn misused(how: &str) -> Fault {
    Fault::corrupt(format!("its pickle {how}"))
}
