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
	var few [16]field
	fields, ok := walk(few[:0], body)
	if !ok {
		if end, _ := skip(body, 0); end == len(body) && len(body) > 0 && body[0] != '{' && valid(body) == "" {
			return NoBatch.Err()
		}
		return InvalidJSON.Err()
	}
	var list []byte
	for _, f := range fields {
		value := body[f.val:f.valEnd]
		key := body[f.key-1 : f.keyEnd+1]
		if code := valid(key); code != "" {
			return code.Err()
		}
		if string(keyOf(body, f)) == "batch" {
			list = value
			continue
		}
		if f.depth+1 > MaxDepth {
			return TooDeep.Err()
		}
		if code := valid(value); code != "" {
			return code.Err()
		}
		switch string(keyOf(body, f)) {
		case "sentAt":
			b.SentAt = value
		case "context":
			b.Context = value
		case "integrations":
			b.Integrations = value
		}
	}
	if repeats(body, fields, nil) {
		return DuplicateKey.Err()
	}
	return b.cutList(list)
}

// cutList cuts the list itself.
func (b *Batch) cutList(list []byte) error {
	if len(list) == 0 || list[0] != '[' {
		return NoBatch.Err()
	}
	i := space(list, 1)
	if i == len(list)-1 {
		return EmptyBatch.Err()
	}
	for {
		i = space(list, i)
		end, depth := skip(list, i)
		if end < 0 {
			return InvalidJSON.Err()
		}
		if len(b.Members) == MaxMembers {
			return TooMany.Err()
		}
		b.Members = append(b.Members, Member{JSON: list[i:end:end], Depth: depth})
		if i = space(list, end); i >= len(list) {
			return InvalidJSON.Err()
		}
		switch {
		case list[i] == ',':
			i++
		case list[i] == ']' && i == len(list)-1:
			return nil
		default:
			return InvalidJSON.Err()
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
