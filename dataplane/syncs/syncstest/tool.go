// Package syncstest holds syncs to what they promise, on any warehouse: a destination that
// refuses, fails and is away, and rows that change at random, against a model of both.
package syncstest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/queue/natsstore/table"
	"weir/shared/fault"
)

// Tool is a destination with its records, by key. It is asked in batches.
type Tool struct {
	mu      sync.Mutex
	records map[string]string // fields as JSON
	writes  map[string]int    // by key, since Forget
	refuses map[string]bool   // keys
	away    bool
	stumble int // every so many requests are not answered; 0: none
	asked   int
}

// NewTool returns a tool without records.
func NewTool() *Tool {
	return &Tool{records: map[string]string{}, writes: map[string]int{}, refuses: map[string]bool{}}
}

// Records returns the records.
func (t *Tool) Records() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.records)
}

// Writes returns how often each key was written, and forgets it.
func (t *Tool) Writes() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.writes
	t.writes = map[string]int{}
	return was
}

// Set changes how the tool behaves.
func (t *Tool) Set(do func(t *Tool)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do(t)
}

// Build implements destination.Destination.
func (t *Tool) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	r := destination.Request{Method: http.MethodPost, URL: "http://tool.example/"}
	for i := range b.Items {
		if r.Body = append(r.Body, b.Items[i].Event.JSON...); i < len(b.Items)-1 {
			r.Body = append(r.Body, '\n')
		}
		r.Items = append(r.Items, i)
	}
	return []destination.Request{r}, nil
}

// Judge implements destination.Destination.
func (t *Tool) Judge(r destination.Request, res destination.Response) []destination.Verdict {
	if res.Status != 200 {
		return destination.Classify(r, res)
	}
	var refused []bool
	if err := json.Unmarshal(res.Body, &refused); err != nil {
		return destination.Classify(r, destination.Response{Status: 500})
	}
	out := make([]destination.Verdict, len(r.Items))
	for i, item := range r.Items {
		if out[i] = (destination.Verdict{Item: item, Outcome: destination.Delivered}); refused[i] {
			out[i].Outcome, out[i].Code = destination.Dead, "rejected_422"
		}
	}
	return out
}

var errAway = errors.New("connection refused to 192.0.2.1, mark-of-a-driver")

// Do takes a request.
func (t *Tool) Do(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away {
		return destination.Response{}, errAway
	}
	t.asked++
	lost := t.stumble > 0 && t.asked%t.stumble == 0
	var refused []bool
	dec := json.NewDecoder(bytesOf(r.Body))
	for dec.More() {
		var in struct {
			Action, Key, Object string
			Fields              json.RawMessage
		}
		if err := dec.Decode(&in); err != nil || in.Object != "person" {
			return destination.Response{Status: 400}, nil
		}
		refused = append(refused, t.refuses[in.Key])
		if t.refuses[in.Key] {
			continue
		}
		t.writes[in.Key]++
		if in.Action == "delete" {
			delete(t.records, in.Key)
			continue
		}
		t.records[in.Key] = string(in.Fields)
	}
	if lost {
		return destination.Response{}, errAway // it was done, and the answer was lost
	}
	body, err := json.Marshal(refused)
	return destination.Response{Status: 200, Body: body}, err
}

// Memory is a table of documents that lasts as long as a test.
type Memory struct {
	mu   sync.Mutex
	docs map[string]table.Document
	news []chan table.Document
}

// Get implements syncs.Table.
func (m *Memory) Get(_ context.Context, key string) (table.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.docs[key]; ok {
		return d, nil
	}
	return table.Document{}, fault.New(fault.Missing, "There is no such document.")
}

// Put implements syncs.Table.
func (m *Memory) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.docs == nil {
		m.docs = map[string]table.Document{}
	}
	if m.docs[key].Revision != revision {
		return 0, fault.New(fault.Conflict, "Somebody replaced it.")
	}
	d := table.Document{Key: key, Value: value, Revision: revision + 1}
	m.docs[key] = d
	for _, c := range m.news {
		select {
		case c <- d:
		default: // whoever follows reads the newest one next
		}
	}
	return d.Revision, nil
}

// Watch implements syncs.Table.
func (m *Memory) Watch(ctx context.Context, changed func(table.Document), known func()) error {
	c := make(chan table.Document, 1024)
	m.mu.Lock()
	for _, d := range m.docs {
		c <- d
	}
	m.news = append(m.news, c)
	for range len(m.docs) {
		changed(<-c)
	}
	m.mu.Unlock()
	known()
	for {
		select {
		case d := <-c:
			changed(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Texts returns what the documents hold.
func (m *Memory) Texts() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := ""
	for _, d := range m.docs {
		all += string(d.Value)
	}
	return all
}
