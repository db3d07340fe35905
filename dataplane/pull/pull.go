// Package pull reads rows out of the tools of customers and makes events of them, of the
// type record. A kind of source says how rows are read (Puller); this package decides
// when, keeps how far each stream is, and makes rows durable in EVENTS before its cursor
// moves. So after a death at any moment rows come again, and dedupe drops those that
// have not changed; none is lost.
//
// State is in the plane alone: cursors hold customers' values. Which process of a plane
// pulls a source follows from who has the source's partition; a state that somebody else
// replaced meanwhile ends the step, so that two of them never move one cursor.
package pull

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/destination"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/rate"
	"weir/dataplane/pull/stale"
	"weir/shared/catalog"
	"weir/shared/catalog/streams"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// Record is one row as it was read.
type Record struct {
	Deleted bool
	Stream  string    // whose row it is; "": of the stream that is pulled
	Key     string    // what names the row in its stream
	Version string    // with the content, what tells one state of the row from another
	At      time.Time // when it changed; zero: not known
	Row     []byte    // a JSON object; of a deleted row it may be empty
}

// Cursor is how far a stream is: a JSON object of at most 64 KiB, as a Puller wrote it.
// Its members from, at and to, where it has them, are the window that is read; lag is that
// of package lag.
type Cursor = json.RawMessage

// Budget bounds a step.
type Budget struct {
	Until time.Time // no request begins after it
	From  string    // where the first window begins, RFC 3339; "": with the oldest row
}

// Next says when a stream goes on: at once with More, else after Wait, or when it is due.
type Next struct {
	More bool
	Wait time.Duration

	// Follow: the run has read what there was when the step began, and the next one begins
	// at once, whatever the schedule.
	Follow bool
	// Later: the run has ended, and the next one begins so much later, whatever the schedule.
	Later time.Duration
}

// Puller reads the streams of one source. It is used by one step at a time. One that holds
// something between steps has the method Close() as well, which is called when the source
// is not pulled here any more.
type Puller interface {
	// Pull reads on from a cursor, nil at first. emit makes records durable and then
	// keeps the cursor: what it was given last is where a later call goes on. Pull
	// returns an error of emit as it is.
	Pull(ctx context.Context, stream string, from Cursor, b Budget, emit func([]Record, Cursor) error) (Next, error)
}

// follower is a Puller with streams of changes that it waits for, so that a step takes
// none of the places for steps but while it emits, and may last for ten minutes.
type follower interface{ Follows(stream string) bool }

// waker is a Puller whose steps may have others of its streams begin at once: those of
// which it was not told yet.
type waker interface{ Wakes() []string }

// Deps is what a Puller may use of the world.
type Deps struct {
	Source id.Source // whose rows are pulled; "": somebody tries a configuration
	// Do sends one request and returns the answer, of which it reads so many bytes at
	// most; see outbound.Client.
	Do    func(ctx context.Context, r destination.Request, timeout time.Duration, most int) (destination.Response, error)
	Dial  func(ctx context.Context, network, address string) (net.Conn, error) // of what does not speak HTTP
	Keys  *auth.Keyring
	Rates *rate.Rates // by account
	Now   func() time.Time
	Log   *slog.Logger

	Connectors *connector.Folder // programs of others that this plane runs; nil: none

	// Stale finds rows that warehouses have of the source and that nothing has written since
	// a time; nil: there are no warehouses.
	Stale func(ctx context.Context, q stale.Query) (stale.Rows, error)
}

// Kind is one kind of source whose rows are pulled.
type Kind struct {
	Spec catalog.Spec
	// Open checks settings and secrets. It makes no connection.
	Open func(settings []byte, secrets map[string]secret.String) (Opened, error)
}

// Opened makes a Puller of a configured source.
type Opened func(Deps) Puller

// Target is one source as it is configured. It is immutable; a new revision makes a new
// one where something of it changed.
type Target struct {
	Workspace id.Workspace
	ID        id.Source
	Name      string
	Type      string
	Disabled  bool
	Pull      workspace.Pull
	Streams   []streams.Outline // those that are pulled
	Opened    Opened
	Revision  uint64 // of the workspace in which it came to be as it is
}

// Codes of failures. Nothing else of a failure leaves the plane.
const (
	CodeReauthorize = "source_reauthorize" // the vendor refuses the credentials
	CodeUnreachable = "source_unreachable" // no answer, or the vendor says that it cannot
	CodeRefused     = "source_refused"     // the vendor refuses the request
	CodeAnswer      = "source_answer"      // the answer is not what the kind expects
	CodeNoStream    = "source_no_stream"   // the account has no such stream
	CodePlane       = "source_held"        // the plane cannot take rows now
)

// Failure is an error with a code. Its text is local to the plane and holds no values.
type Failure struct {
	Code string
	Text string
}

func (f *Failure) Error() string { return f.Code + ": " + f.Text }
