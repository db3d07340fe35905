package foreign

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/destination/fields"
	"weir/dataplane/event"
	"weir/dataplane/pull"
)

// mostCatalog is how much a run may say that checks, or lists streams.
const mostCatalog = 32 << 20

// prepare does the checks of the protocol, once, and finds a stream in the catalog.
func (s *source) prepare(ctx context.Context, want Stream, m *connector.Manifest, config map[string]json.RawMessage) (Selection, error) {
	files := map[string][]byte{configFile: encoded(config)}
	if !s.checked {
		for _, c := range s.protocol.Checks() {
			said, err := s.ask(ctx, m, c.Args, files)
			if err != nil {
				return Selection{}, err
			}
			for line := range lines(said) {
				if f := c.Line(line, config); f != nil {
					return Selection{}, f
				}
			}
		}
		s.checked = true
	}
	if !m.Discovers() {
		return Selection{Name: want.Name}, nil
	}
	if f, ok := s.found[want.Name]; ok && s.deps.Now().Sub(f.at) < catalogTime {
		return f.Selection, nil
	}
	said, err := s.ask(ctx, m, s.protocol.Discover(), files)
	if err != nil {
		return Selection{}, err
	}
	selected, err := s.protocol.Select(said, want)
	if err != nil {
		return Selection{}, err
	}
	if s.found == nil {
		s.found = map[string]found{}
	}
	s.found[want.Name] = found{selected, s.deps.Now()}
	return selected, nil
}

// ask returns all that a run says that reads nothing.
func (s *source) ask(ctx context.Context, m *connector.Manifest, args []string, files map[string][]byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	p, err := s.launch(ctx, m, "ask-"+args[0], args, files)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	said, err := io.ReadAll(io.LimitReader(p, mostCatalog+1))
	switch {
	case len(said) > mostCatalog:
		return nil, refuse(pull.CodeAnswer, "The connector says more than 32 MiB of its streams.")
	case err != nil && ctx.Err() == nil:
		return nil, refuse(pull.CodeAnswer, "What the connector says cannot be read.")
	}
	e, err := p.Wait()
	if err != nil {
		if ctx.Err() != nil {
			return nil, refuse(pull.CodeUnreachable, "The connector did not answer in "+askTime.String()+".")
		}
		return nil, refuse(pull.CodeAnswer, "The connector was ended from outside.")
	}
	// Some say what is wrong and then end with another code than 0: what they say is better.
	for line := range lines(said) {
		if f := s.protocol.Parse(line, nil).Failure; f != nil {
			return nil, f
		}
	}
	if f := failureOf(e); f != nil {
		return nil, f
	}
	return said, nil
}

// lines yields the lines that are JSON.
func lines(said []byte) func(yield func(fields.Value) bool) {
	return func(yield func(fields.Value) bool) {
		for len(said) > 0 {
			line := said
			if i := bytes.IndexByte(said, '\n'); i >= 0 {
				line, said = said[:i], said[i+1:]
			} else {
				said = nil
			}
			if event.Check(line, levels) == "" && !yield(fields.Value(bytes.TrimSpace(line))) {
				return
			}
		}
	}
}

// failureOf is what an end means; nil: it was as it should be.
func failureOf(e connector.Exit) *pull.Failure {
	switch {
	case e.Failed != "":
		return &pull.Failure{Code: pull.CodeRefused, Text: "The connector does not start: " + e.Failed + "."}
	case e.Over != "":
		return &pull.Failure{Code: pull.CodeRefused, Text: "The connector used more " + e.Over + " than its connector.yaml allows."}
	case e.Signal != 0:
		return &pull.Failure{Code: pull.CodeAnswer, Text: "The connector was ended by signal " + strconv.Itoa(e.Signal) + "."}
	case e.Code != 0:
		return &pull.Failure{Code: pull.CodeAnswer, Text: "The connector ended with exit code " + strconv.Itoa(e.Code) + "; its log is in the plane's folder connectors."}
	}
	return nil
}

// mostText is how long a line may be; an event has 1 MiB at most.
const mostText = 4 << 20

// Bounds of what a run says at a time, and of what it says that is no row.
const (
	batchLines = 1000
	batchBytes = 1 << 20
	mostIdle   = 100_000 // lines in a row
	levels     = 128
)

// errLong is a line that is longer than it may be.
var errLong = errors.New("a line is too long")

// batch is what a run said.
type batch struct {
	lines [][]byte
	err   error // why there is no further one: io.EOF, or errLong
}

// scan gives what a run says, a bounded batch at a time, until it ends or stop is closed.
func scan(from io.Reader, to chan<- batch, stop <-chan struct{}) {
	defer close(to)
	in := bufio.NewReaderSize(from, 256<<10)
	var b batch
	size := 0
	for {
		line, err := text(in)
		if len(line) > 0 {
			b.lines = append(b.lines, line)
			size += len(line)
		}
		b.err = err
		if err == nil && len(b.lines) < batchLines && size < batchBytes && in.Buffered() > 0 {
			continue
		}
		if len(b.lines) == 0 && err == nil {
			continue
		}
		select {
		case to <- b:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
		b, size = batch{}, 0
	}
}

// text reads a line without its end.
func text(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > mostText {
			return nil, errLong
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimSpace(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return bytes.TrimSpace(line), io.EOF // a line without an end is looked at, too
		}
	}
}

// flushed reports whether rows should be made durable now.
func flushed(records int, size int, since time.Duration) bool {
	return records >= batchLines/2 || size >= batchBytes/4 || since >= flushTime
}
