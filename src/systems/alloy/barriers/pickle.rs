//! The list of arrays in a pickled NumPy object array, as `numpy.save` writes a Python list of float32 arrays.
//!
//! Pickle (protocols 2 to 4, Python's `pickletools`) is a stack machine. Of its opcodes the few that such a file holds are
//! understood; nothing is called or imported. A rebuilt array is the state tuple `(version, shape, type, Fortran order, bytes)`.

/// Shape and row-major values.
type Array = (Vec<usize>, Vec<f32>);

/// What stands on the stack.
#[derive(Clone, Debug)]
enum Value {
    Integer(i64),
    Boolean(bool),
    Text(String),
    Bytes(Vec<u8>),
    Sequence(Vec<Value>),
    /// What a call makes, with the arguments of the call.
    Object(Vec<Value>),
    /// Something named in Python, to be called.
    Name,
    Array(Array),
    Nothing,
    Mark,
}

/// The arrays of a `.npy` file that holds a list of them.
///
/// # Errors
/// A sentence that says what the file lacks.
pub fn arrays(file: &[u8]) -> Result<Vec<Array>, String> {
    let header = match file {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, low, high, ..] => {
            10 + usize::from(u16::from_le_bytes([*low, *high]))
        }
        _ => return Err("it does not start as a NumPy file of version 1".into()),
    };
    let text = String::from_utf8_lossy(file.get(10..header).unwrap_or_default());
    if !text.contains("'|O'") {
        return Err("it holds one plain array; the published network is a list of 26 arrays".into());
    }
    let mut machine = Machine { bytes: &file[header..], place: 0, stack: Vec::new(), memory: Vec::new() };
    match machine.run()? {
        Value::Sequence(list) => list
            .into_iter()
            .map(|value| match value {
                Value::Array(array) => Ok(array),
                _ => Err("its list holds something that is not an array".to_owned()),
            })
            .collect(),
        _ => Err("it does not hold a list of arrays".into()),
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    place: usize,
    stack: Vec<Value>,
    memory: Vec<Value>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Value, String> {
        loop {
            let place = self.place;
            let opcode = self.take(1)?[0];
            match opcode {
                0x80 => drop(self.take(1)?),
                b'.' => return self.pop(),
                b'c' => {
                    self.line()?;
                    self.line()?;
                    self.stack.push(Value::Name);
                }
                b'\x93' => {
                    self.tuple(2)?;
                    self.pop()?;
                    self.stack.push(Value::Name);
                }
                b'\x95' => drop(self.take(8)?),
                b'\x94' => self.keep(self.memory.len())?,
                b'q' | b'r' => {
                    let slot = self.number(if opcode == b'q' { 1 } else { 4 })?;
                    self.keep(slot)?;
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'K' => self.integer(1)?,
                b'M' => self.integer(2)?,
                b'J' => self.integer(4)?,
                b'N' => self.stack.push(Value::Nothing),
                b'\x88' => self.stack.push(Value::Boolean(true)),
                b'\x89' => self.stack.push(Value::Boolean(false)),
                b'X' => self.text(4)?,
                b'\x8c' => self.text(1)?,
                b'C' => self.binary(1)?,
                b'B' => self.binary(4)?,
                b'\x8e' => self.binary(8)?,
                b'(' => self.stack.push(Value::Mark),
                b']' | b')' => self.stack.push(Value::Sequence(Vec::new())),
                b't' => {
                    let items = self.since_mark()?;
                    self.stack.push(Value::Sequence(items));
                }
                b'\x85' => self.tuple(1)?,
                b'\x86' => self.tuple(2)?,
                b'\x87' => self.tuple(3)?,
                b'e' => self.append()?,
                b'R' => self.call()?,
                b'b' => self.build()?,
                _ => {
                    return Err(format!(
                        "its pickle holds the opcode {opcode:#04x} at byte {place}, which no such file needs"
                    ));
                }
            }
        }
    }

    fn call(&mut self) -> Result<(), String> {
        let arguments = self.pop()?;
        self.pop()?;
        let Value::Sequence(arguments) = arguments else { return Err("its pickle calls without arguments".into()) };
        self.stack.push(Value::Object(arguments));
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let taken = self.bytes.get(self.place..self.place.saturating_add(count)).ok_or("it ends early")?;
        self.place += count;
        Ok(taken)
    }

    fn number(&mut self, width: usize) -> Result<usize, String> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(&self.counted(width)?).into_owned();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn binary(&mut self, width: usize) -> Result<(), String> {
        let bytes = self.counted(width)?;
        self.stack.push(Value::Bytes(bytes));
        Ok(())
    }

    fn counted(&mut self, width: usize) -> Result<Vec<u8>, String> {
        let count = self.number(width)?;
        Ok(self.take(count)?.to_vec())
    }

    fn line(&mut self) -> Result<(), String> {
        let rest = &self.bytes[self.place..];
        self.place += 1 + rest.iter().position(|&byte| byte == b'\n').ok_or("it ends early")?;
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, String> {
        self.stack.pop().ok_or_else(|| "its pickle takes more from the stack than it put there".into())
    }

    fn integer(&mut self, width: usize) -> Result<(), String> {
        let number = self.number(width)? as i64;
        let signed = if width == 4 { i64::from(number as i32) } else { number };
        self.stack.push(Value::Integer(signed));
        Ok(())
    }

    fn keep(&mut self, slot: usize) -> Result<(), String> {
        let value = self.stack.last().cloned().ok_or("its pickle keeps a value from an empty stack")?;
        if slot != self.memory.len() {
            return Err("its pickle numbers what it keeps in another order".into());
        }
        self.memory.push(value);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<(), String> {
        let slot = self.number(width)?;
        let value = self.memory.get(slot).cloned().ok_or("its pickle recalls what it never kept")?;
        self.stack.push(value);
        Ok(())
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark =
            self.stack.iter().rposition(|value| matches!(value, Value::Mark)).ok_or("its pickle lacks a mark")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let first = self.stack.len().checked_sub(count).ok_or("its pickle lacks the items of a tuple")?;
        let items = self.stack.split_off(first);
        self.stack.push(Value::Sequence(items));
        Ok(())
    }

    fn append(&mut self) -> Result<(), String> {
        let items = self.since_mark()?;
        match self.stack.last_mut() {
            Some(Value::Sequence(list)) => list.extend(items),
            _ => return Err("its pickle appends to something that is not a list".into()),
        }
        Ok(())
    }

    /// An object with a state: a type keeps its name, an array takes its values.
    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let object = self.pop()?;
        let built = match state {
            Value::Sequence(items) => match items.as_slice() {
                [_, Value::Sequence(shape), kind, Value::Boolean(fortran), Value::Bytes(bytes)] => {
                    Value::Array(array(shape, kind, *fortran, bytes)?)
                }
                [_, _, _, Value::Boolean(_), Value::Sequence(list)] => Value::Sequence(list.clone()),
                _ => object,
            },
            _ => object,
        };
        self.stack.push(built);
        Ok(())
    }
}

fn array(shape: &[Value], kind: &Value, fortran: bool, bytes: &[u8]) -> Result<Array, String> {
    let name = match kind {
        Value::Object(arguments) => arguments.first(),
        _ => None,
    };
    if !matches!(name, Some(Value::Text(name)) if name == "f4") || fortran {
        return Err("it holds an array that is not of row-major single-precision numbers".into());
    }
    let extent = |value: &Value| match value {
        Value::Integer(extent) => usize::try_from(*extent).ok(),
        _ => None,
    };
    let shape: Vec<usize> = shape.iter().map(extent).collect::<Option<_>>().ok_or("an extent is not a number")?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || numbers.len() != shape.iter().product::<usize>() {
        return Err(format!("an array of shape {shape:?} has {} bytes", bytes.len()));
    }
    Ok((shape, numbers.iter().map(|&number| f32::from_le_bytes(number)).collect()))
}
