package event

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"weir/dataplane/event/instant"
	"weir/shared/id"
)

// Stamp is what a request gives to each of its events.
type Stamp struct {
	Workspace  id.Workspace
	Source     id.Source
	Type       string    // set by the route; empty: a member keeps its own
	ReceivedAt time.Time // the server's clock; cut to milliseconds
	RequestIP  string    // what request_ip becomes
	// KeepTimestamp keeps a member's `timestamp` as the time of the event,
	// without correction by sentAt.
	KeepTimestamp bool
}

// The fields that a Parser knows.
const (
	roleNone uint8 = iota
	roleMessageID
	roleType
	roleUserID
	roleAnonymousID
	roleTimestamp
	roleOriginal
	roleSentAt
	roleReceivedAt
	roleRequestIP
	roleContext
	roleIntegrations
	roles
)

// names are the keys of the roles.
var names = [roles]string{
	"", "messageId", "type", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt",
	"receivedAt", "request_ip", "context", "integrations",
}

// added is the order in which fields that were not sent are appended.
var added = [...]uint8{
	roleMessageID, roleType, roleOriginal, roleTimestamp, roleSentAt, roleReceivedAt, roleRequestIP,
	roleContext, roleIntegrations,
}

// maxBadTime is up to what length an unreadable sentAt of a batch is kept in its
// members, in bytes.
const maxBadTime = 256

// slack is more than Weir adds to an event of its own accord, in bytes.
const slack = 4 << 10

// Sizes of the memory that holds the events of a request, in bytes: they go on
// together to the log, so a few pieces serve better than one for each event.
const (
	smallPiece = 4 << 10
	largePiece = 256 << 10
)

// Parser brings the members of one request into canonical form. Begin starts a
// request. A Parser may be used for many, one after the other; it is not safe
// for concurrent use. The events it makes share no memory with what it was given.
type Parser struct {
	stamp    Stamp
	received int64  // milliseconds
	arrived  []byte // receivedAt as JSON
	ip       []byte // request_ip as JSON
	kind     []byte // type as JSON
	batchAt  int64  // sentAt of the batch, milliseconds
	batchHas bool   // it has one
	batchBad []byte // it has one that cannot be read

	context, integrations under

	fields []field
	inner  []field
	order  []int32
	merged []byte

	out   []byte // the piece being filled
	used  int    // bytes of all events of this request
	ahead int    // estimate of the bytes still to come
}

// Begin starts a request. b has the values beside the list, or is nil for a
// single event; size is the length of the body in bytes and n the number of
// members.
func (p *Parser) Begin(s Stamp, b *Batch, size, n int) {
	p.stamp = s
	p.received = s.ReceivedAt.UnixMilli()
	p.stamp.ReceivedAt = time.UnixMilli(p.received).UTC()
	p.arrived = instant.Append(p.arrived[:0], p.received)
	p.ip = appendString(p.ip[:0], s.RequestIP)
	p.kind = appendString(p.kind[:0], s.Type)
	p.batchHas, p.batchBad = false, nil
	var context, integrations []byte
	if b != nil {
		p.batchAt, p.batchHas = parseTime(b.SentAt)
		p.batchHas = p.batchHas && !instant.Zero(p.batchAt)
		if n := len(b.SentAt); !p.batchHas && 0 < n && n <= maxBadTime && b.SentAt[0] != 'n' {
			p.batchBad = b.SentAt
		}
		context, integrations = b.Context, b.Integrations
	}
	p.context.set(context)
	p.integrations.set(integrations)
	p.out, p.used = nil, 0
	p.ahead = size + n*(320+len(s.RequestIP)+len(p.context.raw)+len(p.integrations.raw))
}

// End lets go of the memory of the request: the events that were made, what was
// given to Begin, and working memory that an unusual request made large.
func (p *Parser) End() {
	p.Begin(Stamp{}, nil, 0, 0)
	if cap(p.fields) > maxScratch || cap(p.inner) > maxScratch || cap(p.context.fields) > maxScratch ||
		cap(p.integrations.fields) > maxScratch || cap(p.merged) > largePiece {
		*p = Parser{}
	}
}

// maxScratch is how many fields' working memory a Parser keeps.
const maxScratch = 1024

// Used returns how many bytes the events of this request have so far.
func (p *Parser) Used() int { return p.used }

// Single is Event for a body that is one event and is refused whole.
func (p *Parser) Single(body []byte) (Event, Code) {
	e, code := p.Event(body)
	return e, whole(trim(body), code)
}

// Event parses one member. When it is refused the code says why and the event
// is what goes to quarantine: the bytes as they were sent, under an id of its
// own, because the sender's has to stay free for the corrected event.
func (p *Parser) Event(sent []byte) (Event, Code) {
	e, code := p.parse(trim(sent))
	if code != "" {
		e = p.quarantine(sent, code)
	}
	p.used += len(e.JSON)
	return e, code
}

// quarantine wraps the bytes of a refused member.
func (p *Parser) quarantine(sent []byte, code Code) Event {
	return Event{
		Workspace: p.stamp.Workspace, Source: p.stamp.Source, ReceivedAt: p.stamp.ReceivedAt,
		MessageID: id.Event(uuid.NewString()), Generated: true,
		Quarantine: string(code), JSON: bytes.Clone(sent),
	}
}

// parse gates a member and writes its canonical form.
func (p *Parser) parse(raw []byte) (Event, Code) {
	if len(raw) > MaxBytes {
		return Event{}, TooLarge
	}
	var code Code
	if p.fields, code = gate(p.fields[:0], raw); code != "" {
		return Event{}, code
	}
	if repeats(raw, p.fields, &p.order) {
		return Event{}, DuplicateKey
	}
	var sent [roles][]byte
	for i := range p.fields {
		f := &p.fields[i]
		if f.role = roleOf(keyOf(raw, *f)); f.role != roleNone {
			sent[f.role] = raw[f.val:f.valEnd]
		}
	}
	e := Event{Workspace: p.stamp.Workspace, Source: p.stamp.Source, ReceivedAt: p.stamp.ReceivedAt}
	if e.User = strings.TrimSpace(Text(sent[roleUserID])); e.User == "" {
		e.User = strings.TrimSpace(Text(sent[roleAnonymousID]))
	}
	if e.User == "" {
		return Event{}, NoID
	}
	e.MessageID = id.Event(strings.TrimSpace(Text(sent[roleMessageID])))
	if e.Generated = e.MessageID == ""; e.Generated {
		e.MessageID = id.Event(uuid.NewString())
	}
	if e.Type = p.stamp.Type; e.Type == "" && len(sent[roleType]) > 0 && sent[roleType][0] == '"' {
		e.Type = typeName(sent[roleType])
	}
	e.JSON = p.write(raw, &sent, e)
	if len(e.JSON) > MaxBytes+slack {
		p.out = p.out[:len(p.out)-len(e.JSON)]
		return Event{}, TooLarge
	}
	return e, ""
}

// write appends the canonical form of raw to the memory of this request.
func (p *Parser) write(raw []byte, sent *[roles][]byte, e Event) []byte {
	t := p.times(sent)
	p.room(len(raw) + len(p.context.raw) + len(p.integrations.raw) + len(p.ip) + len(p.kind) + 320)
	start, last := len(p.out), 0
	out := p.out
	for _, f := range p.fields {
		if f.role == roleNone || f.role == roleUserID || f.role == roleAnonymousID {
			continue
		}
		at := len(out)
		out = append(out, raw[last:f.val]...)
		before := len(out)
		if out = p.value(out, f.role, sent[f.role], e, &t); len(out) == before {
			out = out[:at] // as it was sent
			continue
		}
		last = f.valEnd
	}
	out = append(out, raw[last:len(raw)-1]...)
	for _, role := range added {
		if sent[role] != nil {
			continue
		}
		at := len(out)
		out = append(out, ',', '"')
		out = append(out, names[role]...)
		out = append(out, '"', ':')
		before := len(out)
		if out = p.value(out, role, nil, e, &t); len(out) == before {
			out = out[:at]
		}
	}
	out = append(out, '}')
	p.out = out
	p.ahead -= len(out) - start
	return out[start:len(out):len(out)]
}

// value appends what stands under a role's key; nothing when it stays as it was
// sent, or absent when it was not.
func (p *Parser) value(out []byte, role uint8, sent []byte, e Event, t *times) []byte {
	switch role {
	case roleMessageID:
		if e.Generated {
			out = append(out, '"')
			out = append(out, e.MessageID...)
			out = append(out, '"')
		}
	case roleType:
		if p.stamp.Type != "" && !bytes.Equal(sent, p.kind) {
			out = append(out, p.kind...)
		}
	case roleTimestamp:
		out = instant.Append(out, t.timestamp)
	case roleOriginal:
		out = instant.Append(out, t.original)
	case roleSentAt:
		switch {
		case t.hasSent:
			out = instant.Append(out, t.sent)
		case t.bad[badSentAt] != nil && sent != nil:
			out = append(out, "null"...)
		}
	case roleReceivedAt:
		out = append(out, p.arrived...)
	case roleRequestIP:
		out = append(out, p.ip...)
	case roleContext:
		out = p.appendContext(out, sent, t)
	case roleIntegrations:
		out = p.integrations.appendTo(out, sent, &p.inner)
	}
	return out
}

// room makes sure that n more bytes fit into the piece being filled.
func (p *Parser) room(n int) {
	if cap(p.out)-len(p.out) >= n {
		return
	}
	p.out = make([]byte, 0, max(n, min(max(p.ahead, smallPiece/8), largePiece)))
}

// roleOf returns which known field has this key.
func roleOf(key []byte) uint8 {
	switch string(key) {
	case "messageId":
		return roleMessageID
	case "type":
		return roleType
	case "userId":
		return roleUserID
	case "anonymousId":
		return roleAnonymousID
	case "timestamp":
		return roleTimestamp
	case "originalTimestamp":
		return roleOriginal
	case "sentAt":
		return roleSentAt
	case "receivedAt":
		return roleReceivedAt
	case "request_ip":
		return roleRequestIP
	case "context":
		return roleContext
	case "integrations":
		return roleIntegrations
	}
	return roleNone
}

var usualTypes = [...]string{"track", "identify", "page", "screen", "group", "alias", "merge"}

// typeName returns the text of a type, a JSON string, without an allocation for the
// usual ones.
func typeName(value []byte) string {
	for _, t := range usualTypes {
		if string(value[1:len(value)-1]) == t {
			return t
		}
	}
	return Text(value)
}

// fewFields is up to how many fields comparing each with each is the fastest.
const fewFields = 24

// repeats reports whether a key occurs twice, escapes resolved. order is scratch
// and may be nil.
func repeats(b []byte, fields []field, order *[]int32) bool {
	if len(fields) <= fewFields {
		for i := 1; i < len(fields); i++ {
			for j := range i {
				if sameKey(b, fields[i], fields[j]) {
					return true
				}
			}
		}
		return false
	}
	var own []int32
	if order == nil {
		order = &own
	}
	sorted := (*order)[:0]
	for i := range fields {
		sorted = append(sorted, int32(i))
	}
	*order = sorted
	slices.SortFunc(sorted, func(i, j int32) int {
		return bytes.Compare(keyOf(b, fields[i]), keyOf(b, fields[j]))
	})
	for i := 1; i < len(sorted); i++ {
		if bytes.Equal(keyOf(b, fields[sorted[i-1]]), keyOf(b, fields[sorted[i]])) {
			return true
		}
	}
	return false
}

// keyOf returns the text of a key.
func keyOf(b []byte, f field) []byte {
	if f.escaped {
		return unescape(b[f.key:f.keyEnd])
	}
	return b[f.key:f.keyEnd]
}

// sameKey reports whether two keys have the same text.
func sameKey(b []byte, x, y field) bool {
	kx, ky := b[x.key:x.keyEnd], b[y.key:y.keyEnd]
	if len(kx) == len(ky) && bytes.Equal(kx, ky) {
		return true
	}
	if !x.escaped && !y.escaped {
		return false
	}
	return bytes.Equal(unescape(kx), unescape(ky))
}

// appendString appends s as a JSON string. s is one of ours: a type, an address.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
