package frames

import (
	"encoding/binary"
	"math"
)

// Cursor takes values off the front of bytes. A value that is missing or out of
// its bounds fails the cursor: then nothing is left, every further value is zero,
// and Done says false. So a reader can read all fields and ask once.
type Cursor struct {
	data []byte
	text string // data as a string, or ""
	at   int
	bad  bool
}

// NewCursor returns a cursor at the front of data. Slices that it gives share
// memory with data.
func NewCursor(data []byte) Cursor { return Cursor{data: data} }

// NewTextCursor is NewCursor for a reader that has a copy of data as a string:
// texts become parts of that string instead of copies of their own.
func NewTextCursor(data []byte, text string) Cursor {
	if len(text) != len(data) {
		panic("frames: a text that is no copy of the data")
	}
	return Cursor{data: data, text: text}
}

// Fail makes the cursor fail, for a reader that found a value which cannot be.
func (c *Cursor) Fail() { c.at, c.bad = len(c.data), true }

// Failed reports whether a value was missing or wrong.
func (c *Cursor) Failed() bool { return c.bad }

// Done reports whether every value was there and nothing is left.
func (c *Cursor) Done() bool { return !c.bad && c.at == len(c.data) }

// Left returns how many bytes are left.
func (c *Cursor) Left() int { return len(c.data) - c.at }

// Rest takes all that is left.
func (c *Cursor) Rest() []byte {
	b := c.data[c.at:]
	c.at = len(c.data)
	return b
}

// Byte takes one byte.
func (c *Cursor) Byte() byte {
	if c.at >= len(c.data) {
		c.Fail()
		return 0
	}
	b := c.data[c.at]
	c.at++
	return b
}

// Uint takes an uvarint.
func (c *Cursor) Uint() uint64 {
	if c.at < len(c.data) && c.data[c.at] < 0x80 {
		c.at++
		return uint64(c.data[c.at-1])
	}
	return c.long()
}

// long takes an uvarint of any length.
func (c *Cursor) long() uint64 {
	v, n := binary.Uvarint(c.data[c.at:])
	if n <= 0 {
		c.Fail()
		return 0
	}
	c.at += n
	return v
}

// Uint32 takes an uvarint of at most 32 bits.
func (c *Cursor) Uint32() uint32 {
	v := c.Uint()
	if v > math.MaxUint32 {
		c.Fail()
		return 0
	}
	return uint32(v)
}

// Int takes a varint, as binary.AppendVarint writes it.
func (c *Cursor) Int() int64 {
	v := c.Uint()
	return int64(v>>1) ^ -int64(v&1)
}

// Take takes n bytes.
func (c *Cursor) Take(n uint64) []byte {
	if n > uint64(len(c.data)-c.at) {
		c.Fail()
		return nil
	}
	from := c.at
	c.at += int(n)
	return c.data[from:c.at:c.at]
}

// Bytes takes a length and as many bytes.
func (c *Cursor) Bytes() []byte { return c.Take(c.Uint()) }

// Text takes a length and as many bytes, as a string.
func (c *Cursor) Text() string {
	b := c.Bytes()
	if c.text != "" {
		return c.text[c.at-len(b) : c.at]
	}
	return string(b)
}

// Count takes the length of a list of values that have at least size bytes each.
// It fails when so many cannot be left, so memory for the list may be taken at once.
func (c *Cursor) Count(size int) int {
	n := c.Uint()
	if n > uint64(c.Left()/size) {
		c.Fail()
		return 0
	}
	return int(n)
}
