package frames_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"weir/dataplane/frames"
)

// fields returns a frame's content with one field of every form.
func fields() []byte {
	b := []byte{0xfe}
	for _, n := range []uint64{0, 127, 128, math.MaxUint32, math.MaxUint64} {
		b = binary.AppendUvarint(b, n)
	}
	for _, n := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		b = binary.AppendVarint(b, n)
	}
	b = frames.AppendBytes(b, "text")
	b = frames.AppendBytes(b, []byte{1, 2, 3})
	b = frames.AppendBytes(b, "")
	return append(b, "rest"...)
}

func TestCursorReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	data := fields()
	for name, c := range map[string]frames.Cursor{
		"bytes": frames.NewCursor(data), "bytes and a string": frames.NewTextCursor(data, string(data)),
	} {
		if got := c.Byte(); got != 0xfe {
			t.Errorf("%s: Byte = %x, want fe", name, got)
		}
		for _, want := range []uint64{0, 127, 128} {
			if got := c.Uint(); got != want {
				t.Errorf("%s: Uint = %d, want %d", name, got, want)
			}
		}
		if got := c.Uint32(); got != math.MaxUint32 {
			t.Errorf("%s: Uint32 = %d, want %d", name, got, uint32(math.MaxUint32))
		}
		if got := c.Uint(); got != math.MaxUint64 {
			t.Errorf("%s: Uint = %d, want %d", name, got, uint64(math.MaxUint64))
		}
		for _, want := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
			if got := c.Int(); got != want {
				t.Errorf("%s: Int = %d, want %d", name, got, want)
			}
		}
		if got := c.Text(); got != "text" {
			t.Errorf("%s: Text = %q, want text", name, got)
		}
		if got := c.Bytes(); !bytes.Equal(got, []byte{1, 2, 3}) || cap(got) != 3 {
			t.Errorf("%s: Bytes = %v with room for %d, want 1 2 3 and no more room", name, got, cap(got))
		}
		if got := c.Text(); got != "" || c.Left() != 4 || c.Done() {
			t.Errorf("%s: Text = %q, left %d, done %v; want none, 4, false", name, got, c.Left(), c.Done())
		}
		if got := c.Rest(); string(got) != "rest" || !c.Done() {
			t.Errorf("%s: Rest = %q, done %v; want rest, true", name, got, c.Done())
		}
	}
}

func TestCursorStaysFailed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		data []byte
		read func(*frames.Cursor)
	}{
		"a byte of nothing":             {nil, func(c *frames.Cursor) { c.Byte() }},
		"a number of nothing":           {nil, func(c *frames.Cursor) { c.Uint() }},
		"a number that is cut":          {[]byte{0x80, 0x80}, func(c *frames.Cursor) { c.Uint() }},
		"a number of more than 64 bits": {append(bytes.Repeat([]byte{0xff}, 9), 2, 0, 0), func(c *frames.Cursor) { c.Int() }},
		"33 bits for 32":                {binary.AppendUvarint(nil, 1<<32), func(c *frames.Cursor) { c.Uint32() }},
		"more bytes than are left":      {[]byte{3, 1, 2}, func(c *frames.Cursor) { c.Bytes() }},
		"a text of all ones":            {binary.AppendUvarint(nil, math.MaxUint64), func(c *frames.Cursor) { c.Text() }},
		"a list that cannot fit":        {[]byte{3, 1, 2, 3, 4, 5}, func(c *frames.Cursor) { c.Count(2) }},
		"what the reader refuses":       {[]byte{1, 2, 3}, func(c *frames.Cursor) { c.Fail() }},
	} {
		c := frames.NewCursor(tc.data)
		tc.read(&c)
		if !c.Failed() || c.Done() || c.Left() != 0 {
			t.Errorf("%s: failed %v, done %v, left %d; want true, false, 0", name, c.Failed(), c.Done(), c.Left())
		}
		if c.Byte() != 0 || c.Uint() != 0 || c.Int() != 0 || c.Uint32() != 0 || c.Text() != "" || len(c.Bytes()) != 0 || len(c.Rest()) != 0 || c.Count(1) != 0 || c.Done() {
			t.Errorf("%s: something was read after the failure", name)
		}
	}
}

// FuzzCursor reads any bytes in any order of forms, once from bytes alone and
// once with a string beside them, and holds both to the same plain model.
func FuzzCursor(f *testing.F) {
	f.Add([]byte{0, 1, 1, 1, 2, 1, 3, 3, 3, 3, 4, 5, 4, 7}, fields())
	f.Add([]byte{4, 5, 6, 1}, []byte{3, 1, 2, 3, 2, 1})
	f.Add([]byte{3}, bytes.Repeat([]byte{0xff}, 11))
	f.Fuzz(func(t *testing.T, order, data []byte) {
		plain, shared := frames.NewCursor(data), frames.NewTextCursor(data, string(data))
		m := model{left: data}
		for i, form := range order {
			want := m.read(form)
			if got := read(&plain, form); !bytes.Equal(got, want) {
				t.Fatalf("value %d, form %d: %x, want %x", i, form%7, got, want)
			}
			if got := read(&shared, form); !bytes.Equal(got, want) {
				t.Fatalf("value %d, form %d with a string: %x, want %x", i, form%7, got, want)
			}
			if plain.Failed() != m.bad || plain.Left() != len(m.left) || plain.Done() != (!m.bad && len(m.left) == 0) {
				t.Fatalf("after value %d, form %d: failed %v, left %d; want %v, %d", i, form%7, plain.Failed(), plain.Left(), m.bad, len(m.left))
			}
		}
	})
}

// read returns the next value of c in a form, numbers in eight bytes.
func read(c *frames.Cursor, form byte) []byte {
	number := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	switch form % 7 {
	case 0:
		return []byte{c.Byte()}
	case 1:
		return number(c.Uint())
	case 2:
		return number(uint64(c.Uint32()))
	case 3:
		return number(uint64(c.Int()))
	case 4:
		return c.Bytes()
	case 5:
		return []byte(c.Text())
	}
	return number(uint64(c.Count(3)))
}

// model reads the same forms, as plainly as can be.
type model struct {
	left []byte
	bad  bool
}

func (m *model) fail() { m.left, m.bad = nil, true }

func (m *model) read(form byte) []byte {
	if form %= 7; form == 0 {
		if len(m.left) == 0 {
			m.fail()
			return []byte{0}
		}
		b := m.left[:1]
		m.left = m.left[1:]
		return b
	}
	v, n := binary.Uvarint(m.left)
	if form == 3 {
		signed, size := binary.Varint(m.left)
		v, n = uint64(signed), size
	}
	rest := m.left[max(n, 0):]
	bad := n <= 0 || form == 2 && v > math.MaxUint32 || (form == 4 || form == 5) && v > uint64(len(rest)) || form == 6 && v > uint64(len(rest)/3)
	if bad {
		m.fail()
		v = 0
	} else {
		m.left = rest
	}
	if form != 4 && form != 5 {
		return binary.BigEndian.AppendUint64(nil, v)
	}
	b := m.left[:v]
	m.left = m.left[v:]
	return b
}
