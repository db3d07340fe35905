package pulls

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"weir/infra/weir/bench/process"
)

// pageRows is how many rows an answer has.
const pageRows = 1000

// tool is a stand-in for a tool whose rows are pulled. It gives no rows until it may give
// some, and then so many, each with a key of its own.
type tool struct {
	srv  *http.Server
	url  string
	rows atomic.Int64 // that it has
}

func newTool() (*tool, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the tool: %w", err)
	}
	t := &tool{url: "http://" + l.Addr().String()}
	t.srv = &http.Server{Handler: t, ReadHeaderTimeout: time.Minute}
	go func() { _ = t.srv.Serve(l) }() // ends by Close
	return t, nil
}

// ServeHTTP gives the rows behind a token, which is a number.
func (t *tool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.ParseInt(r.URL.Query().Get("token"), 10, 64)
	to := min(from+pageRows, t.rows.Load())
	b := bytes.NewBuffer(make([]byte, 0, pageRows*420))
	b.WriteString(`{"items":[`)
	for i := from; i < to; i++ {
		if i > from {
			b.WriteByte(',')
		}
		_, _ = fmt.Fprintf(b, `{"id":%d,"status":"open","subject":"I cannot sign in any more, since this morning","priority":%d,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z",`+
			`"requester_id":%d,"assignee_id":17,"tags":["login","web"],"via":{"channel":"web"},"satisfaction":{"score":%d.5,"comment":null},"url":"https://tool.example/tickets/%[1]d","public":true}`, i, i%4, i%9973, i%5)
	}
	b.WriteString(`],"next":`)
	if to < t.rows.Load() {
		_, _ = fmt.Fprintf(b, `"%d"`, to)
	} else {
		b.WriteString("null")
	}
	b.WriteString("}")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}

// spec is the tool's kind.
const spec = `family: source
name: tool
title: Tool
category: generic
doc: Rows of a tool.
base: { any: https://tool.example }
streams:
  items:
    doc: Items.
    get: /items
    pages: { token: next, param: token }
    rows: items
    key: id
    deletes: unseen
`

// watched is what weir used while something ran.
type watched struct{ cpu, took time.Duration }

// during measures what a process tree uses while do runs.
func during(ctx context.Context, pid int, do func(context.Context) error) (w watched, err error) {
	before, err := process.CPUTime(pid)
	if err != nil {
		return w, err
	}
	began := time.Now()
	if err := do(ctx); err != nil {
		return w, err
	}
	w.took = time.Since(began)
	after, err := process.CPUTime(pid)
	w.cpu = after - before
	return w, err
}
