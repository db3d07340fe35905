package event

import (
	"bytes"
	"time"

	"weir/dataplane/event/instant"
)

// The times of a member that can be unreadable.
const (
	badOriginal = iota
	badTimestamp
	badSentAt
	badTimes
)

// badNames are their keys in context.weir.badTime.
var badNames = [badTimes]string{"originalTimestamp", "timestamp", "sentAt"}

// times are the times of one event, in milliseconds since 1970.
type times struct {
	original, timestamp, sent int64
	hasSent                   bool
	bad                       [badTimes][]byte // as they were sent
	anyBad                    bool
}

// times reads the times of a member.
//
// The original time is originalTimestamp, else timestamp. The timestamp is the
// original one moved by how far the sender's clock was off when it sent
// (received - sentAt), unless the sender gave both or the route keeps it. A time
// that cannot be read, or is the zero time of a language, counts as absent.
func (p *Parser) times(sent *[roles][]byte) (t times) {
	original, hasOriginal := t.read(badOriginal, sent[roleOriginal])
	timestamp, hasTimestamp := t.read(badTimestamp, sent[roleTimestamp])
	t.sent, t.hasSent = t.read(badSentAt, sent[roleSentAt])
	switch {
	case t.hasSent:
	case p.batchHas:
		t.sent, t.hasSent = p.batchAt, true
	case p.batchBad != nil && t.bad[badSentAt] == nil: // it stood for this member
		t.bad[badSentAt], t.anyBad = p.batchBad, true
	}
	switch {
	case hasOriginal:
		t.original = original
	case hasTimestamp:
		t.original = timestamp
	default:
		t.original, t.timestamp = p.received, p.received
		return t
	}
	switch {
	case hasTimestamp && (hasOriginal || p.stamp.KeepTimestamp):
		t.timestamp = timestamp
	case t.hasSent && instant.Valid(p.received-t.sent+t.original):
		t.timestamp = p.received - t.sent + t.original
	default:
		t.timestamp = t.original
	}
	return t
}

// read reads one time and keeps what it cannot read.
func (t *times) read(which int, value []byte) (int64, bool) {
	if value == nil || value[0] == 'n' {
		return 0, false
	}
	ms, ok := parseTime(value)
	if ok = ok && !instant.Zero(ms); !ok {
		t.bad[which], t.anyBad = value, true
	}
	return ms, ok
}

// appendBad appends the key badTime with the unreadable times by their names.
func (t *times) appendBad(out []byte) []byte {
	out = append(out, `"badTime":{`...)
	comma := false
	for i, value := range t.bad {
		if value == nil {
			continue
		}
		if comma {
			out = append(out, ',')
		}
		comma = true
		out = append(out, '"')
		out = append(out, badNames[i]...)
		out = append(out, '"', ':')
		out = append(out, value...)
	}
	return append(out, '}')
}

// ParseTime reads a JSON value as a time, cut to milliseconds, UTC: a string as
// instant.ParseText reads it, a number as instant.ParseNumber does.
func ParseTime(value []byte) (time.Time, bool) {
	ms, ok := parseTime(value)
	if !ok {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}

// parseTime is ParseTime in milliseconds since 1970.
func parseTime(value []byte) (int64, bool) {
	if len(value) == 0 {
		return 0, false
	}
	if c := value[0]; c == '-' || '0' <= c && c <= '9' {
		return instant.ParseNumber(value)
	}
	if value[0] != '"' || len(value) < 2 {
		return 0, false
	}
	text := value[1 : len(value)-1]
	if len(text) > 256 { // no time is as long, and most of these bytes may be escapes
		return 0, false
	}
	return instant.ParseText(bytes.TrimSpace(unescape(text)))
}
