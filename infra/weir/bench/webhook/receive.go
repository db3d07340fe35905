// Package webhook holds the receivers of a bench: processes of their own that note
// which event arrived when, and webhooks of this process that fail in a chosen way.
package webhook

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
	"weir/infra/weir/bench/load"
)

// Command is the hidden command of the two receivers.
const Command = "receive"

// Kinds of receiver.
const (
	Handler = "handler" // the baseline: reads, validates, answers
	Sink    = "sink"    // the webhook: reads, answers
)

// mostSequence bounds what a receiver remembers of a phase.
const mostSequence = 1 << 25

// receiver notes when which event arrived first.
type receiver struct {
	validate bool
	bodies   sync.Pool

	mu      sync.Mutex
	phases  map[uint32]*tally
	strange int64 // requests that cannot be understood or do not hold what they say
}

// tally is what is known of one phase. Times are nanoseconds of the wall clock,
// which all processes of a machine share.
type tally struct {
	at             []int64 // by sequence, first arrival; 0: none
	distinct, more int64
	last           int64
}

// Counts is a tally without its times, as told to the generator.
type Counts struct {
	Distinct   int64 `json:"distinct"`
	Duplicates int64 `json:"duplicates"`
	Strange    int64 `json:"strange"` // of all phases
	Last       int64 `json:"last"`    // first arrival of the newest event
}

// Serve is the process of a receiver: it prints its URL and serves until its
// standard input ends.
func Serve(args []string) int {
	if len(args) != 1 || args[0] != Handler && args[0] != Sink {
		_, _ = fmt.Fprintln(os.Stderr, "bench: this command is the bench's own")
		return 2
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	srv := &http.Server{Handler: newReceiver(args[0] == Handler), ReadHeaderTimeout: 30 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	fmt.Println("http://" + l.Addr().String())
	_ = srv.Serve(l) // ends by Close
	return 0
}

func newReceiver(validate bool) *receiver {
	return &receiver{validate: validate, phases: map[uint32]*tally{}, bodies: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodGet {
		r.tell(w, req)
		return
	}
	b := r.bodies.Get().(*bytes.Buffer)
	defer r.bodies.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(http.MaxBytesReader(w, req.Body, 4<<20)); err != nil {
		return // the sender is gone, or sends what nobody asked for
	}
	if r.validate && !json.Valid(b.Bytes()) {
		http.Error(w, `{"success":false}`, http.StatusBadRequest)
		return
	}
	r.note(req.Header.Get("Weir-Message-Id"), b.Bytes(), time.Now().UnixNano())
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"success":true}`)
}

var idMark = []byte(`"messageId":"`)

// note books every event of a body. A webhook's header names the one event that
// the body must hold.
func (r *receiver) note(header string, body []byte, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if header != "" {
		if !bytes.Contains(body, []byte(header)) {
			r.strange++
			return
		}
		r.book(header, now)
		return
	}
	found := false
	for {
		i := bytes.Index(body, idMark)
		if i < 0 || len(body) < i+len(idMark)+load.IDLength {
			break
		}
		body = body[i+len(idMark):]
		r.book(string(body[:load.IDLength]), now)
		found = true
	}
	if !found {
		r.strange++
	}
}

func (r *receiver) book(id string, now int64) {
	phase, seq, ok := load.ParseID(id)
	if !ok || seq >= mostSequence {
		r.strange++
		return
	}
	t := r.phases[phase]
	if t == nil {
		t = new(tally)
		r.phases[phase] = t
	}
	if int(seq) >= len(t.at) {
		t.at = append(t.at, make([]int64, int(seq)+1-len(t.at))...)
	}
	if t.at[seq] != 0 {
		t.more++
		return
	}
	t.at[seq] = now
	t.distinct++
	t.last = now
}

// tell answers the generator: /counts?phase=N as JSON, /arrivals?phase=N as
// little-endian times by sequence.
func (r *receiver) tell(w http.ResponseWriter, req *http.Request) {
	phase, err := strconv.ParseUint(req.URL.Query().Get("phase"), 10, 32)
	if err != nil {
		http.Error(w, "which phase?", http.StatusBadRequest)
		return
	}
	if req.URL.Path == "/arrivals" {
		_ = binary.Write(w, binary.LittleEndian, r.Times(uint32(phase)))
		return
	}
	_ = json.NewEncoder(w).Encode(r.Counts(uint32(phase)))
}

// Counts returns what is known of a phase.
func (r *receiver) Counts(phase uint32) Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := Counts{Strange: r.strange}
	if t := r.phases[phase]; t != nil {
		c.Distinct, c.Duplicates, c.Last = t.distinct, t.more, t.last
	}
	return c
}

// Times returns when each event of a phase arrived first, by sequence; 0: not.
func (r *receiver) Times(phase uint32) []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.phases[phase]; t != nil {
		return slices.Clone(t.at)
	}
	return nil
}
