package layout

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"time"

	"weir/shared/fault"
)

const maxColumns = 200

var dateLike = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$`)

var dateForms = []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04:05Z0700"}

func isoTime(s string) (string, bool) {
	if len(s) > 40 || !dateLike.MatchString(s) {
		return "", false
	}
	s = strings.Replace(s, " ", "T", 1)
	for _, f := range dateForms {
		t, err := time.Parse(f, s)
		if err == nil {
			t = t.UTC()
			return t.Format("2006-01-02T15:04:05.000Z"), t.Year() >= 1 && t.Year() <= 9999
		}
	}
	return "", false
}

// table collects the columns of one row.
type table struct {
	d    *Dialect
	o    *Options
	m    Meta
	cols []Column
	at   map[string]int
}

func (t *table) put(c Column) {
	if i, ok := t.at[c.Name]; ok {
		t.cols[i] = c
		return
	}
	t.at[c.Name] = len(t.cols)
	t.cols = append(t.cols, c)
}

func (t *table) remove(name string) {
	i, ok := t.at[name]
	if !ok {
		return
	}
	t.cols = append(t.cols[:i], t.cols[i+1:]...)
	delete(t.at, name)
	for j := i; j < len(t.cols); j++ {
		t.at[t.cols[j].Name] = j
	}
}

func (t *table) value(name string, n *node) {
	switch {
	case name == "" || n == nil || n.kind == 'n' || n.kind == '"' && n.str == "" || n.kind == '[' && len(n.kids) == 0:
		return
	case n.kind == 't':
		t.put(Column{name, Boolean, n.raw})
	case n.kind == '0':
		typ := Int
		if strings.ContainsAny(n.raw, ".eE") {
			typ = Float
		}
		t.put(Column{name, typ, n.raw})
	case n.kind != '"':
		t.put(Column{name, t.long(n.raw), n.raw})
	default:
		if iso, ok := isoTime(n.str); ok {
			t.put(Column{name, Datetime, iso})
			return
		}
		t.put(Column{name, t.long(n.str), strings.ReplaceAll(n.str, "\x00", "\uFFFD")})
		if n.damaged() {
			t.put(Column{name + t.d.fold("__raw"), Text, n.raw})
		}
	}
}

func (t *table) long(s string) Type {
	if t.d.longText && len([]rune(s)) > 512 {
		return Text
	}
	return String
}

// flat writes an object's values under their joined names.
func (t *table) flat(prefix string, n *node, level int) {
	if n == nil || n.kind != '{' {
		return
	}
	for i, k := range n.keys {
		kid := n.kids[i]
		if kid.kind == '{' && !(level >= 2 && t.m.SourceType == "cloud") {
			t.flat(prefix+k+"_", kid, level+1)
			continue
		}
		t.value(t.d.Name(prefix+k, t.o), kid)
	}
}

var standard = []struct{ column, key string }{
	{"id", "messageId"}, {"anonymous_id", "anonymousId"}, {"user_id", "userId"}, {"sent_at", "sentAt"}, {"timestamp", "timestamp"},
	{"received_at", "receivedAt"}, {"original_timestamp", "originalTimestamp"}, {"channel", "channel"},
}

// set writes a standard column: it always wins, and its absence removes a namesake.
func (t *table) set(column string, n *node) {
	name := t.d.finish(column, t.o)
	t.remove(name)
	t.value(name, n)
}

func str(s string) *node { return &node{kind: '"', str: s} }

func (t *table) finish(e *node, id, received string) {
	ctx := e.get("context")
	t.flat("context_", ctx, 0)
	for _, kv := range [][2]string{{"source_id", t.m.SourceID}, {"source_type", t.m.SourceType}, {"destination_id", t.m.DestinationID}, {"destination_type", t.m.DestinationType}} {
		t.value(t.d.Name("context_"+kv[0], t.o), str(kv[1]))
	}
	for _, s := range standard {
		t.set(s.column, e.get(s.key))
	}
	t.set("id", str(id))
	t.set("received_at", str(received))
	ip := ctx.get("ip")
	t.set("context_passed_ip", ip)
	t.set("context_request_ip", e.get("request_ip"))
	if ip.text() == "" {
		ip = e.get("request_ip")
	}
	t.set("context_ip", ip)
}

// Rows makes the rows of an event. drop is a code when the layout has no rows
// for it; err is fault.Invalid and never quotes the event.
func (d *Dialect) Rows(o *Options, m Meta, event []byte) (rows []Row, drop string, err error) {
	e, err := parse(event)
	if err != nil {
		return nil, "", err
	}
	id := e.get("messageId").text()
	if id == "" {
		id = autoID()
	}
	now := m.Now.UTC().Format("2006-01-02T15:04:05.000Z")
	received, ok := isoTime(e.get("receivedAt").text())
	if !ok {
		received = now
	}
	add := func(name string, fill, after func(*table)) {
		t := &table{d: d, o: o, m: m, at: map[string]int{}}
		fill(t)
		t.finish(e, id, received)
		after(t)
		t.set("uuid_ts", str(now))
		if d.loadedAt {
			t.set("loaded_at", str(now))
		}
		if err == nil && len(t.cols) > maxColumns && !d.lake && e.get("channel").text() != "sources" {
			err = fault.New(fault.Invalid, "the event has more than %d columns", maxColumns)
		}
		rows = append(rows, Row{d.fold(name), t.cols})
	}
	if !d.kinds(o, m, e, add) {
		return nil, "unsupported_event", nil
	}
	if err != nil {
		return nil, "", err
	}
	return rows, "", nil
}

func autoID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("auto-%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
