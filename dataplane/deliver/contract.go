// Package deliver sends events to destinations. A lane per destination and
// partition owns order, retries, parking and draining; a destination only says
// which requests to make and what an answer means.
//
// It guarantees that what is taken by Offer is reported as settled once: sent,
// dropped, or durable in PARKED or DEAD, from where it is settled again; that a
// report is true before it is made; that in an ordered destination no event of a
// user is sent before an earlier one of that user was settled or is refused by
// it; that one destination delays no other; and that memory is bounded: past
// its bounds a lane parks, and Offer waits only when PARKED cannot keep up.
//
// It refuses to send without the partition's lease, to follow redirects, to
// give up on a destination that is down, and to write to logs that have another
// writer. A death of the process repeats the requests in flight, and those
// whose reports the journal lost.
package deliver

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"weir/dataplane/event"
	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/secret"
)

// Item is one event in a Batch. Attempt counts from 1.
type Item struct {
	Event   event.Event
	Attempt int
}

// Batch is what one Build call has to turn into requests: at least one item, in
// the order in which they have to arrive.
type Batch struct {
	Items []Item
	Now   time.Time
}

// Request is one HTTP request and the items, by index into the Batch, whose
// fate its answer decides. Secrets may stand in Header and in nothing else.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	Items  []int
}

// Response is the answer to a Request. Body is cut at 64 KiB.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Outcome is what happened to an item.
type Outcome uint8

// The outcomes. Retry is not an end; the engine tries again or parks.
const (
	Delivered Outcome = iota + 1
	Dropped
	Retry
	Dead
)

// Verdict is the fate of one item of a Batch. Code comes from a closed list
// (Codes); Detail is local to the plane and may hold a vendor's text.
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

// Sink speaks its own protocol. An error of Write means that nothing is known:
// the batch is retried.
type Sink interface {
	Write(ctx context.Context, b Batch) ([]Verdict, error)
	Close() error
}

// Deps is what a Sink may use of the world.
type Deps struct {
	Dial func(ctx context.Context, network, addr string) (net.Conn, error) // egress
	// Stage puts events into the plane's STAGE log, from where the load of a
	// warehouse takes them, and returns when they are durable.
	Stage func(ctx context.Context, d id.Destination, events []event.Event) error
	Now   func() time.Time
	Log   *slog.Logger
}

// Limits is how a lane treats a destination.
type Limits struct {
	Ordered     bool          // events of one user go in order, one request at a time
	Concurrency int           // requests in flight per plane
	BatchSize   int           // items per Build, 1 for single
	BatchWait   time.Duration // how long a batch may gather
	Timeout     time.Duration // of one request
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
}

// Target is an opened destination of a workspace as lanes see it. A Target is
// immutable; a new revision makes a new one.
type Target struct {
	Workspace id.Workspace
	ID        id.Destination
	Name      string
	Type      string
	Disabled  bool // deliveries are parked until it is enabled again
	Opened
}
