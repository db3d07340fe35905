package layout

import (
	"strings"
	"sync"

	"github.com/google/uuid"

	"weir/dataplane/layout/name"
	"weir/dataplane/layout/timestamp"
	"weir/dataplane/layout/tree"
	"weir/shared/fault"
)

const maxColumns = 200

var (
	errRecord = fault.New(fault.Invalid, "an extract needs a recordId")
	errKey    = fault.New(fault.Invalid, "a record needs an event and a key")
)

// Indexes of the standard columns in Dialect.std.
const (
	stdUUIDTS = iota
	stdLoadedAt
	stdID
	stdAnonymousID
	stdUserID
	stdSentAt
	stdTimestamp
	stdReceivedAt
	stdOriginalTimestamp
	stdChannel
	stdIP
	stdRequestIP
	stdPassedIP
	stdEvent
	stdEventText
	stdName
	stdGroupID
	stdPreviousID
	stdRecordID
	stdCount
)

// Bits of the types of events.
const (
	callTrack uint8 = 1 << iota
	callIdentify
	callPage
	callGroup
	callAlias
	callExtract
	callAny  = 0xff
	callUser = callAny &^ callExtract // what somebody did
)

// standards has the name of each standard column and the types of events whose
// properties of that name are dropped.
var standards = [stdCount]struct {
	name  string
	calls uint8
}{
	{"uuid_ts", callAny}, {"loaded_at", 0}, {"id", callAny}, {"anonymous_id", callUser}, {"user_id", callUser}, {"sent_at", callUser},
	{"timestamp", callUser}, {"received_at", callAny}, {"original_timestamp", callUser}, {"channel", callUser},
	{"context_ip", callAny}, {"context_request_ip", callAny}, {"context_passed_ip", callAny},
	{"event", callTrack | callExtract}, {"event_text", callTrack}, {"name", callPage}, {"group_id", callGroup},
	{"previous_id", callAlias}, {"record_id", 0},
}

func (d *Dialect) fillStandard() {
	d.standard, d.segment = map[string]uint8{}, map[string]uint8{}
	for i, s := range standards {
		d.std[i], d.escaped[i] = d.names.Fold(s.name), d.names.Own(s.name, name.Casing{})
		calls := s.calls
		if i == stdLoadedAt && d.LoadedAt {
			calls = callAny
		}
		if calls == 0 {
			continue
		}
		d.standard[d.std[i]], d.standard[d.escaped[i]] = calls, calls
		if i != stdChannel && i != stdRequestIP && i != stdPassedIP {
			d.segment[d.std[i]], d.segment[d.escaped[i]] = calls, calls
		}
	}
}

// segment says that the rows are of Segment's convention.
func (w *walk) segment() bool { return w.o.Layout == Segment }

// column is the name of a standard column.
func (w *walk) column(std int) string {
	if w.o.SkipReservedKeywordsEscaping {
		return w.d.std[std]
	}
	return w.d.escaped[std]
}

// text puts a standard column of text: whatever scalar the event has, as a string.
func (w *walk) text(b *block, std, i int) {
	if i < 0 || w.Nodes[i].Kind != '"' {
		w.words(b, std, w.word(i))
		return
	}
	s, damaged := w.Decoded(i)
	if s == "" {
		return
	}
	sent := ""
	if damaged {
		sent = w.Raw(i)
	}
	b.put(Column{Name: w.column(std), Type: w.d.long(s), Raw: s}, sent, fromLayout)
}

func (w *walk) words(b *block, std int, s string) {
	if s != "" {
		b.add(Column{Name: w.column(std), Type: w.d.long(s), Raw: s}, fromLayout)
	}
}

// moment puts a standard column of time. What is no time is kept beside it.
func (w *walk) moment(b *block, std, i int) {
	s := w.word(i)
	if k := w.Kind(i); (k == '{' || k == '[') && w.Nodes[i].Next > int32(i+1) {
		s, _ = tree.Compact(w.Raw(i))
	}
	if s == "" {
		return
	}
	iso, ok := timestamp.ISO(s)
	if !ok || w.Kind(i) != '"' {
		w.beside(b, std, i, s)
		return
	}
	b.add(Column{Name: w.column(std), Type: Datetime, Raw: iso}, fromLayout)
}

// beside keeps a value whose text is s beside the standard column that it does
// not fit.
func (w *walk) beside(b *block, std, i int, s string) {
	if w.Kind(i) == '"' {
		if _, damaged := w.Decoded(i); damaged {
			s = w.Raw(i)
		}
	}
	b.raws.add(w.column(std), raw{w.Raw(i), s})
}

// What base is for: a row of any table, of the table users, or of a record.
const (
	baseAny = iota
	baseUsers
	baseRecord
)

// base is what all rows of an event begin with: metadata columns and the
// standard columns, but those of the event's type.
// The block is the walk's own.
func (w *walk) base(of int) *block {
	w.row.reset(0, raws{})
	b := &w.row
	b.add(Column{Name: w.d.std[stdUUIDTS], Type: Datetime, Raw: w.now}, fromLayout)
	if w.d.LoadedAt {
		b.add(Column{Name: w.d.std[stdLoadedAt], Type: Datetime, Raw: w.now}, fromLayout)
	}
	if of == baseAny {
		w.text(b, stdAnonymousID, w.Get(0, "anonymousId"))
		w.text(b, stdUserID, w.Get(0, "userId"))
		if !w.segment() {
			w.text(b, stdChannel, w.Get(0, "channel"))
		}
	}
	if of == baseAny || of == baseUsers && !w.d.Lake {
		w.moment(b, stdSentAt, w.Get(0, "sentAt"))
		w.moment(b, stdTimestamp, w.Get(0, "timestamp"))
		w.moment(b, stdOriginalTimestamp, w.Get(0, "originalTimestamp"))
	}
	b.add(Column{Name: w.d.std[stdReceivedAt], Type: Datetime, Raw: w.received()}, fromLayout)
	ctx := w.Get(0, "context")
	request, passed := w.Get(0, "request_ip"), w.Get(ctx, "ip")
	if !w.segment() {
		w.text(b, stdRequestIP, request)
		w.text(b, stdPassedIP, passed)
	}
	if w.word(passed) == "" {
		passed = request
	}
	w.text(b, stdIP, passed)
	w.context(b, ctx)
	return b
}

// received is the time that the event or the caller says, else that of now.
func (w *walk) received() string {
	if i := w.Get(0, "receivedAt"); w.Kind(i) == '"' {
		if iso, ok := timestamp.ISO(w.word(i)); ok {
			return iso
		}
	}
	if !w.m.ReceivedAt.IsZero() {
		return timestamp.Format(w.m.ReceivedAt)
	}
	return w.now
}

// context puts the event's context and, unless that is no object, where it
// comes from and goes to.
func (w *walk) context(b *block, ctx int) {
	if k := w.Kind(ctx); k != '{' && k != 'n' && k != 0 {
		return
	}
	w.flat(b, "context_", ctx, fromContext, "context")
	if w.segment() {
		return
	}
	for _, kv := range [4][2]string{{"sourceId", w.m.SourceID}, {"sourceType", w.m.SourceType},
		{"destinationId", w.m.DestinationID}, {"destinationType", w.m.DestinationType}} {
		if kv[1] != "" {
			w.name = append(append(w.name[:0], "context_"...), kv[0]...)
			w.put(b, Column{Type: String, Raw: kv[1]}, "", fromContext)
		}
	}
}

// messageID is the event's, the caller's, or a new one.
func (w *walk) messageID() (id string, at int) {
	at = w.Get(0, "messageId")
	if id = w.word(at); strings.TrimSpace(id) != "" {
		return id, at
	}
	if w.m.MessageID == "" {
		w.m.MessageID = NewMessageID() // of all rows of the event
	}
	return w.m.MessageID, -1
}

// NewMessageID makes the id of an event that has none.
func NewMessageID() string { return "auto-" + uuid.NewString() }

var walks = sync.Pool{New: func() any { return &walk{} }}

// maxKept and maxWide are the most values of an event, and columns of a row,
// whose memory is kept for the next.
const (
	maxKept = 4096
	maxWide = 256
)

// Memory is where rows are made, for one event after another.
type Memory struct {
	rows    []Row
	columns []Column
}

// Rows makes the rows of an event. drop is a code when the layout has no rows
// for it; err is fault.Invalid and never quotes the event.
func (d *Dialect) Rows(o *Options, m Meta, event []byte) (rows []Row, drop string, err error) {
	return d.RowsIn(&Memory{}, o, m, event)
}

// RowsIn is Rows with rows that hold until the next call with the same memory.
func (d *Dialect) RowsIn(in *Memory, o *Options, m Meta, event []byte) (rows []Row, drop string, err error) {
	clear(in.rows)
	clear(in.columns)
	in.rows, in.columns = in.rows[:0], in.columns[:0]
	if cap(in.columns) > maxKept {
		*in = Memory{}
	}
	w := walks.Get().(*walk)
	defer func() {
		if cap(w.Nodes) > maxKept {
			w.Nodes = nil
		}
		if cap(w.row.cols) > maxWide || cap(w.name) > maxKept {
			w.row, w.name, w.path = block{}, nil, nil
		}
		clear(w.row.cols[:cap(w.row.cols)])
		clear(w.row.rest)
		*w = walk{Tree: tree.Tree{Nodes: w.Nodes}, row: block{cols: w.row.cols[:0], from: w.row.from[:0], rest: w.row.rest}, name: w.name[:0], path: w.path[:0]}
		walks.Put(w)
	}()
	if err := w.Parse(string(event)); err != nil {
		return nil, "", err
	}
	w.d, w.o, w.m, w.left, w.names = d, o, m, maxNames, d.namesOf(o)
	w.now = timestamp.Format(m.Now)
	w.cloud = !w.segment() && m.cloud() && m.SourceCategory != "singer" && m.SourceType != "singer"
	r := &maker{walk: w, rows: make([]Row, 0, 2), unlimited: d.Lake || d.Wide || w.word(w.Get(0, "channel")) == "sources"}
	kind := strings.ToLower(w.word(w.Get(0, "type")))
	if code := Refuses(kind); code != "" {
		return nil, code, nil
	}
	r.rows, r.in = in.rows, in
	r.kinds(kind)
	in.rows = r.rows
	if w.err != nil {
		return nil, "", w.err
	}
	return r.rows, "", nil
}

// cloud says whether the source is one of records: cloud or singer.
func (m *Meta) cloud() bool {
	for _, s := range []string{m.SourceCategory, m.SourceType} {
		if s == "cloud" || s == "singer" || s == "singer-protocol" {
			return true
		}
	}
	return false
}

// maker gathers the rows of one event.
type maker struct {
	*walk
	rows      []Row
	in        *Memory
	unlimited bool
}

// add finishes a row. Of b only what siblings have added is not as before.
func (r *maker) add(table string, b *block) {
	if !r.unlimited && len(b.cols) > maxColumns && r.err == nil {
		r.err = fault.New(fault.Invalid, "the event has more than %d columns", maxColumns)
	}
	if len(b.raws.order) > 0 {
		b.siblings(r.d)
	}
	all := append(r.in.columns, b.cols...)
	r.rows = append(r.rows, Row{Table: table, Columns: all[len(r.in.columns):len(all):len(all)]})
	r.in.columns = all
}
