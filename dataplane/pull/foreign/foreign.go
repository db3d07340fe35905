// Package foreign pulls rows by connectors that others wrote: programs that speak a protocol
// of lines of JSON on stdout (see package connector for how they are confined). A kind says
// what the lines mean (Protocol).
//
// A stream is read by a run of the connector, for this stream alone. A run goes on between
// steps: a connector whose rows are not taken waits. The state that it said last is kept with
// the rows before it, which are durable by then; a connector that dies, hangs or says what
// cannot be understood is started again with that state. Rows without a cursor have the time
// at which the reading of the stream began as their version, also after such a start, so that
// those that come again are duplicates.
//
// A run whose exit code is 0 ends the reading. The code, the size of lines, how long a
// connector is silent and how much it says that is no row are bounded; nothing that it says
// but rows and state leaves this package.
package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/destination/fields"
	"weir/dataplane/pull"
	"weir/dataplane/pull/stale"
	"weir/shared/catalog/streams"
	"weir/shared/fault"
)

// Message is what a line means. One of Row, State, Failure is set, or none: it is of no
// interest.
type Message struct {
	Stream  string // whose row it is
	Row     fields.Value
	Deleted bool
	State   json.RawMessage // takes the place of the state before
	Table   string          // of Stream: the version of its rows, all of which a new one replaces
	Whole   bool            // once the run has ended well, all rows of Table were given
	Keys    []string        // of Stream: what names its rows, as paths with dots; nil: it does not say
	Failure *pull.Failure   // why the connector cannot go on
}

// Stream is what is asked for.
type Stream struct {
	Name   string // as the connector calls it
	Cursor string // the field that rises when a row changes; "": all rows are read each time
	Keys   []string
	From   string // the first day whose rows are wanted, RFC 3339; "": all are
}

// Selection is a stream as it was found in a connector's catalog.
type Selection struct {
	Catalog []byte // for the run, where this stream alone is selected
	Name    string // what its rows name as their stream
	Keys    []string
}

// Protocol is what a connector speaks.
type Protocol interface {
	// Name is the protocol's in connector.yaml.
	Name() string
	// Checks are the arguments of runs before the first one, each with what reads a line of
	// it. Their files are the configuration alone.
	Checks() []Check
	// Discover are the arguments with which a connector says its catalog, and Select finds
	// a stream in what it said, whole.
	Discover() []string
	Select(said []byte, s Stream) (Selection, error)
	// Read are the arguments of a run. state is "" where there is none.
	Read(catalog, state bool) []string
	// Config is the configuration of a run for a stream.
	Config(config map[string]json.RawMessage, s Stream)
	// Parse reads a line, which is JSON. after is the state so far.
	Parse(line fields.Value, after json.RawMessage) Message
	// Chatty says that a connector may say what is no JSON, which is of no interest.
	Chatty() bool
}

// Check is a run of a connector before it reads.
type Check struct {
	Args []string
	Line func(line fields.Value, config map[string]json.RawMessage) *pull.Failure
}

// Settings are what kinds of connectors have in common.
type Settings struct {
	Connector   string
	Config      string // a JSON object
	Credentials string // a JSON object, whose members go over those of Config
	Streams     map[string]string
	Keys        map[string]string
}

// Problems lists what is wrong with settings.
func (s *Settings) Problems() (all []fault.Problem) {
	for _, x := range []struct{ at, text string }{{"settings.config", s.Config}, {"secrets.credentials", s.Credentials}} {
		if _, err := members(x.text); err != nil {
			all = append(all, fault.Problem{Path: x.at, Code: "malformed", Text: `This is no JSON object, such as {"start_date": "2026-01-01T00:00:00Z"}.`})
		}
	}
	return all
}

// members reads an object; "" has none.
func members(text string) (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	if strings.TrimSpace(text) == "" {
		return m, nil
	}
	err := json.Unmarshal([]byte(text), &m)
	if err == nil && m == nil { // null
		m = map[string]json.RawMessage{}
	}
	return m, err
}

// over puts the members of b over those of a, and those of objects over those of objects.
func over(a, b map[string]json.RawMessage) {
	for name, v := range b {
		inner, more := map[string]json.RawMessage{}, map[string]json.RawMessage{}
		if json.Unmarshal(v, &more) == nil && more != nil && json.Unmarshal(a[name], &inner) == nil && inner != nil {
			over(inner, more)
			if whole, err := json.Marshal(inner); err == nil {
				a[name] = whole
				continue
			}
		}
		a[name] = v
	}
}

// texts are the texts in a value.
func texts(v fields.Value, into []string) []string {
	if v.IsText() || v.IsNumber() {
		into = append(into, v.Text(), string(v))
		if v.IsText() {
			into[len(into)-1] = strings.Trim(string(v), `"`) // as it stands, with its escapes
		}
		return into
	}
	v.Every(func(_, value fields.Value) bool {
		into = texts(value, into)
		return true
	})
	return into
}

// Open makes a Puller.
func Open(p Protocol, s Settings, d pull.Deps) pull.Puller {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", s.Connector, s.Config, s.Credentials))
	return &source{protocol: p, settings: s, deps: d, sum: hex.EncodeToString(sum[:4])}
}

// source is one opened source.
type source struct {
	protocol Protocol
	settings Settings
	deps     pull.Deps
	sum      string // tells its logs from those of other sources

	checked bool // by the checks of the protocol
	found   map[string]found
	run     *run // that goes on; nil: none
}

// found is a stream of the catalog.
type found struct {
	Selection
	at time.Time
}

// Times of a source.
const (
	catalogTime = time.Hour        // a catalog is asked for again after it
	quiet       = 10 * time.Second // a step ends when a connector says nothing for so long
	idle        = 3 * time.Minute  // a run ends whose rows nobody takes for so long
	elsewhere   = 5 * time.Second  // how long a step waits while another stream is read
	askTime     = 90 * time.Second // of a run that checks, or lists streams
	slotsFull   = 30 * time.Second
	flushTime   = time.Second // rows are made durable after it, however few
)

// position is how far a stream is, the JSON of its cursor.
type position struct {
	State json.RawMessage `json:"state,omitempty"` // what the connector said last
	Began string          `json:"began,omitempty"` // when the reading began that has not ended, RFC 3339

	Table string        `json:"table,omitempty"` // the version of the rows, where the connector has such
	Since time.Time     `json:"since,omitzero"`  // when the first of them came
	Whole string        `json:"whole,omitempty"` // the version of which all came, so that those of others are gone
	Stale *stale.Search `json:"stale,omitempty"` // for rows of others; nil: there is none
}

// version is how one state of a row is told from another, by what the row says of that.
func (p *position) version(of string) string {
	if p.Table == "" {
		return of
	}
	return p.Table + "/" + of
}

func (p *position) cursor() pull.Cursor {
	b, err := json.Marshal(p)
	if err != nil {
		panic("a position that cannot be JSON: " + err.Error()) // JSON and a time
	}
	return b
}

func refuse(code, text string) error { return &pull.Failure{Code: code, Text: text} }

// Close ends the run that goes on.
func (s *source) Close() {
	if s.run != nil {
		s.run.close()
		s.run = nil
	}
}

// Pull implements pull.Puller.
func (s *source) Pull(ctx context.Context, stream string, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	want := Stream{From: b.From}
	for key, cursor := range s.settings.Streams {
		if streams.Named(key) == stream {
			want.Name, want.Cursor = key, cursor
			if keys := s.settings.Keys[key]; keys != "" {
				for k := range strings.SplitSeq(keys, ",") {
					want.Keys = append(want.Keys, strings.TrimSpace(k))
				}
			}
		}
	}
	if want.Name == "" {
		return pull.Next{}, refuse(pull.CodeNoStream, "The settings have no such stream any more.")
	}
	manifest, err := s.deps.Connectors.Find(s.settings.Connector, s.protocol.Name())
	if err != nil {
		return pull.Next{}, refuse(pull.CodeRefused, err.Error())
	}
	if r := s.run; r != nil && (r.over() || r.stream.Name != want.Name || string(r.kept) != string(from)) {
		if r.stream.Name != want.Name && !r.over() {
			return pull.Next{More: true}, s.wait(ctx, r)
		}
		s.Close() // its state was changed, or nobody took its rows
	}
	if s.run == nil {
		next, over, err := s.search(ctx, stream, from, b, emit)
		if err != nil || !over {
			return next, err
		}
		next, err = s.start(ctx, want, from, &manifest)
		if err != nil || next.Wait > 0 {
			return next, err
		}
	}
	next, err := s.run.read(ctx, b, emit)
	if err != nil || !next.More {
		if err == nil && s.run.at.Stale != nil {
			next.Later = stale.Again
		}
		s.Close()
	}
	return next, err
}

// wait waits a while for the end of another stream's run.
func (s *source) wait(ctx context.Context, r *run) error {
	timer := time.NewTimer(elsewhere)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.stop:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// start starts a run.
func (s *source) start(ctx context.Context, want Stream, from pull.Cursor, m *connector.Manifest) (pull.Next, error) {
	var p position
	if len(from) > 0 {
		if err := json.Unmarshal(from, &p); err != nil {
			return pull.Next{}, refuse(pull.CodeAnswer, "The state of the stream is unreadable: reset it.")
		}
	}
	if p.Began == "" {
		p.Began = s.deps.Now().UTC().Format(time.RFC3339)
	}
	config, err := members(s.settings.Config)
	if err != nil {
		return pull.Next{}, refuse(pull.CodeRefused, "The setting config is no JSON object.")
	}
	secrets, err := members(s.settings.Credentials)
	if err != nil {
		return pull.Next{}, refuse(pull.CodeRefused, "The secret credentials is no JSON object.")
	}
	over(config, secrets)
	s.protocol.Config(config, want)
	selected, err := s.prepare(ctx, want, m, config)
	var process *connector.Process
	if err == nil {
		files := map[string][]byte{configFile: encoded(config)}
		if selected.Catalog != nil {
			files[catalogFile] = selected.Catalog
		}
		if p.State != nil {
			files[stateFile] = p.State
		}
		process, err = s.launch(context.WithoutCancel(ctx), m, "read-"+want.Name, s.protocol.Read(selected.Catalog != nil, p.State != nil), files)
	}
	if fault.KindOf(err) == fault.Limited {
		return pull.Next{Wait: slotsFull}, nil
	}
	if err != nil {
		return pull.Next{}, err
	}
	if want.Keys == nil {
		want.Keys = selected.Keys
	}
	s.run = begin(s, process, m, want, selected.Name, p, from)
	return pull.Next{}, nil
}

// Names of files of a run, in connector.Work.
const (
	configFile  = "config.json"
	catalogFile = "catalog.json"
	stateFile   = "state.json"
)

// Config, Catalog and State are where a connector finds these files.
const (
	Config  = connector.Work + "/" + configFile
	Catalog = connector.Work + "/" + catalogFile
	State   = connector.Work + "/" + stateFile
)

func encoded(m map[string]json.RawMessage) []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic("members that cannot be JSON: " + err.Error()) // they were read from it
	}
	return b
}

// launch starts a process.
func (s *source) launch(ctx context.Context, m *connector.Manifest, log string, args []string, files map[string][]byte) (*connector.Process, error) {
	p, err := s.deps.Connectors.Start(ctx, connector.Run{
		Name: s.settings.Connector, Log: s.settings.Connector + "-" + s.sum + "-" + streams.Named(log), Args: args, Files: files,
		Secrets: texts(fields.Value(s.settings.Credentials), nil), Manifest: *m,
	})
	switch kind := fault.KindOf(err); {
	case err == nil || kind == fault.Limited:
		return p, err
	case kind == fault.Unavailable || kind == fault.Missing:
		return nil, refuse(pull.CodeRefused, err.Error())
	}
	return nil, refuse(pull.CodePlane, "The connector could not be started on this machine.")
}
