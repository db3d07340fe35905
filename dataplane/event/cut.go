package event

import "unicode/utf8"

// Limits of what a body may hold.
const (
	// MaxBytes is the most that one event may have as it was sent, and the most
	// that it may have, but for what Weir adds, with its batch's context.
	MaxBytes = 1 << 20
	// MaxDepth is how many objects and lists may stand in each other, the event
	// itself counted.
	MaxDepth = 128
	// MaxMembers is the most events in one batch.
	MaxMembers = 100_000
	// MaxExpanded is the most bytes that the events of one batch may have
	// together once the context and integrations of the batch stand in each:
	// without it a small body could make gigabytes.
	MaxExpanded = 32 << 20
)

// Batch is a body cut into members, as they were sent and not yet looked at. The
// other fields are the values beside the list, nil when absent; they are valid
// JSON. All point into the body.
type Batch struct {
	Members      [][]byte
	SentAt       []byte
	Context      []byte
	Integrations []byte
}

// Cut cuts {"batch": [...], ...} into b, reusing its memory.
//
// fault.Invalid, its problem's code InvalidJSON, InvalidUTF8, TooDeep,
// DuplicateKey, NoBatch, EmptyBatch or TooMany: the body cannot be cut, or what
// stands beside the list is bad. What a member is worth only a Parser knows.
func (b *Batch) Cut(body []byte) error {
	*b = Batch{Members: b.Members[:0]}
	body = trim(body)
	if len(body) == 0 || body[0] != '{' {
		code := Check(body, MaxDepth)
		if code == "" {
			code = NoBatch
		}
		return whole(body, code).Err()
	}
	var few [16]field
	fields, code := b.walk(few[:0], body)
	if code != "" {
		return whole(body, code).Err()
	}
	listed := false
	for _, f := range fields {
		value := body[f.val:f.valEnd]
		switch string(keyOf(body, f)) {
		case "batch":
			listed = value[0] == '['
			if listed {
				continue // each member is looked at by itself
			}
		case "sentAt":
			b.SentAt = value
		case "context":
			b.Context = value
		case "integrations":
			b.Integrations = value
		}
		if !utf8.Valid(body[f.key:f.valEnd]) {
			return InvalidUTF8.Err()
		}
	}
	switch {
	case repeats(body, fields, nil):
		return DuplicateKey.Err()
	case !listed:
		return NoBatch.Err()
	case len(b.Members) == 0:
		return EmptyBatch.Err()
	}
	return nil
}

// walk returns the fields of the whole body, JSON but for the members of the
// list, which it cuts on the way: passing over them costs as much.
func (b *Batch) walk(fields []field, body []byte) ([]field, Code) {
	i := space(body, 1)
	if i == len(body)-1 && body[i] == '}' {
		return fields, ""
	}
	for {
		f, at := nextKey(body, i)
		if at < 0 || stringEnd(body, f.key) < 0 {
			return fields, InvalidJSON
		}
		var code Code
		if at < len(body) && body[at] == '[' && string(keyOf(body, f)) == "batch" {
			f.valEnd, code = b.cutList(body, at)
		} else {
			f.valEnd = valueEnd(body, at, MaxDepth-1)
			code = reason(f.valEnd)
		}
		if code != "" {
			return fields, code
		}
		fields = append(fields, f)
		i = space(body, f.valEnd)
		switch {
		case i < len(body) && body[i] == ',':
			i++
		case i == len(body)-1 && body[i] == '}':
			return fields, ""
		default:
			return fields, InvalidJSON
		}
	}
}

// cutList cuts the list that begins at i and returns the position after it.
func (b *Batch) cutList(body []byte, i int) (int, Code) {
	if i = space(body, i+1); i < len(body) && body[i] == ']' {
		return i + 1, ""
	}
	for {
		i = space(body, i)
		end := skip(body, i)
		if end < 0 {
			return 0, InvalidJSON
		}
		if len(b.Members) == MaxMembers {
			return 0, TooMany
		}
		b.Members = append(b.Members, body[i:end:end])
		if i = space(body, end); i >= len(body) {
			return 0, InvalidJSON
		}
		switch body[i] {
		case ',':
			i++
		case ']':
			return i + 1, ""
		default:
			return 0, InvalidJSON
		}
	}
}

// Lookup returns the text of the string or number at a top-level key of a body
// that nobody has checked yet, "" when there is none.
func Lookup(body []byte, key string) string {
	body = trim(body)
	for k, v := range Fields(body) {
		if string(k) == key {
			if Check(v, MaxDepth) != "" {
				return ""
			}
			return Text(v)
		}
	}
	return ""
}
