//! Values to bytes.

use super::{EIGHT_BYTES, FOUR_BYTES, LENGTH_255, TWO_BYTES, ULID_MARK, WITH_OPTIONS};
use crate::table::name::{NameBuffer, Spelling};

/// What takes the bytes of a [`Writer`].
pub trait Sink {
    fn push(&mut self, byte: u8);
    fn extend(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Bytes that are collected before they reach the buffer: as many as most events have.
const COLLECTED: usize = 64;

/// Collects small pieces and appends them to a buffer together: a buffer looks for room once
/// for each piece it takes.
pub struct Collector<'a> {
    to: &'a mut Vec<u8>,
    bytes: [u8; COLLECTED],
    len: usize,
}

impl Collector<'_> {
    #[inline(always)]
    pub fn new(to: &mut Vec<u8>) -> Collector<'_> {
        Collector {
            to,
            bytes: [0; COLLECTED],
            len: 0,
        }
    }

    /// Appends what was collected, which is lost otherwise.
    #[inline]
    pub fn flush(&mut self) {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        self.to.extend_from_slice(bytes);
        self.len = 0;
    }

    /// Appends a piece that is not collected, behind those that were.
    #[cold]
    fn append(&mut self, bytes: &[u8]) {
        self.flush();
        self.to.extend_from_slice(bytes);
    }
}

impl Sink for Collector<'_> {
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.append(&[byte]),
        }
    }

    #[inline(always)]
    fn extend(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + bytes.len()) {
            Some(places) => {
                places.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            None => self.append(bytes),
        }
    }
}

/// Appends values to a buffer.
pub struct Writer<'a, S: Sink = Vec<u8>>(pub &'a mut S);

impl<S: Sink> Writer<'_, S> {
    #[inline]
    pub fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    #[inline]
    pub fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    #[inline]
    pub fn number(&mut self, number: u64) {
        if number < TWO_BYTES.into() {
            self.tag(number as u8);
        } else {
            self.large_number(number);
        }
    }

    /// Appends numbers one after the other: in one piece where each of them is a byte.
    #[inline(always)]
    pub fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        if numbers.iter().all(|&number| number < TWO_BYTES.into()) {
            self.raw(&numbers.map(|number| number as u8));
        } else {
            for number in numbers {
                self.number(number);
            }
        }
    }

    fn large_number(&mut self, number: u64) {
        let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
        // One array each, as a buffer looks for room once for each piece it takes.
        match number {
            0..=0xffff => self.raw(&[TWO_BYTES, a, b]),
            0x1_0000..=0xffff_ffff => self.raw(&[FOUR_BYTES, a, b, c, d]),
            _ => self.raw(&[EIGHT_BYTES, a, b, c, d, e, f, g, h]),
        }
    }

    /// Zigzag: 0, -1, 1, -2, ...
    pub fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63).cast_unsigned());
    }

    /// A number of full width: four bytes, little endian.
    pub fn full_u32(&mut self, number: u32) {
        self.0.extend(&number.to_le_bytes());
    }

    /// A number of full width: eight bytes, little endian.
    pub fn full_u64(&mut self, number: u64) {
        self.0.extend(&number.to_le_bytes());
    }

    /// Bytes whose number is known where they are read.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Sixteen bytes, big endian.
    pub fn wide(&mut self, number: u128) {
        self.0.extend(&number.to_be_bytes());
    }

    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// A user, id or REF.
    #[inline(always)]
    pub fn name<'n>(&mut self, name: impl Into<Spelling<'n>>) {
        match name.into() {
            Spelling::Ulid(packed) => {
                let mut marked = [ULID_MARK; 17];
                marked[1..].copy_from_slice(&packed.bytes());
                self.raw(&marked);
            }
            Spelling::Bytes(name) => self.spelled(name),
            name @ Spelling::Uuid(_) => self.spelled(name.bytes(&mut NameBuffer::default())),
        }
    }

    #[inline]
    fn spelled(&mut self, name: &[u8]) {
        self.tag(match name.len() {
            255 => LENGTH_255,
            length => length as u8,
        });
        self.raw(name);
    }

    #[inline]
    pub fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    /// A tag that options may follow.
    #[inline]
    pub fn tag_with_options(&mut self, tag: u8, has_options: bool) {
        self.tag(if has_options { tag | WITH_OPTIONS } else { tag });
    }

    /// The one option of what has one.
    pub fn one_option(&mut self, tag: u8, put: impl FnOnce(&mut Writer<'_>)) {
        self.number(1);
        self.an_option(tag, put);
    }

    /// One of several options, whose number and order are the caller's affair.
    pub fn an_option(&mut self, tag: u8, put: impl FnOnce(&mut Writer<'_>)) {
        let mut value = Vec::new();
        put(&mut Writer(&mut value));
        self.tag(tag);
        self.bytes(&value);
    }

    #[inline(always)]
    pub fn list<T>(
        &mut self,
        values: impl ExactSizeIterator<Item = T>,
        mut put: impl FnMut(&mut Self, T),
    ) {
        self.number(values.len() as u64);
        for value in values {
            put(self, value);
        }
    }
}
