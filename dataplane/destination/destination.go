// Package destination is the contract of destinations: what a kind of
// destination says of itself (Define), which requests it makes of a batch of
// events and what an answer means (Destination), or how it writes in a protocol
// of its own (Sink).
//
// A kind has no network, clock, retries or logs of its own: the engine has them.
// Build, Judge and Wrote hold what a kind does to the contract, so that a mistake
// of a kind ends in dead letters and nowhere else. This package sends nothing.
package destination

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/trust"
	"weir/dataplane/event"
	names "weir/dataplane/filter"
	"weir/shared/catalog"
	"weir/shared/filter"
	"weir/shared/id"
	"weir/shared/secret"
)

// Item is one event in a Batch. Attempt counts from 1.
type Item struct {
	Event   event.Event
	Attempt int
	Ref     delivery.Ref // which delivery of its partition this is
	fields  *fields.Event
	body    []byte
}

// Body is what a Sink writes of the event: its JSON, unless settings replace or add fields
// of that. Keys, topics and other names are those of Event.
func (it *Item) Body() []byte {
	if it.body != nil {
		return it.body
	}
	return it.Event.JSON
}

// WithBody returns the item with another Body.
func (it Item) WithBody(body []byte) Item {
	it.body = body
	return it
}

// Fields returns the fields of the event, which are looked for at the first call.
func (it *Item) Fields() *fields.Event {
	if it.fields == nil {
		it.fields = fields.Read(it.Event.JSON, it.Event.ReceivedAt)
	}
	return it.fields
}

// MaxStages bounds the Stage of a Batch, so that no event keeps its lane for ever.
func (Request) MaxStages() int { return 128 }

// Batch is what one Build call has to turn into requests: at least one item, in
// the order in which they have to arrive.
type Batch struct {
	Items []Item
	Now   time.Time
	Found map[string]string // by Key, what the look-ups of a Chained found; "" for nothing
	// Name is that of a batch from STAGE: the same batch has the same one after a crash, and no
	// other has it. Of rows of a sync it has the run and the number of the first row, and is
	// the same when the batch is tried again in this run.
	Name  string
	Stage int // 0, or the Next of the request of each item that was delivered before
}

// Request is one HTTP request and the items, by index into the Batch, whose
// fate its answer decides. It holds no secret: the engine authorises it as the spec
// says, before it is sent. Only a kind whose spec says nothing of that may have
// secrets in Header.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	Items  []int
	Key    string // of a look-up: what its answer is kept by; "" of all others
	Next   int    // 0, or the Stage, below MaxStages, at which those of its items that are delivered are built again: more follows
	// Trust is how the connection is secured; nil: as all are. The engine sets it.
	Trust *trust.HTTP
	Parts []int // for Judge, of a kind that makes several parts of one item: the item of each part of the body
}

// Response is the answer to a Request.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Cut    bool // Body is only the beginning: 64 KiB, and a KiB for each item of the request
}

// Outcome is what happened to an item.
type Outcome uint8

// The outcomes. Retry is not an end; the engine tries again or parks. Split says that
// the request was refused as a whole because of some of its items, or because it is
// too large: the engine sends each half again, until what is refused is alone. Of an
// item that is alone Split means Dead. Judge alone returns it.
const (
	Delivered Outcome = iota + 1
	Dropped
	Retry
	Dead
	Split
)

// Verdict is the fate of one item of a Batch. Code comes from the closed list of
// wire.Codes; Detail is local to the plane and may hold a vendor's text.
type Verdict struct {
	Item    int
	Outcome Outcome
	Code    string
	Detail  string
	After   time.Duration // with Retry: not before this much time, 0 when unknown
}

// Destination speaks HTTP and is pure: the engine owns network, clock, retries.
// It must be safe for concurrent use.
type Destination interface {
	// Build makes requests. Each item ends in exactly one Request or Verdict.
	// Equal batches give equal requests.
	Build(Batch) ([]Request, []Verdict)
	// Judge gives one verdict per item of the request, for any status from 100
	// to 599 and any body.
	Judge(Request, Response) []Verdict
}

// Chained is a Destination that has to look something up before it writes, such as the
// tool's own id of a user. What was found is kept for a while.
type Chained interface {
	Destination
	// LookUps returns the requests whose answers Build needs, each with a Key and the
	// items that need it. An item may need none, or several.
	LookUps(Batch) []Request
	// Find reads the answer to a look-up: what was found, "" for nothing, with the
	// outcome Delivered; or what becomes of its items when that cannot be told.
	Find(Request, Response) (found string, v Verdict)
}

// Sink speaks its own protocol. An error of Write means that nothing is known:
// the batch is retried. A Sink of an object with the action snapshot has a method Complete,
// too; see outbound.Link.
type Sink interface {
	Write(ctx context.Context, b Batch) ([]Verdict, error)
	Close() error
}

// Deps is what a Sink may use of the world.
type Deps struct {
	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // egress
	// Stage puts events, with Delivery, into the plane's STAGE log, from where the load
	// of a warehouse takes them, and returns when they are durable.
	Stage func(ctx context.Context, d id.Destination, events []event.Event) error
	// Machine returns keys of AWS for the machine's role; nil: there are none. The guard says
	// whose settings may ask for it.
	Machine func(ctx context.Context) (accessKey, secretKey, sessionToken string, err error)
	Now     func() time.Time
	Log     *slog.Logger
}

// Limits is how a lane treats a destination.
type Limits struct {
	Ordered     bool          // events of one user go in order, one request at a time
	Concurrency int           // requests in flight per plane
	BatchSize   int           // items per Build, 1 for single
	BatchBytes  int64         // of a request's body with several items; larger ones are split before they are sent; 0: no limit
	BatchWait   time.Duration // how long a batch may gather
	Interval    time.Duration // of a Sink: its events wait in STAGE, are written so often, and BatchBytes counts them; 0: they are written as they come
	Timeout     time.Duration // of one request
	Rate        int           // requests that may go within RatePer, from one plane; 0: any number
	RatePer     time.Duration
	Gzip        bool // bodies are compressed
}

// Kind is one kind of destination: its Spec and how to open one.
type Kind struct {
	Spec catalog.Spec
	// Open checks settings and secrets and returns a Destination or a Sink (one
	// of the two is not nil). It makes no connection.
	Open func(settings []byte, secrets map[string]secret.String) (Opened, error)
}

// Opened is a configured destination.
type Opened struct {
	HTTP   Destination                                     // exactly one of HTTP
	Sink   func(ctx context.Context, d Deps) (Sink, error) // and Sink is set
	Staged bool                                            // what it delivers waits in STAGE to be loaded
	Limits Limits
	Trust  *trust.HTTP   // of HTTP's connections; nil: as all are
	Auth   []Auth        // of HTTP's requests, in the order in which it is applied
	Names  *filter.Names // of the events that it takes; nil: all
}

// Refuses returns the code with which an event is dropped that o does not take, "" when it
// does.
func (o *Opened) Refuses(e *event.Event) (code string) {
	if o.Names == nil || o.Names.Admits(e.Type, names.NameOf(e)) {
		return ""
	}
	return names.CodeFiltered
}

// Target is an opened destination of a workspace as lanes see it. A Target is
// immutable; a new revision makes a new one.
type Target struct {
	Workspace id.Workspace
	ID        id.Destination
	Name      string
	Type      string
	Disabled  bool     // deliveries are parked until it is enabled again
	Codes     []string // of one whose spec stands in its workspace: those that it declares, in that order
	Opened
}

// Presence says whether a destination exists. The zero value is Unknown.
type Presence uint8

// The presences.
const (
	Unknown Presence = iota // its workspace is not loaded: its deliveries wait
	Present
	Removed // the workspace is loaded and does not have it: its deliveries are dropped
)
