package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/ingest/ratelimit"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// Entry is what a write key opens.
type Entry struct {
	Workspace id.Workspace
	Source    id.Source
	Name      string
	Type      string         // a source kind
	Disabled  bool           // answered with 404
	Rate      ratelimit.Rate // more is answered with 429
	Opened
}

// Call is what a path asks for: one of the constants.
type Call string

// The calls. Those up to Merge are also the type that the path gives an event.
const (
	Identify Call = "identify"
	Track    Call = "track"
	Page     Call = "page"
	Screen   Call = "screen"
	Group    Call = "group"
	Alias    Call = "alias"
	Merge    Call = "merge"
	Batch    Call = "batch"
	Import   Call = "import"
)

// webhook is a call whose body may be anything. A Source never sees it: the
// gateway makes it a Track.
const webhook Call = "webhook"

// Request is one request whose write key was found. Body is unzipped and at
// most MaxBody long; it is reused after Parse, which must not keep any of it.
type Request struct {
	Entry
	Call       Call
	Body       []byte
	ReceivedAt time.Time
	IP         string // the peer, "" when it has no address
}

// Reject is one member of a request that broke a rule. Event is what goes to
// quarantine in its place (Quarantine is set to Code).
type Reject struct {
	Index   int
	Code    string // from a closed list
	Message string // a constant sentence, nothing of the member
	Event   event.Event
}

// Source turns requests into events. It is pure and safe for concurrent use.
// err means that nothing of the request is kept; fault.Invalid becomes 400 (413
// for the codes that say "too large"), and its first problem's code and text
// are the answer.
type Source interface {
	Parse(Request) (kept []event.Event, rejected []Reject, err error)
}

// Opened is what the settings and secrets of a source make of its kind. The
// zero value takes whatever comes under the write key.
type Opened struct {
	// Verify reports whether the sender of a request knows more than the write
	// key; body is unzipped, as it came. nil asks nothing. What is refused is
	// answered with 401, code bad_signature. It is safe for concurrent use and
	// keeps nothing of its arguments.
	Verify func(h http.Header, body []byte) bool
}

// Kind is one kind of source.
type Kind struct {
	Spec   catalog.Spec
	Source Source
	// Open takes settings that were checked against Spec, and opened secrets by
	// the name of their field. nil opens nothing. fault.Invalid: its problems'
	// paths begin with settings or secrets.
	Open func(settings []byte, secrets map[string]secret.String) (Opened, error)
}

// Define returns what makes a Kind from its spec.yaml and its Parse. The spec is read once,
// by the first call, which panics when it is broken: that is a mistake in this program.
func Define(spec []byte, parse func(Request) ([]event.Event, []Reject, error)) func() Kind {
	return sync.OnceValue(func() Kind { return define(spec, parse) })
}

func define(spec []byte, parse func(Request) ([]event.Event, []Reject, error)) Kind {
	s, err := catalog.Parse(spec)
	if err != nil {
		panic(fmt.Sprintf("source spec: %v", err))
	}
	return Kind{Spec: s, Source: parseFunc(parse)}
}

// DefineOpened is Define for a kind that its settings and secrets change. S is
// the generated Settings of the kind's folder.
func DefineOpened[S any](spec []byte, parse func(Request) ([]event.Event, []Reject, error), open func(S) (Opened, error)) func() Kind {
	return sync.OnceValue(func() Kind { return defineOpened(spec, parse, open) })
}

func defineOpened[S any](spec []byte, parse func(Request) ([]event.Event, []Reject, error), open func(S) (Opened, error)) Kind {
	k := define(spec, parse)
	k.Open = func(settings []byte, secrets map[string]secret.String) (Opened, error) {
		var s S
		if filled := catalog.Fill(k.Spec, settings); len(filled) > 0 {
			if err := json.Unmarshal(filled, &s); err != nil {
				return Opened{}, fault.Problems("The settings could not be read.", []fault.Problem{{
					Path: "settings", Code: "malformed", Text: "The settings do not fit their spec.",
				}})
			}
		}
		if with, ok := any(&s).(interface {
			SetSecrets(map[string]secret.String)
		}); ok {
			with.SetSecrets(secrets)
		}
		return open(s)
	}
	return k
}

// Rate reads the limit out of settings of this kind in which the defaults are
// filled in. A kind without such fields has no limit.
func (k Kind) Rate(settings []byte) ratelimit.Rate {
	var r struct{ Rate, Burst int64 }
	if len(settings) > 0 {
		_ = json.Unmarshal(settings, &r) // they were checked against the Spec
	}
	return ratelimit.Rate{Events: max(r.Rate, 0), Burst: max(r.Burst, 0)}
}

// parseFunc is a Source that is only a function.
type parseFunc func(Request) ([]event.Event, []Reject, error)

func (f parseFunc) Parse(r Request) ([]event.Event, []Reject, error) { return f(r) }
