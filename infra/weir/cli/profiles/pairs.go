package profiles

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
	"weir/shared/delay"
	"weir/shared/fault"
)

// How many pairs a call has, and how many wrong lines are told.
const (
	mostPairs = 500
	mostTold  = 100
)

// reviewing is the sending of a file of pairs.
type reviewing struct {
	k     *invocation
	kind  string
	undo  bool
	pairs [][2]string
	lines []int // of these

	read, kept int
	wrong      int
	told       []string
}

// review sends the pairs of a file.
func (k *invocation) review(ctx context.Context, kind, file string, undo bool) error {
	in := k.In
	if file != "-" {
		f, err := console.OpenFile(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was read
		in = f
	}
	r := &reviewing{k: k, kind: kind, undo: undo}
	bar := k.Progress(kind)
	err := r.each(ctx, in, func() { bar.Show(r.kept, -1, "") })
	bar.End()
	for _, line := range r.told {
		k.Note("weir: %s", line)
	}
	if r.wrong > len(r.told) {
		k.Note("weir: and %d further lines", r.wrong-len(r.told))
	}
	if err != nil {
		if r.kept > 0 {
			k.Note("weir: %d pairs are kept; sending the file again does no harm", r.kept)
		}
		return err
	}
	if k.Output != console.AsTable {
		if err := k.Print(map[string]int{"kept": r.kept, "wrong": r.wrong}); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintf(k.Out, "%d pairs; they count from the next run on: 'weir profiles run'\n", r.kept); err != nil {
		return err
	}
	if r.wrong > 0 {
		return fault.New(fault.Invalid, "%d of %d lines were left out", r.wrong, r.read)
	}
	return nil
}

// each reads lines and sends them in batches.
func (r *reviewing) each(ctx context.Context, in io.Reader, sent func()) error {
	lines := csv.NewReader(in)
	lines.FieldsPerRecord, lines.TrimLeadingSpace, lines.Comment = -1, true, '#'
	for {
		fields, err := lines.Read()
		var unread *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return r.send(ctx, sent)
		case errors.As(err, &unread):
			r.read++
			r.amiss(unread.StartLine, "it is no line of a CSV file: "+unread.Err.Error())
			continue
		case err != nil:
			return fault.New(fault.Invalid, "the pairs cannot be read: %v", err)
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(strings.TrimPrefix(fields[i], "\ufeff"))
		}
		if r.read == 0 && len(fields) == 2 && strings.EqualFold(fields[0], "a") && strings.EqualFold(fields[1], "b") {
			continue // a head
		}
		line, _ := lines.FieldPos(0)
		r.read++
		if len(fields) != 2 {
			r.amiss(line, fmt.Sprintf("it has %d fields and not the two identifiers of a pair", len(fields)))
			continue
		}
		r.pairs, r.lines = append(r.pairs, [2]string(fields)), append(r.lines, line)
		if len(r.pairs) == mostPairs {
			if err := r.send(ctx, sent); err != nil {
				return err
			}
		}
	}
}

// amiss notes a line that is left out.
func (r *reviewing) amiss(line int, why string) {
	if r.wrong++; len(r.told) < mostTold {
		r.told = append(r.told, fmt.Sprintf("line %d: %s", line, why))
	}
}

// send sends the batch. It waits for a run of the profiles, and for another process of the plane.
func (r *reviewing) send(ctx context.Context, sent func()) error {
	if len(r.pairs) == 0 {
		return nil
	}
	var raw json.RawMessage
	var err error
	for began := time.Now(); ; {
		raw, err = r.k.ask(ctx, capability.DecideProfiles, "decide", map[string]any{"kind": r.kind, "pairs": r.pairs, "undo": r.undo})
		if fault.KindOf(err) != fault.Unavailable || time.Since(began) > mayBeAway || !delay.For(ctx, lastLook) {
			break
		}
	}
	if err != nil {
		return err
	}
	var answer struct {
		Wrong []struct {
			At   int    `json:"at"`
			Text string `json:"text"`
		} `json:"wrong"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fault.New(fault.Unavailable, "the plane's answer cannot be read")
	}
	for _, w := range answer.Wrong {
		if w.At >= 0 && w.At < len(r.lines) {
			r.amiss(r.lines[w.At], w.Text)
		}
	}
	r.kept += len(r.pairs) - len(answer.Wrong)
	r.pairs, r.lines = r.pairs[:0], r.lines[:0]
	sent()
	return nil
}
