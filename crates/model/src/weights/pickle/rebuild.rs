//! How a pickle puts storages, tensors and dictionaries together.

use super::super::error::Fault;
use super::globals::Global;
use super::{Machine, StorageRef, TensorRef, Value, misused};

impl<'a> Machine<'a> {
    /// `('storage', storage type, key, location, number of elements)`
    pub(super) fn persistent(&mut self) -> Result<(), Fault> {
        let id = self.pop()?;
        let [
            Value::Text("storage"),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            _,
            Value::Int(elements),
        ] = *self.items(id)?
        else {
            return Err(misused("refers to external data that is no tensor storage"));
        };
        let elements = usize::try_from(elements)
            .map_err(|_| misused("gives a storage a negative number of elements"))?;
        self.out.storages.push(StorageRef {
            key,
            dtype,
            elements,
        });
        self.push(Value::Storage(self.out.storages.len() - 1))
    }

    /// `function(*arguments)`, for the few functions that are known.
    pub(super) fn reduce(&mut self) -> Result<(), Fault> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Value::Global(global) = callable else {
            return Err(misused("calls something that is no function"));
        };
        let arguments: Vec<_> = self.items(arguments)?.iter().take(8).copied().collect();
        match (global, arguments.as_slice()) {
            (Global::OrderedDict, []) => self.push_dict(Vec::new()),
            (Global::OrderedDict, &[items]) => self.ordered_dict(items),
            (
                Global::RebuildTensor,
                &[
                    Value::Storage(storage),
                    Value::Int(offset),
                    shape,
                    strides,
                    ..,
                ],
            ) => {
                let tensor = TensorRef {
                    storage,
                    offset: natural(offset)?,
                    shape: self.dimensions(shape)?,
                    strides: self.dimensions(strides)?,
                };
                self.out.tensors.push(tensor);
                self.push(Value::Tensor(self.out.tensors.len() - 1))
            }
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), ..]) => self.push(tensor),
            _ => Err(misused("rebuilds a tensor from something unexpected")),
        }
    }

    /// `OrderedDict([(key, value), …])` or `OrderedDict({…})`
    fn ordered_dict(&mut self, source: Value<'a>) -> Result<(), Fault> {
        let items = match source {
            Value::Dict(dict) => self.out.dicts.get(dict).cloned().unwrap_or_default(),
            list => {
                let mut items = Vec::new();
                for &pair in self.items(list)? {
                    let &[key, value] = self.items(pair)? else {
                        return Err(misused("builds a dictionary from something but pairs"));
                    };
                    items.push((key, value));
                    if items.len() > self.copies_left {
                        break;
                    }
                }
                items
            }
        };
        self.copies_left = self
            .copies_left
            .checked_sub(items.len())
            .ok_or_else(|| misused("copies more than it holds"))?;
        self.push_dict(items)
    }

    fn items(&self, sequence: Value<'a>) -> Result<&[Value<'a>], Fault> {
        match sequence {
            Value::List(i) | Value::Tuple(i) => self.sequences.get(i).map(Vec::as_slice),
            _ => None,
        }
        .ok_or_else(|| misused("uses something else where a tuple belongs"))
    }

    fn dimensions(&self, sequence: Value<'a>) -> Result<Vec<usize>, Fault> {
        let items = self.items(sequence)?;
        if items.len() > 16 {
            return Err(misused("describes a tensor of more than 16 dimensions"));
        }
        items
            .iter()
            .map(|item| match *item {
                Value::Int(n) => natural(n),
                _ => Err(misused("gives a tensor a size that is not a number")),
            })
            .collect()
    }
}

fn natural(n: i64) -> Result<usize, Fault> {
    usize::try_from(n).map_err(|_| misused("gives a tensor a negative size, stride or offset"))
}
