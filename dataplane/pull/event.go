package pull

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/event/instant"
	"weir/shared/catalog/document"
	"weir/shared/id"
)

// levels is how deep a row may nest: with the event around it, as deep as events may.
const levels = 120

// eventOf is a record as an event. Its messageId follows from source, stream, key,
// version and content, so that a row which is read again is a duplicate, and one that
// goes back to a former state is not. User keeps the states of a row in order.
func eventOf(t *Target, stream string, r Record, now time.Time) event.Event {
	if r.Stream != "" {
		stream = r.Stream
	}
	e := event.Event{
		Workspace: t.Workspace, Source: t.ID, Type: "record", User: stream + "/" + r.Key,
		MessageID: messageID(t.ID, stream, r), ReceivedAt: time.UnixMilli(now.UnixMilli()).UTC(),
	}
	if code := checked(r); code != "" {
		e.Quarantine, e.JSON = string(code), r.Row
		return e
	}
	action, at := "upsert", now
	if r.Deleted {
		action = "delete"
	}
	if !r.At.IsZero() {
		at = r.At
	}
	row := r.Row
	if len(row) == 0 {
		row = []byte("{}")
	}
	b := make([]byte, 0, len(row)+320+len(r.Key)+len(t.Name))
	b = append(b, `{"type":"record","channel":"sources","messageId":"`...)
	b = append(b, e.MessageID...)
	b = append(b, `","action":"`...)
	b = append(b, action...)
	b = append(b, `","object":`...)
	b = append(b, document.Quoted(stream)...)
	b = append(b, `,"event":`...)
	b = append(b, document.Quoted(t.Name+"_"+stream)...)
	b = append(b, `,"key":`...)
	b = append(b, document.Quoted(r.Key)...)
	b = append(b, `,"fields":`...)
	b = append(b, row...)
	if t.Pull.History {
		b = append(b, `,"history":true`...)
	}
	for _, name := range [...]string{"timestamp", "originalTimestamp"} {
		b = append(b, `,"`+name+`":`...)
		b = instant.Append(b, at.UnixMilli())
	}
	b = append(b, `,"receivedAt":`...)
	b = instant.Append(b, now.UnixMilli())
	e.JSON = append(b, `,"context":{},"integrations":{}}`...)
	return e
}

// checked returns why a row cannot be an event.
func checked(r Record) event.Code {
	if len(r.Row) > event.MaxBytes {
		return event.TooLarge
	}
	if len(r.Row) == 0 {
		return ""
	}
	if code := event.Check(r.Row, levels); code != "" {
		return code
	}
	if r.Row[0] != '{' {
		return event.NotObject
	}
	return ""
}

// messageID names one state of one row.
func messageID(s id.Source, stream string, r Record) id.Event {
	h := sha256.New()
	for _, part := range [...]string{string(s), stream, r.Key, strconv.FormatBool(r.Deleted), r.Version} {
		_, _ = h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	_, _ = h.Write(r.Row)
	return id.Event("rec-" + hex.EncodeToString(h.Sum(nil)[:16]))
}
