//go:build amd64 || arm64

package engine

import (
	"math"
	"reflect"
	"strconv"
	"unsafe"

	lib "modernc.org/libquickjs"
	"modernc.org/quickjs"
)

// direct writes plain objects and lists of a machine as JSON by reading the
// engine's memory, in a tenth of the time of JSON.stringify, which is most of
// what an event costs. It runs no code and changes nothing. What is not plain
// (a class, a getter, toJSON, a proxy, a hole, a key that is a number, a rope)
// it leaves to JSON.stringify.
//
// The layout of that memory is that of the engine's exported types; the bits
// below are of the version that go.mod names. direct is used only after it wrote
// a sample as JSON.stringify does.
type direct struct {
	field         uintptr // where quickjs.Value keeps its value
	runtime       uintptr // *lib.TJSRuntime
	object, array uintptr // Object.prototype, Array.prototype

	steps int // of one output
	most  int // bytes of one output
}

// Bits and offsets. Source: struct JSObject, JSString and JSShape in quickjs.c.
const (
	fastArrayBit   = 0x10      // JSObject.fast_array in the byte F__ccgo16
	wideBit        = 1 << 31   // JSString.is_wide_char in F__ccgo0, the length below it
	atomTypeShift  = 30        // JSString.atom_type in F__ccgo4
	textOffset     = 12        // of a string's characters
	propFlagsShift = 26        // JSShapeProperty.flags in F__ccgo0
	taggedInt      = 1 << 31   // an atom that is a number
	maxSteps       = 2_000_000 // members looked at for one output
	maxDirectDepth = 130       // deeper ones are refused anyway
)

// sample has one of everything that direct writes.
const sample = `({ a: 1, b: -2.5, c: 1e21, d: 1e-7, e: -0, f: NaN, g: true, h: null, i: undefined, "j\u00e9\u20ac\ud83d\ude00": "k\"\\\n\t\u0001\u00ff", l: "\u2028\ud800x", m: [1, [], {}, undefined, "x"], n: { o: {} }, p: 123456789012345680000, q: 0.1, r: 2147483648 })`

// newDirect returns nil when the engine is not the one that direct knows.
func newDirect(vm *quickjs.VM, most int) *direct {
	field, ok := reflect.TypeFor[quickjs.Value]().FieldByName("v")
	if !ok || field.Type != reflect.TypeFor[lib.TJSValue]() {
		return nil
	}
	context := reflect.ValueOf(vm).Elem().FieldByName("cContext")
	if !context.IsValid() || context.Kind() != reflect.Uintptr || context.Uint() == 0 {
		return nil
	}
	d := &direct{field: field.Offset, most: most + 4096}
	d.runtime = (*lib.TJSContext)(unsafe.Add(nil, uintptr(context.Uint()))).Frt
	for code, to := range map[string]*uintptr{"Object.prototype": &d.object, "Array.prototype": &d.array} {
		v, err := vm.EvalValue(code, quickjs.EvalGlobal)
		if err != nil {
			return nil
		}
		*to = pointer(d.inner(&v))
		v.Free() // the prototypes live as long as the machine
	}
	if !d.agrees(vm) {
		return nil
	}
	return d
}

// agrees reports whether direct writes the sample as JSON.stringify does.
func (d *direct) agrees(vm *quickjs.VM) bool {
	want, err := vm.Eval("JSON.stringify("+sample+")", quickjs.EvalGlobal)
	if err != nil {
		return false
	}
	v, err := vm.EvalValue(sample, quickjs.EvalGlobal)
	if err != nil {
		return false
	}
	defer v.Free()
	got, ok := d.json(nil, &v)
	return ok && string(got) == want
}

func (d *direct) inner(v *quickjs.Value) lib.TJSValue {
	return *(*lib.TJSValue)(unsafe.Add(unsafe.Pointer(v), d.field))
}

// number returns the integer that v is. False: it is something else.
func (d *direct) number(v *quickjs.Value) (int, bool) {
	inner := d.inner(v)
	return int(int32(word(inner))), int32(inner.Ftag) == lib.EJS_TAG_INT
}

func (d *direct) isObject(v *quickjs.Value) bool { return int32(d.inner(v).Ftag) == lib.EJS_TAG_OBJECT }

// json appends v, an object. False: it is not plain, or too large; dst is then
// of no use.
func (d *direct) json(dst []byte, v *quickjs.Value) ([]byte, bool) {
	d.steps = maxSteps
	if d.has(d.object, lib.EJS_ATOM_toJSON) || d.has(d.array, lib.EJS_ATOM_toJSON) || shapeOf(d.array).Fproto != d.object {
		return dst, false
	}
	return d.value(dst, d.inner(v), 0)
}

// word is the 64 bits of a value that are not its tag.
func word(v lib.TJSValue) uint64 { return *(*uint64)(unsafe.Pointer(&v)) }

func pointer(v lib.TJSValue) uintptr { return uintptr(word(v)) }

func shapeOf(object uintptr) *lib.TJSShape {
	return (*lib.TJSShape)(unsafe.Add(nil, (*lib.TJSObject)(unsafe.Add(nil, object)).Fshape))
}

// properties returns the keys and flags of a shape.
func properties(s *lib.TJSShape) []lib.TJSShapeProperty {
	first := unsafe.Add(unsafe.Pointer(s), unsafe.Sizeof(*s)+(uintptr(s.Fprop_hash_mask)+1)*4)
	return unsafe.Slice((*lib.TJSShapeProperty)(first), s.Fprop_count)
}

// has reports whether an object has a property of its own.
func (d *direct) has(object uintptr, atom lib.TJSAtom) bool {
	for _, p := range properties(shapeOf(object)) {
		if p.Fatom == atom {
			return true
		}
	}
	return false
}

func (d *direct) value(dst []byte, v lib.TJSValue, depth int) ([]byte, bool) {
	if d.steps--; d.steps < 0 || len(dst) > d.most || depth > maxDirectDepth {
		return dst, false
	}
	switch int32(v.Ftag) {
	case lib.EJS_TAG_INT:
		return strconv.AppendInt(dst, int64(int32(word(v))), 10), true
	case lib.EJS_TAG_BOOL:
		return strconv.AppendBool(dst, uint32(word(v)) != 0), true
	case lib.EJS_TAG_NULL:
		return append(dst, "null"...), true
	case lib.EJS_TAG_FLOAT64:
		return appendFloat(dst, math.Float64frombits(word(v))), true
	case lib.EJS_TAG_STRING:
		return d.text(dst, pointer(v)), true
	case lib.EJS_TAG_OBJECT:
		switch o := (*lib.TJSObject)(unsafe.Add(nil, pointer(v))); int(o.Fclass_id) {
		case lib.EJS_CLASS_OBJECT:
			return d.members(dst, o, depth)
		case lib.EJS_CLASS_ARRAY:
			return d.elements(dst, o, depth)
		}
	}
	return dst, false
}

// members is value for an object.
func (d *direct) members(dst []byte, o *lib.TJSObject, depth int) ([]byte, bool) {
	shape := (*lib.TJSShape)(unsafe.Add(nil, o.Fshape))
	if shape.Fproto != d.object && shape.Fproto != 0 {
		return dst, false
	}
	dst = append(dst, '{')
	first := true
	values := unsafe.Slice((*lib.TJSProperty)(unsafe.Add(nil, o.Fprop)), shape.Fprop_count)
	for i, p := range properties(shape) {
		if d.steps--; d.steps < 0 {
			return dst, false
		}
		flags := p.F__ccgo0 >> propFlagsShift
		if p.Fatom == lib.MJS_ATOM_NULL || flags&lib.MJS_PROP_ENUMERABLE == 0 {
			if p.Fatom == lib.EJS_ATOM_toJSON {
				return dst, false
			}
			continue // deleted, or not seen
		}
		if flags&lib.MJS_PROP_TMASK != 0 || p.Fatom&taggedInt != 0 || p.Fatom == lib.EJS_ATOM_toJSON {
			return dst, false
		}
		key := *(*uintptr)(unsafe.Add(nil, (*lib.TJSRuntime)(unsafe.Add(nil, d.runtime)).Fatom_array+uintptr(p.Fatom)*unsafe.Sizeof(uintptr(0))))
		s := (*lib.TJSString)(unsafe.Add(nil, key))
		if s.F__ccgo4>>atomTypeShift != lib.EJS_ATOM_TYPE_STRING {
			continue // a symbol
		}
		if numeral(s) {
			return dst, false // JavaScript orders these by value
		}
		v := values[i].Fu.Fvalue
		if int32(v.Ftag) == lib.EJS_TAG_UNDEFINED {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(d.text(dst, key), ':')
		var ok bool
		if dst, ok = d.value(dst, v, depth+1); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

// numeral reports whether a key may be an index: it begins with a digit.
func numeral(s *lib.TJSString) bool {
	if s.F__ccgo0&^wideBit == 0 || s.F__ccgo0&wideBit != 0 {
		return false
	}
	c := *(*byte)(unsafe.Add(unsafe.Pointer(s), textOffset))
	return c >= '0' && c <= '9'
}

// elements is value for a list.
func (d *direct) elements(dst []byte, o *lib.TJSObject, depth int) ([]byte, bool) {
	shape := (*lib.TJSShape)(unsafe.Add(nil, o.Fshape))
	if o.F__ccgo16&fastArrayBit == 0 || shape.Fproto != d.array || shape.Fprop_count != 1 {
		return dst, false // it has holes, another prototype, or more than its length
	}
	list := (*struct {
		_     [8]byte
		first uintptr
		count uint32
	})(unsafe.Pointer(&o.Fu))
	length := (*lib.TJSProperty)(unsafe.Add(nil, o.Fprop)).Fu.Fvalue
	if int32(length.Ftag) != lib.EJS_TAG_INT || uint32(word(length)) != list.count {
		return dst, false
	}
	dst = append(dst, '[')
	if list.count > 0 {
		for i, v := range unsafe.Slice((*lib.TJSValue)(unsafe.Add(nil, list.first)), list.count) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if int32(v.Ftag) == lib.EJS_TAG_UNDEFINED {
				dst = append(dst, "null"...)
				continue
			}
			var ok bool
			if dst, ok = d.value(dst, v, depth+1); !ok {
				return dst, false
			}
		}
	}
	return append(dst, ']'), true
}

// text appends a string, quoted as JSON.stringify does.
func (d *direct) text(dst []byte, p uintptr) []byte {
	s := (*lib.TJSString)(unsafe.Add(nil, p))
	n := int(s.F__ccgo0 &^ wideBit)
	dst = append(dst, '"')
	if n > 0 {
		first := unsafe.Add(unsafe.Pointer(s), textOffset)
		if s.F__ccgo0&wideBit != 0 {
			dst = appendWide(dst, unsafe.Slice((*uint16)(first), n))
		} else {
			dst = appendNarrow(dst, unsafe.Slice((*byte)(first), n))
		}
	}
	return append(dst, '"')
}

// appendNarrow appends characters of Latin-1.
func appendNarrow(dst, s []byte) []byte {
	start := 0
	for i, c := range s {
		if c >= ' ' && c < 0x80 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendCharacter(dst, rune(c))
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// appendWide appends UTF-16.
func appendWide(dst []byte, s []uint16) []byte {
	for i := 0; i < len(s); i++ {
		r := rune(s[i])
		switch {
		case r >= 0xD800 && r < 0xDC00 && i+1 < len(s) && s[i+1] >= 0xDC00 && s[i+1] < 0xE000:
			r = ((r-0xD800)<<10 | (rune(s[i+1]) - 0xDC00)) + 0x10000
			i++
			dst = appendCharacter(dst, r)
		case r >= 0xD800 && r < 0xE000:
			dst = append(dst, `\u`...)
			dst = append(dst, hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = appendCharacter(dst, r)
		}
	}
	return dst
}

const hex = "0123456789abcdef"

// appendCharacter appends one character that is no lone surrogate.
func appendCharacter(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if r < ' ' {
		return append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
	}
	return appendRune(dst, r)
}

// appendFloat appends a number as JavaScript writes it.
// Source: https://tc39.es/ecma262/#sec-numeric-types-number-tostring
func appendFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case f == 0:
		return append(dst, '0')
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case abs >= 1e21 || abs < 1e-6:
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' { // e-07 is e-7 in JavaScript
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
