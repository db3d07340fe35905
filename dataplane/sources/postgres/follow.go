package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"weir/dataplane/pull"
	"weir/dataplane/pull/lag"
	"weir/dataplane/sources/postgres/session"
	"weir/shared/delay"
)

// Bounds of batches of changes, and times of a step that follows them.
const (
	feedBytes = 4 << 20
	feedRows  = 5000
	feedAgain = 100 // rows of a batch that are read again
	linger    = 200 * time.Millisecond
	confirm   = 10 * time.Second // how often the server is told how far the source is
	briefly   = 2 * time.Second  // of a step while tables are copied
	longest   = 10 * time.Minute // of a step in the midst of a transaction
	seeTime   = 30 * time.Second
)

// following is how far the changes are read.
type following struct {
	Slot  string `json:"slot,omitempty"`
	At    string `json:"at,omitempty"`    // all transactions that end before it are emitted
	To    string `json:"to,omitempty"`    // where the server was when the step began
	Tx    string `json:"tx,omitempty"`    // the end of a transaction of which changes are emitted: so many
	Done  int64  `json:"done,omitempty"`  //
	Lost  string `json:"lost,omitempty"`  // why the former slot is gone
	Since string `json:"since,omitempty"` // when the slot was made

	Emptied map[string]string `json:"emptied,omitempty"` // by stream: its last TRUNCATE
	Lag     lag.Lag           `json:"lag"`
}

// follow reads changes.
func (r *replica) follow(ctx context.Context, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	began := time.Now()
	var at following
	if err := read(from, &at); err != nil {
		return pull.Next{}, err
	}
	x, err := r.control(ctx)
	if err != nil {
		return pull.Next{}, err
	}
	defer x.Close()
	if at.Slot == "" {
		r.slot = ""
		slot, start, err := r.make(ctx, x)
		if err != nil {
			return pull.Next{}, err
		}
		at = following{Slot: slot, At: start.String(), Lost: at.Lost, Since: r.d.Now().UTC().Format(time.RFC3339), Lag: lag.Lag{Caught: r.d.Now().UTC()}}
		r.wakes = append(r.wakes, r.names()...)
		if err := emit(nil, encoded(at)); err != nil {
			return pull.Next{}, err
		}
	}
	l, err := r.look(ctx, x, at.Slot)
	if err != nil {
		return pull.Next{}, err
	}
	if l.lost != "" {
		r.slot = ""
		if err := emit(nil, encoded(following{Lost: l.lost, Lag: lag.Lag{At: r.d.Now().UTC(), Caught: at.Lag.Caught, State: "lost", Lost: true}})); err != nil {
			return pull.Next{}, err
		}
		return pull.Next{}, &pull.Failure{Code: lag.CodeLost, Text: l.lost + " All tables are read anew."}
	}
	if r.slot != at.Slot {
		r.slot = at.Slot
		clear(r.copied)
	}
	r.emptied = at.Emptied
	if err := r.free(ctx, x, at.Slot); err != nil {
		return pull.Next{}, err
	}
	at.To = l.now.String()
	at.Lag.Kept, at.Lag.State, at.Lag.Limit, at.Lag.Risk = l.held, l.status, r.s.SlotLimit<<20, l.status == "unreserved"
	w, err := r.wire(ctx)
	if err != nil {
		return pull.Next{}, err
	}
	defer w.Close()
	f := &follower{r: r, control: x, wire: w, position: at, emit: emit, target: l.now, newest: l.now, relations: map[uint32]*relation{}, until: b.Until}
	if f.at, err = pglogrepl.ParseLSN(at.At); err == nil && at.Tx != "" {
		f.skipped, err = pglogrepl.ParseLSN(at.Tx)
	}
	if err != nil {
		return pull.Next{}, &pull.Failure{Code: pull.CodeAnswer, Text: "The state of the stream is unreadable: reset it."}
	}
	f.most = began.Add(r.most)
	return f.run(ctx)
}

// copying reports whether tables are not copied yet.
func (r *replica) copying() bool {
	for _, done := range r.copied {
		if !done {
			return true
		}
	}
	return len(r.copied) == 0
}

// follower is one step that follows changes.
type follower struct {
	r             *replica
	control, wire *session.Session
	emit          func([]pull.Record, pull.Cursor) error
	position      following
	at, target    pglogrepl.LSN // all transactions that end before it are emitted; where the server was
	newest        pglogrepl.LSN // where the server is, as far as it said
	until, most   time.Time
	relations     map[uint32]*relation

	// Of the transaction whose changes come.
	open    bool
	end     pglogrepl.LSN // of its commit record
	when    time.Time
	xid     uint32
	changes int64 // that came
	skipped pglogrepl.LSN

	batch []pull.Record
	size  int
	again []again
	xids  []uint32 // of the batch
	done  pglogrepl.LSN
	told  time.Time
	first time.Time // when the batch began

	caught time.Time // when the server said last that there is nothing more
}

// again is a row of the batch that is read again, as the change has not all of its values.
type again struct {
	at       int // in the batch
	relation *relation
	key      []string
}

// run reads until the step is over.
func (f *follower) run(ctx context.Context) (pull.Next, error) {
	err := pglogrepl.StartReplication(ctx, f.wire.Conn, f.position.Slot, f.at, pglogrepl.StartReplicationOptions{
		PluginArgs: []string{"proto_version '1'", "publication_names '" + quote(f.r.s.Publication) + "'"},
	})
	if err != nil {
		return pull.Next{}, f.failure(ctx, err)
	}
	f.done = f.at
	began := time.Now()
	for {
		now := time.Now()
		switch {
		case len(f.batch) > 0 && (f.size >= feedBytes || len(f.batch) >= feedRows || len(f.again) >= feedAgain || now.Sub(f.first) >= linger):
			if err := f.flush(ctx); err != nil {
				return pull.Next{}, err
			}
			continue
		case now.Sub(f.told) >= confirm:
			if err := f.tell(ctx); err != nil {
				return pull.Next{}, err
			}
		}
		over := !f.r.d.Now().Before(f.until) || f.at >= f.target && now.Sub(began) >= briefly && f.r.copying()
		if !f.open && over || now.After(f.most) {
			return f.stop(ctx)
		}
		wait := now.Add(linger)
		if len(f.batch) > 0 {
			wait = f.first.Add(linger)
		}
		receiving, cancel := context.WithDeadline(ctx, wait)
		message, err := f.wire.Conn.ReceiveMessage(receiving)
		cancel()
		switch {
		case err == nil:
			if err := f.take(ctx, message); err != nil {
				return pull.Next{}, err
			}
		case ctx.Err() != nil:
			return pull.Next{}, ctx.Err()
		case !pgconn.Timeout(err):
			return pull.Next{}, f.failure(ctx, err)
		}
	}
}

// stop ends the step.
func (f *follower) stop(ctx context.Context) (pull.Next, error) {
	if err := f.flush(ctx); err != nil {
		return pull.Next{}, err
	}
	if err := f.keep(nil); err != nil {
		return pull.Next{}, err
	}
	if err := f.tell(ctx); err != nil {
		return pull.Next{}, err
	}
	behind := f.at < f.target
	return pull.Next{More: behind, Follow: !behind}, nil
}

// tell tells the server up to where it may forget changes.
func (f *follower) tell(ctx context.Context) error {
	f.told = time.Now()
	return f.failure(ctx, pglogrepl.SendStandbyStatusUpdate(ctx, f.wire.Conn, pglogrepl.StandbyStatusUpdate{WALWritePosition: f.done}))
}

// failure is an error of the connection that has the changes.
func (f *follower) failure(ctx context.Context, err error) error {
	var p *pgconn.PgError
	if errors.As(err, &p) && p.Code == "42704" && f.position.Slot != "" { // the publication went; of a slot that is gone the next step says so
		return &pull.Failure{Code: pull.CodeRefused, Text: "The publication " + quote(f.r.s.Publication) + " is gone. Make it again, then run: weir pull reset, as changes may be missing."}
	}
	return f.wire.Failure(ctx, "the changes", err)
}

// take takes one message.
func (f *follower) take(ctx context.Context, message pgproto3.BackendMessage) error {
	data, ok := message.(*pgproto3.CopyData)
	if !ok {
		if e, ok := message.(*pgproto3.ErrorResponse); ok {
			return f.failure(ctx, pgconn.ErrorResponseToPgError(e))
		}
		return nil
	}
	unreadable := &pull.Failure{Code: pull.CodeAnswer, Text: "The server sends what is no change."}
	if len(data.Data) == 0 {
		return unreadable
	}
	switch data.Data[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		alive, err := pglogrepl.ParsePrimaryKeepaliveMessage(data.Data[1:])
		if err != nil {
			return unreadable
		}
		f.newest = max(f.newest, alive.ServerWALEnd)
		// Between transactions all before it was sent: the server may let go of what is not published.
		if !f.open && len(f.batch) == 0 && alive.ServerWALEnd > f.at {
			f.at = alive.ServerWALEnd
			f.done = f.at
			f.caught = f.r.d.Now()
		}
		if alive.ReplyRequested {
			return f.tell(ctx)
		}
	case pglogrepl.XLogDataByteID:
		log, err := pglogrepl.ParseXLogData(data.Data[1:])
		if err != nil {
			return unreadable
		}
		f.newest = max(f.newest, log.ServerWALEnd)
		m, err := pglogrepl.Parse(log.WALData)
		if err != nil {
			return unreadable
		}
		return f.change(ctx, m)
	}
	return nil
}

// change takes one change, or what is around changes.
func (f *follower) change(ctx context.Context, m pglogrepl.Message) error {
	switch m := m.(type) {
	case *pglogrepl.BeginMessage:
		f.open, f.end, f.when, f.xid, f.changes = true, m.FinalLSN, m.CommitTime, m.Xid, 0
	case *pglogrepl.CommitMessage:
		f.open, f.at = false, m.TransactionEndLSN
		if len(f.batch) == 0 {
			f.done = f.at
		}
	case *pglogrepl.RelationMessage:
		return f.relate(ctx, m)
	case *pglogrepl.InsertMessage:
		if rel := f.next(m.RelationID); rel != nil {
			return f.upsert(rel, m.Tuple, nil)
		}
	case *pglogrepl.UpdateMessage:
		if rel := f.next(m.RelationID); rel != nil {
			return f.upsert(rel, m.NewTuple, m.OldTuple)
		}
	case *pglogrepl.DeleteMessage:
		if rel := f.next(m.RelationID); rel != nil {
			return f.remove(rel, m.OldTuple)
		}
	case *pglogrepl.TruncateMessage:
		f.changes++
		return f.emptied(ctx, m.RelationIDs)
	}
	return nil
}

// next counts a change and returns the relation whose row it is; nil: it was emitted by a
// former step, or nobody wants it.
func (f *follower) next(id uint32) *relation {
	f.changes++
	rel := f.relations[id]
	if rel == nil || rel.stream == "" || f.end == f.skipped && f.changes <= f.position.Done {
		return nil
	}
	if len(f.batch) == 0 {
		f.first = time.Now()
	}
	if n := len(f.xids); n == 0 || f.xids[n-1] != f.xid {
		f.xids = append(f.xids, f.xid)
	}
	return rel
}

// flush emits the batch, when others see what it is about.
func (f *follower) flush(ctx context.Context) error {
	if len(f.batch) == 0 {
		return nil
	}
	if err := f.seen(ctx); err != nil {
		return err
	}
	if err := f.reread(ctx); err != nil {
		return err
	}
	batch := f.batch
	f.batch, f.size, f.again, f.xids = nil, 0, nil, nil
	if err := f.keep(batch); err != nil {
		return err
	}
	f.done = f.at
	return nil
}

// keep emits records, with the position behind them.
func (f *follower) keep(records []pull.Record) error {
	p := f.position
	p.At, p.Tx, p.Done = f.at.String(), "", 0
	if p.Lag.At = f.r.d.Now().UTC(); f.at >= f.newest || f.r.d.Now().Sub(f.caught) < linger*5 {
		p.Lag.Caught = p.Lag.At
	}
	p.Lag.Bytes, p.Lag.Lost = int64(max(f.newest, f.at)-f.at), p.Lost != "" && f.r.copying()
	f.position.Lag = p.Lag
	switch {
	case f.open:
		p.Tx, p.Done = f.end.String(), f.changes
		if f.end == f.skipped {
			p.Done = max(p.Done, f.position.Done)
		}
	case f.skipped > f.at: // of a transaction that did not come again yet
		p.Tx, p.Done = f.position.Tx, f.position.Done
	}
	return f.emit(records, encoded(p))
}

// seen waits until other transactions see those of the batch: the server sends them
// before, and waits for a synchronous standby in between.
func (f *follower) seen(ctx context.Context) error {
	for end := time.Now().Add(seeTime); ; {
		s, err := f.control.Snapshot(ctx)
		if err != nil {
			return err
		}
		left := f.xids[:0]
		for _, xid := range f.xids {
			if !s.Sees(xid) {
				left = append(left, xid)
			}
		}
		if f.xids = left; len(left) == 0 {
			return nil
		}
		if time.Now().After(end) || !delay.For(ctx, 5*time.Millisecond) {
			return &pull.Failure{Code: pull.CodeUnreachable, Text: "A transaction that was committed is not visible yet, as where a synchronous standby is away."}
		}
	}
}
