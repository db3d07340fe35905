package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"
	"weir/infra/weir/bench/webhook"
)

// Parts of a run.
const (
	partWebhook = "webhook"
	partBeside  = "beside"
	partSoak    = "soak"

	partNeighbours = "neighbours"
	partKinds      = "kinds"
	partAPI        = "api"
	partRows       = "rows"
	partPulls      = "pulls"
	partFreshness  = "freshness"
)

// mostTime bounds a whole run, drains included. A soak adds its time twice: what
// it leaves parked may take as long to drain.
const mostTime = 15 * time.Minute

// The children's parent-death signal follows the thread that started them; the
// main thread is the one that lives as long as the process.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) > 1 && os.Args[1] == webhook.Command {
		os.Exit(webhook.Serve(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program without its process: it returns the exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	fl := flag.NewFlagSet("bench", flag.ContinueOnError)
	fl.SetOutput(errs)
	weir := fl.String("weir", "bin/weir", "the built binary to measure")
	seconds := fl.Float64("seconds", 0, "how long each phase lasts (else 20 paced, 5 each under full load)")
	asJSON := fl.Bool("json", false, "print JSON instead of a table")
	dir := fl.String("dir", "", "where the run's directory is made, on the disk to be measured (else the system's temporary directory)")
	stall := fl.Duration("stall", 30*time.Second, "how long without an arrival until what is missing counts as lost")
	profiles := fl.String("profile", "", "a directory for weir's CPU profiles: of every full load, and of what part api measures")
	only := fl.String("only", "", "measure only this part: webhook, beside (rows and isolation), or rows, freshness, pulls, kinds, neighbours, api or soak, which run only when asked for")
	events := fl.Uint("events", 1_000_000, "of rows: how many events are sent")
	kind := fl.String("kind", "", "of neighbours, kinds, api and freshness: only what has this in its name")
	soak := fl.Duration("soak", 30*time.Minute, "how long the soak lasts")
	if err := fl.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if fl.NArg() > 0 || *seconds < 0 || *stall <= 0 || *soak <= 0 {
		_, _ = fmt.Fprintln(errs, "bench: -seconds, -stall and -soak are not negative, and there are no arguments beside the flags")
		return 2
	}
	if !slices.Contains([]string{"", partWebhook, partBeside, partSoak, partNeighbours, partKinds, partAPI, partRows, partPulls, partFreshness}, *only) {
		_, _ = fmt.Fprintf(errs, "bench: -only is %s, %s, %s, %s, %s, %s, %s, %s or %s\n", partWebhook, partBeside, partRows, partFreshness, partPulls, partKinds, partNeighbours, partAPI, partSoak)
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, mostTime+2**soak)
	defer cancel()
	b := &bench{weir: *weir, paced: 20 * time.Second, full: 5 * time.Second, stall: *stall, profiles: *profiles, only: *only, kind: *kind, events: uint32(*events), soaks: *soak, errs: errs}
	if *seconds > 0 {
		b.paced = time.Duration(*seconds * float64(time.Second))
		b.full = b.paced
	}
	err := b.measure(ctx, *dir)
	if err == nil || len(b.report.Rows) > 0 {
		b.report.Print(out, *asJSON)
	}
	if err != nil {
		_, _ = fmt.Fprintf(errs, "bench: %v\n", err)
		return 1
	}
	if b.report.Lost > 0 {
		_, _ = fmt.Fprintf(errs, "bench: %d acknowledged events did not arrive\n", b.report.Lost)
		return 1
	}
	if b.report.Refused > 0 {
		_, _ = fmt.Fprintf(errs, "bench: %d events of a good tenant were refused\n", b.report.Refused)
		return 1
	}
	return 0
}
