package load

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	answerTime = 15 * time.Second      // how long a request may wait for its answer
	pause      = 20 * time.Millisecond // after a refusal, before the connection goes on
	mostPaced  = 1024                  // connections of a paced load: it does not wait, but it is bounded
)

func basic(key string) string { return base64.StdEncoding.EncodeToString([]byte(key + ":")) }

// conn is one HTTP/1.1 connection that sends ready-made requests. It costs the
// generator a fraction of what net/http's client does, and the machine is shared
// with what is measured.
type conn struct {
	net.Conn
	r    *bufio.Reader
	open *atomic.Int64 // how many there are; nil once this one is none of them
}

func (t Target) dial(ctx context.Context) (*conn, error) {
	d := net.Dialer{Timeout: answerTime}
	c, err := d.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	t.Open.Add(1)
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 4<<10), open: t.Open}, nil
}

// Close implements net.Conn. It is not for concurrent use.
func (c *conn) Close() error {
	if c.open != nil {
		c.open.Add(-1)
		c.open = nil
	}
	return c.Conn.Close()
}

// post sends a request and reads its whole answer. After an error the connection
// is of no more use.
func (c *conn) post(request []byte) (status int, err error) {
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err == nil && resp.Close {
		err = errClosing
	}
	return resp.StatusCode, err
}

// errClosing: the answer was read whole, but the server closes the connection.
var errClosing = errors.New("the server closed the connection")

// Plan is one load. A closed loop needs Conns and Batch, an open one Rate.
type Plan struct {
	Number uint32  // in every messageId
	Rate   float64 // events a second
	Conns  int
	Batch  int    // events of a request
	Events uint32 // of a closed loop, about; 0: as many as go in Lasts
	Lasts  time.Duration
}

// Sent is what came of a load. One of each connection is merged at the end.
type Sent struct {
	Acked    []Span          // what was acknowledged
	Events   int64           // in acked
	Latency  []time.Duration // from (planned) send to acknowledgement
	Late     []time.Duration // paced: how much later than planned it was sent
	Trouble  map[string]int64
	Took     time.Duration
	Planned  []int64 // paced: by sequence, ns of the wall clock
	Requests int64
}

// Span is n events from seq on.
type Span struct {
	Seq uint32
	N   int32
}

func (s *Sent) note(seq uint32, n, status int, err error, took time.Duration) {
	s.Requests++
	s.Latency = append(s.Latency, took)
	switch {
	case status == http.StatusOK && (err == nil || errors.Is(err, errClosing)):
		s.Acked = append(s.Acked, Span{seq, int32(n)})
		s.Events += int64(n)
	case status != 0:
		s.count(fmt.Sprintf("status %d", status))
	default:
		s.count("no answer: " + kindOf(err))
	}
}

func (s *Sent) count(what string) {
	if s.Trouble == nil {
		s.Trouble = map[string]int64{}
	}
	s.Trouble[what]++
}

// kindOf says in a word what happened to a connection; its text has port numbers.
func kindOf(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	default:
		return "network"
	}
}

func (s *Sent) merge(o *Sent) {
	s.Acked = append(s.Acked, o.Acked...)
	s.Events += o.Events
	s.Requests += o.Requests
	s.Latency = append(s.Latency, o.Latency...)
	s.Late = append(s.Late, o.Late...)
	for what, n := range o.Trouble {
		if s.Trouble == nil {
			s.Trouble = map[string]int64{}
		}
		s.Trouble[what] += n
	}
}

// Closed sends over conns connections for lasts: each sends the next request
// when it has the answer to the one before. A request holds batch events.
func Closed(ctx context.Context, t Target, p Plan) (*Sent, error) {
	open := make([]*conn, 0, p.Conns)
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range p.Conns {
		c, err := t.dial(ctx)
		if err != nil {
			return nil, fmt.Errorf("open connection %d of %d: %w", len(open)+1, p.Conns, err)
		}
		open = append(open, c)
	}
	var next atomic.Uint32
	each := make([]Sent, p.Conns)
	ctx, cancel := context.WithTimeout(ctx, p.Lasts)
	defer cancel()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range open {
		wg.Go(func() { open[i] = closedConn(ctx, t, p, open[i], &next, &each[i]) })
	}
	wg.Wait()
	all := &Sent{Took: time.Since(began)}
	for i := range each {
		all.merge(&each[i])
	}
	return all, nil
}

// closedConn is one connection of a closed loop; it returns the connection that
// is open in the end.
func closedConn(ctx context.Context, t Target, p Plan, c *conn, next *atomic.Uint32, s *Sent) *conn {
	var request, body []byte
	for ctx.Err() == nil {
		seq := next.Add(uint32(p.Batch)) - uint32(p.Batch)
		if p.Events > 0 && seq >= p.Events {
			return c
		}
		request, body = t.appendRequest(request[:0], body, p.Number, seq, p.Batch)
		start := time.Now()
		status, err := c.post(request)
		s.note(seq, p.Batch, status, err, time.Since(start))
		if status == http.StatusOK && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		if err == nil {
			continue
		}
		_ = c.Close()
		again, err := t.dial(context.WithoutCancel(ctx))
		if err != nil {
			s.count("no connection: " + kindOf(err))
			return c
		}
		c = again
	}
	return c
}

// Open sends one event every 1/rate seconds, whether the ones before were
// answered or not. Latencies count from the planned moment, so that a stall is
// felt by every event that came in it.
func Open(ctx context.Context, t Target, p Plan) (*Sent, error) {
	n := int(p.Rate * p.Lasts.Seconds())
	all := &Sent{Planned: make([]int64, n)}
	idle := make(chan *conn, mostPaced)
	room := make(chan struct{}, mostPaced)
	var mu sync.Mutex // over all
	var wg sync.WaitGroup
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(float64(i) / p.Rate * float64(time.Second)))
		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				wg.Wait()
				return nil, ctx.Err()
			case <-time.After(wait):
			}
		}
		all.Planned[i] = due.UnixNano()
		select {
		case room <- struct{}{}:
		default:
			mu.Lock()
			all.count("not sent: too many unanswered")
			mu.Unlock()
			continue
		}
		wg.Go(func() {
			defer func() { <-room }()
			late := time.Since(due)
			status, err := t.postOne(ctx, idle, p.Number, uint32(i))
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			all.Late = append(all.Late, late)
			all.note(uint32(i), 1, status, err, took)
		})
	}
	wg.Wait()
	all.Took = time.Since(began)
	close(idle)
	for c := range idle {
		_ = c.Close()
	}
	return all, nil
}

// postOne sends an event over an idle connection or a new one.
func (t Target) postOne(ctx context.Context, idle chan *conn, phase, seq uint32) (int, error) {
	var c *conn
	select {
	case c = <-idle:
	default:
		var err error
		if c, err = t.dial(ctx); err != nil {
			return 0, err
		}
	}
	request, _ := t.appendRequest(nil, nil, phase, seq, 1)
	status, err := c.post(request)
	if err != nil {
		_ = c.Close()
		return status, err
	}
	idle <- c // there are never more connections than room for them
	return status, nil
}
