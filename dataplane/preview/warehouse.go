package preview

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"weir/dataplane/layout"
	"weir/shared/fault"
)

// warehouseMetadata is what the settings of a preview may say of the events, in
// the place of a workspace.
type warehouseMetadata struct {
	SourceID        string    `json:"sourceId"`
	SourceName      string    `json:"sourceName"`
	SourceType      string    `json:"sourceType"`
	SourceCategory  string    `json:"sourceCategory"`
	DestinationID   string    `json:"destinationId"`
	DestinationType string    `json:"destinationType"`
	ReceivedAt      time.Time `json:"receivedAt"`
}

// OpenWarehouse returns what tells, for one event as JSON, which rows a
// warehouse of the kind typ would get, as one line of JSON. The settings are the
// layout's options and, here only, metadata: {sourceId, sourceName, sourceType,
// sourceCategory, destinationId, destinationType, receivedAt}. fault.Missing:
// there is no such kind. fault.Invalid: the settings cannot be read. What it returns
// is for one caller at a time: of events whose names become the same table's name, the
// first has it, as in an empty warehouse.
func OpenWarehouse(layouts []*layout.Dialect, typ string, settings []byte, now time.Time) (func(text []byte) json.RawMessage, error) {
	d, ok := layout.Find(layouts, typ)
	if !ok {
		var names []string
		for _, l := range layouts {
			names = append(names, l.Kind())
		}
		return nil, fault.New(fault.Missing, "There is no warehouse of type %q; there are: %s.", typ, strings.Join(names, ", "))
	}
	var s struct {
		layout.Options
		Metadata warehouseMetadata `json:"metadata"`
	}
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, fault.New(fault.Invalid, "The settings cannot be read: %v.", err)
	}
	owners := map[string]string{} // of shared names, by event: the first one has the name
	return func(text []byte) json.RawMessage {
		m := layout.Meta{SourceID: s.Metadata.SourceID, SourceName: s.Metadata.SourceName, SourceType: s.Metadata.SourceType, SourceCategory: s.Metadata.SourceCategory,
			DestinationID: s.Metadata.DestinationID, DestinationType: s.Metadata.DestinationType, ReceivedAt: s.Metadata.ReceivedAt, Now: now, MessageID: layout.NewMessageID()}
		rows, drop, err := d.Rows(&s.Options, m, text)
		id := messageID(text, m.MessageID)
		if err != nil {
			return warehouseLine(id, nil, "", err.Error())
		}
		for i := range rows {
			r := &rows[i]
			if r.Shared == "" {
				continue
			}
			if owner, ok := owners[r.Shared]; ok && owner != r.Table {
				continue
			}
			owners[r.Shared] = r.Table
			r.Table = r.Shared
		}
		return warehouseLine(id, rows, drop, "")
	}, nil
}

// messageID is the event's own as text, else made.
func messageID(text []byte, made string) string {
	var e struct {
		MessageID json.RawMessage `json:"messageId"`
	}
	var s string
	if err := json.Unmarshal(text, &e); err != nil {
		return ""
	}
	if err := json.Unmarshal(e.MessageID, &s); err != nil {
		s = string(e.MessageID)
	}
	if strings.TrimSpace(s) == "" || s == "null" || s[0] == '{' || s[0] == '[' {
		return made
	}
	return s
}

func warehouseLine(id string, rows []layout.Row, drop, problem string) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"messageId":` + quoted(id) + `,"rows":[`)
	for i, r := range rows {
		var types, values []string
		for _, c := range r.Columns {
			v := quoted(c.Raw)
			if c.Type == layout.Int || c.Type == layout.Float || c.Type == layout.Boolean || c.List {
				v = c.Raw
			}
			types = append(types, quoted(c.Name)+":"+quoted(string(c.Type)))
			values = append(values, quoted(c.Name)+":"+v)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"table":` + quoted(r.Table) + `,"columns":{` + strings.Join(types, ",") + `},"values":{` + strings.Join(values, ",") + `}}`)
	}
	b.WriteString(`],"dropped":` + quotedOrNull(drop) + `,"error":` + quotedOrNull(problem) + `}`)
	return b.Bytes()
}

func quoted(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSpace(b.String())
}

func quotedOrNull(s string) string {
	if s == "" {
		return "null"
	}
	return quoted(s)
}
