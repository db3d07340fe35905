// Package report holds the figures of a bench, with their targets and baselines,
// and prints them.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run found.
type Report struct {
	Machine Machine  `json:"machine"`
	Rows    []Row    `json:"rows"`
	Lost    int64    `json:"lost"`    // acknowledged, and not at the sink
	Refused int64    `json:"refused"` // of a tenant that has to be taken
	Notes   []string `json:"notes"`   // what was odd
	Logged  []string `json:"logged"`  // by weir, on its standard error
}

// Machine is what the figures depend on beside the product.
type Machine struct {
	CPUs       int     `json:"cpus"`
	Load       float64 `json:"load"`       // of the last minute, before the run
	Filesystem string  `json:"filesystem"` // of the run's directory
	SyncMicros float64 `json:"syncMicros"` // median of an fsync of a 4 KiB append there
}

// Row is one figure.
type Row struct {
	Name     string  `json:"name"`
	Figure   float64 `json:"figure"`
	Unit     string  `json:"unit"`
	Target   float64 `json:"target"` // at most, or at least; 0: none
	AtLeast  bool    `json:"atLeast,omitempty"`
	HasGoal  bool    `json:"hasTarget"`
	Met      bool    `json:"met"` // also true without a target
	Baseline float64 `json:"baseline"`
	Ratio    float64 `json:"ratio"` // figure / baseline; 0: there is no baseline
	Note     string  `json:"note,omitempty"`
}

// Add appends a figure without target. baseline 0 means none.
func (r *Report) Add(name string, figure float64, unit string, baseline float64, note string) {
	one := Row{Name: name, Figure: figure, Unit: unit, Met: true, Baseline: baseline, Note: note}
	if baseline > 0 {
		one.Ratio = figure / baseline
	}
	r.Rows = append(r.Rows, one)
}

// Goal appends a figure that is to be at most target.
func (r *Report) Goal(name string, figure float64, unit string, target, baseline float64, note string) {
	r.Add(name, figure, unit, baseline, note)
	last := &r.Rows[len(r.Rows)-1]
	last.Target, last.HasGoal, last.Met = target, true, figure <= target
}

// Least appends a figure that is to be at least target; a target of 0 is none.
func (r *Report) Least(name string, figure float64, unit string, target, baseline float64, note string) {
	r.Add(name, figure, unit, baseline, note)
	if target > 0 {
		last := &r.Rows[len(r.Rows)-1]
		last.Target, last.HasGoal, last.AtLeast, last.Met = target, true, true, figure >= target
	}
}

// Most is Goal, but a target of 0 is none.
func (r *Report) Most(name string, figure float64, unit string, target, baseline float64, note string) {
	if target > 0 {
		r.Goal(name, figure, unit, target, baseline, note)
	} else {
		r.Add(name, figure, unit, baseline, note)
	}
}

// Note adds what was odd.
func (r *Report) Note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Table writes the report for people.
func (r *Report) Table(out io.Writer) {
	m := r.Machine
	_, _ = fmt.Fprintf(out, "%d CPUs, load %.1f before the run, %s, fsync of 4 KiB %.0f us\n\n", m.CPUs, m.Load, m.Filesystem, m.SyncMicros)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "what\tfigure\ttarget\t\tbaseline\tratio\tnote")
	for _, one := range r.Rows {
		target, mark, baseline, ratio := "-", "", "-", "-"
		if one.HasGoal {
			target, mark = "<= "+number(one.Target)+" "+one.Unit, "ok"
			if one.AtLeast {
				target = ">= " + number(one.Target) + " " + one.Unit
			}
			if !one.Met {
				mark = "MISSED"
			}
		}
		if one.Ratio > 0 {
			baseline, ratio = number(one.Baseline)+" "+one.Unit, number(one.Ratio)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\t%s\t%s\t%s\n", one.Name, number(one.Figure), one.Unit, target, mark, baseline, ratio, one.Note)
	}
	_ = w.Flush()
	for _, n := range r.Notes {
		_, _ = fmt.Fprintf(out, "\nodd: %s", n)
	}
	if len(r.Logged) > 0 {
		_, _ = fmt.Fprintf(out, "\nweir logged:\n  %s", strings.Join(r.Logged, "\n  "))
	}
	if len(r.Notes)+len(r.Logged) > 0 {
		_, _ = fmt.Fprintln(out)
	}
}

// number prints three digits that count, and whole numbers from 100 on.
func number(f float64) string {
	if f >= 100 || f == float64(int64(f)) {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', 3, 64)
}

// Quantile returns the q-th (0..1) of all, 0 for none. It sorts all.
func Quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}

// Millis returns d in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Print writes the report as a table or as JSON.
func (r *Report) Print(out io.Writer, asJSON bool) {
	if !asJSON {
		r.Table(out)
		return
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	_ = enc.Encode(r) // a report has nothing that cannot be encoded
}
