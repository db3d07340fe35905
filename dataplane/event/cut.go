package event

import (
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

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

// Member is one event as it was sent, cut out of a body, not yet looked at.
// JSON points into the body.
type Member struct {
	JSON  []byte
	Depth int // levels of nesting
}

// Batch is a body cut into members. The other fields are the values beside the
// list, nil when absent; they point into the body and are valid JSON.
type Batch struct {
	Members      []Member
	SentAt       []byte
	Context      []byte
	Integrations []byte
}

// Single cuts a body that is one event.
func Single(body []byte) (Member, error) {
	body = trim(body)
	end, depth := skip(body, 0)
	if end != len(body) {
		return Member{}, InvalidJSON.Err()
	}
	return Member{JSON: body, Depth: depth}, nil
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
		if end, _ := skip(body, 0); end == len(body) && valid(body) == "" {
			return NoBatch.Err()
		}
		return InvalidJSON.Err()
	}
	var few [16]field
	fields, code := b.walk(few[:0], body)
	if code != "" {
		return code.Err()
	}
	listed := false
	for _, f := range fields {
		if code := valid(body[f.key-1 : f.keyEnd+1]); code != "" {
			return code.Err()
		}
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
		if f.depth+1 > MaxDepth {
			return TooDeep.Err()
		}
		if code := valid(value); code != "" {
			return code.Err()
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

// walk is walk for the whole body. It cuts the list on the way, because passing
// over it costs as much.
func (b *Batch) walk(fields []field, body []byte) ([]field, Code) {
	i := space(body, 1)
	if i == len(body)-1 && body[i] == '}' {
		return fields, ""
	}
	for {
		f, at := nextKey(body, i)
		if at < 0 || at >= len(body) {
			return fields, InvalidJSON
		}
		if body[at] == '[' && string(keyOf(body, f)) == "batch" {
			var code Code
			if f.valEnd, code = b.cutList(body, at); code != "" {
				return fields, code
			}
		} else if f.valEnd, f.depth = skip(body, at); f.valEnd < 0 {
			return fields, InvalidJSON
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
		end, depth := skip(body, i)
		if end < 0 {
			return 0, InvalidJSON
		}
		if len(b.Members) == MaxMembers {
			return 0, TooMany
		}
		b.Members = append(b.Members, Member{JSON: body[i:end:end], Depth: depth})
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
			if valid(v) != "" {
				return ""
			}
			return Text(v)
		}
	}
	return ""
}

// valid returns why b is not one JSON value, "" when it is. Nested duplicate
// names and lone surrogate escapes are kept as sent, so jsontext may not refuse
// them; raw bytes that are no UTF-8 are found before it is asked.
func valid(b []byte) Code {
	if !utf8.Valid(b) {
		return InvalidUTF8
	}
	if !jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return InvalidJSON
	}
	return ""
}
