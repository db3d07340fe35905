package dataplane

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/shared/fault"
)

// warehouseLayout is the layout's part of a warehouse's settings.
type warehouseLayout struct {
	SkipTracksTable              bool `json:"skipTracksTable"`
	SkipUsersTable               bool `json:"skipUsersTable"`
	AllowUsersContextTraits      bool `json:"allowUsersContextTraits"`
	UnderscoreDivideNumbers      bool `json:"underscoreDivideNumbers"`
	StoreFullEvent               bool `json:"storeFullEvent"`
	SkipReservedKeywordsEscaping bool `json:"skipReservedKeywordsEscaping"`
}

// OpenWarehousePreview returns what tells, for one event as JSON, which rows a
// warehouse of the kind typ would get, as one line of JSON. fault.Missing:
// there is no such kind. fault.Invalid: the settings cannot be read.
func OpenWarehousePreview(typ string, settings []byte, now time.Time) (func(text []byte) json.RawMessage, error) {
	d, ok := layout.ByName(typ)
	if !ok {
		return nil, fault.New(fault.Missing, "There is no warehouse of type %q; there are: %s.", typ, strings.Join(layout.Names(), ", "))
	}
	var s warehouseLayout
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, fault.New(fault.Invalid, "The settings cannot be read: %v.", err)
	}
	o := &layout.Options{SkipTracksTable: s.SkipTracksTable, SkipUsersTable: s.SkipUsersTable, AllowUsersContextTraits: s.AllowUsersContextTraits,
		UnderscoreDivideNumbers: s.UnderscoreDivideNumbers, StoreFullEvent: s.StoreFullEvent, SkipReservedKeywordsEscaping: s.SkipReservedKeywordsEscaping}
	return func(text []byte) json.RawMessage {
		if _, err := event.Single(text); err != nil {
			return warehouseLine("", nil, "", "This is not one JSON object: "+err.Error())
		}
		rows, drop, err := d.Rows(o, layout.Meta{Now: now}, text)
		if err != nil {
			return warehouseLine("", nil, "", err.Error())
		}
		var id struct {
			MessageID string `json:"messageId"`
		}
		_ = json.Unmarshal(text, &id) // an id that is no string stays empty
		return warehouseLine(id.MessageID, rows, drop, "")
	}, nil
}

func warehouseLine(id string, rows []layout.Row, drop, problem string) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"messageId":` + quoted(id) + `,"rows":[`)
	for i, r := range rows {
		var types, values []string
		for _, c := range r.Columns {
			v := quoted(c.Raw)
			if c.Type == layout.Int || c.Type == layout.Float || c.Type == layout.Boolean {
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
