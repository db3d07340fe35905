package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found.
type report struct {
	Machine machine  `json:"machine"`
	Rows    []row    `json:"rows"`
	Lost    int64    `json:"lost"`   // acknowledged, and not at the sink
	Notes   []string `json:"notes"`  // what was odd
	Logged  []string `json:"logged"` // by weir, on its standard error
}

// machine is what the figures depend on beside the product.
type machine struct {
	CPUs       int     `json:"cpus"`
	Load       float64 `json:"load"`       // of the last minute, before the run
	Filesystem string  `json:"filesystem"` // of the run's directory
	SyncMicros float64 `json:"syncMicros"` // median of an fsync of a 4 KiB append there
}

// row is one figure.
type row struct {
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

// add appends a figure without target. baseline 0 means none.
func (r *report) add(name string, figure float64, unit string, baseline float64, note string) {
	one := row{Name: name, Figure: figure, Unit: unit, Met: true, Baseline: baseline, Note: note}
	if baseline > 0 {
		one.Ratio = figure / baseline
	}
	r.Rows = append(r.Rows, one)
}

// goal appends a figure that is to be at most target.
func (r *report) goal(name string, figure float64, unit string, target, baseline float64, note string) {
	r.add(name, figure, unit, baseline, note)
	last := &r.Rows[len(r.Rows)-1]
	last.Target, last.HasGoal, last.Met = target, true, figure <= target
}

// least appends a figure that is to be at least target; a target of 0 is none.
func (r *report) least(name string, figure float64, unit string, target, baseline float64, note string) {
	r.add(name, figure, unit, baseline, note)
	if target > 0 {
		last := &r.Rows[len(r.Rows)-1]
		last.Target, last.HasGoal, last.AtLeast, last.Met = target, true, true, figure >= target
	}
}

// most is goal, but a target of 0 is none.
func (r *report) most(name string, figure float64, unit string, target, baseline float64, note string) {
	if target > 0 {
		r.goal(name, figure, unit, target, baseline, note)
	} else {
		r.add(name, figure, unit, baseline, note)
	}
}

func (r *report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// table writes the report for people.
func (r *report) table(out io.Writer) {
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

// quantile returns the q-th (0..1) of all, 0 for none. It sorts all.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
