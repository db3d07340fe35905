package live

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"weir/shared/id"
)

// maxSearch is the longest text that a Filter searches for, in bytes.
const maxSearch = 200

// maxFollowed is how many events a watch that searches follows at once; the oldest
// is given up for the next.
const maxFollowed = 1024

// searched are the members of an event that a search looks into, beside its messageId.
var searched = map[string]bool{"userId": true, "anonymousId": true, "event": true, "name": true}

// search chooses the sightings of events of which one has the text: of those that follow
// by their messageId alone, as code may change the rest. It is used by one goroutine
// at a time.
type search struct {
	text     string
	followed map[id.Event]bool
	order    []id.Event // a ring
	oldest   int
}

func (f *search) chooses(s *Sighting) bool {
	of := base(s.MessageID)
	if f.followed[of] {
		return true
	}
	if !strings.Contains(string(s.MessageID), f.text) && !says(s.Event, f.text) {
		return false
	}
	f.follow(id.Event(strings.Clone(string(of))))
	return true
}

func (f *search) follow(e id.Event) {
	if f.followed == nil {
		f.followed = map[id.Event]bool{}
	}
	f.followed[e] = true
	if len(f.order) < maxFollowed {
		f.order = append(f.order, e)
		return
	}
	delete(f.followed, f.order[f.oldest])
	f.order[f.oldest] = e
	f.oldest = (f.oldest + 1) % maxFollowed
}

// base is the messageId of the event that a fan-out made several of: those from the second on
// have ":" and their number behind it.
func base(e id.Event) id.Event {
	i := strings.LastIndexByte(string(e), ':')
	if i <= 0 || i == len(e)-1 || strings.Trim(string(e[i+1:]), "0123456789") != "" {
		return e
	}
	return e[:i]
}

// says reports whether a member of an event's JSON that is searched contains text.
// Bytes that are no object say nothing.
func says(event []byte, text string) bool {
	if !bytes.Contains(event, []byte(text)) && bytes.IndexByte(event, '\\') < 0 {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewReader(event), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return false
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return false
		}
		if !searched[name.String()] || d.PeekKind() != '"' {
			if d.SkipValue() != nil {
				return false
			}
			continue
		}
		value, err := d.ReadToken()
		if err != nil {
			return false
		}
		if strings.Contains(value.String(), text) {
			return true
		}
	}
	return false
}
