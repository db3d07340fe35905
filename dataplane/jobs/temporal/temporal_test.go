package temporal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"weir/dataplane/jobs"
	"weir/dataplane/jobs/jobstest"
	"weir/dataplane/jobs/temporal"
	"weir/shared/fault"
	"weir/shared/id"
)

var update = flag.Bool("update", false, "record the history that later versions have to replay")

var key = bytes.Repeat([]byte{7}, 32)

// process is a runner with a service of its own, as a process of a plane has it.
type process struct {
	jobs.Runner
	service *temporal.Service
}

func (p process) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { p.service.Run(ctx) })
	p.Runner.Run(ctx)
	all.Wait()
}

// open makes processes of a plane; away is how long the server may be away.
func open(t *testing.T, s *server, plane id.Plane, away time.Duration) jobstest.Open {
	return func(c jobs.Config) jobs.Runner {
		service, err := temporal.New(temporal.Config{Server: temporal.Server{Find: s.at}, Plane: plane, Key: key, Away: away, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return process{service.Runner("kit", c), service}
	}
}

func TestRunnersOfAServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var n atomic.Int64
	t.Run("kit", func(t *testing.T) {
		jobstest.Run(t, func(t *testing.T) jobstest.Open {
			return open(t, s, id.Plane("pl_"+strconv.FormatInt(n.Add(1), 10)), -1)
		})
	})
}

// dial returns a client of a server that sees what the server has.
func dial(t *testing.T, s *server) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.address, Namespace: temporal.DefaultNamespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// histories returns the histories of a job's workflows.
func histories(t *testing.T, c client.Client, of string) (all []*history.History) {
	t.Helper()
	d, err := c.ScheduleClient().GetHandle(t.Context(), of).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range d.Info.RecentActions {
		h := &history.History{}
		for it := c.GetWorkflowHistory(t.Context(), a.StartWorkflowResult.WorkflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
			e, err := it.Next()
			if err != nil {
				t.Fatal(err)
			}
			h.Events = append(h.Events, e)
		}
		all = append(all, h)
	}
	return all
}

// forms are a text as it may stand in a file.
func forms(text string) map[string]string {
	all := map[string]string{"plain": text, "hex": hex.EncodeToString([]byte(text)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(text)))}
	for n := range 3 { // the characters that no neighbour has a part in
		e := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", n) + text))
		all[fmt.Sprintf("base64 after %d", n)] = e[(n*8+5)/6 : len(e)-4]
	}
	return all
}

// processes are named pid@host where nothing else is said.
var processes = regexp.MustCompile(`identity:"[^"]*@[^"]*"`)

// TestNothingOfCustomersIsInTheServer looks through all that a server wrote.
func TestNothingOfCustomersIsInTheServer(t *testing.T) {
	t.Parallel()
	const marker = "jane.doe@example.com"
	s := newServer(t)
	tries := atomic.Int64{}
	w := jobstest.New(t, func(context.Context, jobs.Key, int) (jobs.Next, error) {
		switch tries.Add(1) {
		case 1:
			return jobs.Next{}, fault.Problems("wrong "+marker, []fault.Problem{{Path: marker, Code: "wrong", Text: marker}})
		case 2:
			return jobs.Next{}, fmt.Errorf("the warehouse says %s: %w", marker, fault.New(fault.Unavailable, "duplicate key %s", marker))
		case 3:
			return jobs.Next{}, fmt.Errorf("a stranger says %s", marker)
		case 4:
			panic("a panic says " + marker)
		}
		return jobs.Next{Code: "source_answer", Rows: 42}, nil
	})
	p := w.Start(open(t, s, "pl_marked", -1))
	const k = jobs.Key("kit/ws_marked/job")
	p.Set([]jobs.Want{{Key: k}})
	w.Until("the end of a run with errors", func() bool { return w.Cursor(k) >= 1 })
	c := dial(t, s)
	kinds := map[string]bool{}
	w.Until("its history", func() bool {
		clear(kinds)
		for _, h := range histories(t, c, "pl_marked/"+string(k)) {
			for _, e := range h.Events {
				kinds[e.EventType.String()] = true
				text := e.String()
				for form, f := range forms(marker) {
					if strings.Contains(text, f) {
						t.Errorf("an event of the kind %v has the marker (%s): %s", e.EventType, form, text)
					}
				}
				if who := processes.FindString(text); who != "" {
					t.Errorf("an event of the kind %v names a process: %s", e.EventType, who)
				}
			}
		}
		return kinds["WorkflowExecutionCompleted"]
	})
	if !kinds["ActivityTaskFailed"] || !kinds["TimerFired"] {
		t.Errorf("the history has no failure and no wait: %v", kinds)
	}
	p.Stop()
	s.end()
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range forms(marker) {
			if n := bytes.Count(content, []byte(text)); n > 0 {
				t.Errorf("%s has the marker %d times (%s)", f, n, form)
			}
		}
		found += bytes.Count(content, []byte("ws_marked"))
		for _, sealed := range []string{"source_answer", `"Rows":42`} {
			if bytes.Contains(content, []byte(sealed)) {
				t.Errorf("%s has %s, which payloads seal", f, sealed)
			}
		}
	}
	if found == 0 {
		t.Error("not even the name of the job is found: the search finds nothing")
	}
}

// TestRecordedHistoriesReplay holds the workflow to what earlier versions left running.
func TestRecordedHistoriesReplay(t *testing.T) {
	t.Parallel()
	const file = "testdata/drive.json"
	if *update {
		record(t, file)
	}
	data, err := temporal.Data(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		drive  any
		replay bool
	}{
		"the workflow": {temporal.Drive, true},
		"one that waits first": {func(ctx workflow.Context, k jobs.Key) error {
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return err
			}
			return temporal.Drive(ctx, k)
		}, false},
	} {
		replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DataConverter: data})
		if err != nil {
			t.Fatal(err)
		}
		replayer.RegisterWorkflowWithOptions(tc.drive, workflow.RegisterOptions{Name: "drive"})
		err = replayer.ReplayWorkflowHistoryFromJSONFile(sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)), file)
		if (err == nil) != tc.replay {
			t.Errorf("%s replays the recorded history: %v", name, err)
		}
	}
}

// record writes down a history with each way that the workflow goes.
func record(t *testing.T, file string) {
	t.Helper()
	s := newServer(t)
	failed := false
	w := jobstest.New(t, func(_ context.Context, _ jobs.Key, at int) (jobs.Next, error) {
		switch {
		case at == 1 && !failed:
			failed = true
			return jobs.Next{}, fault.New(fault.Limited, "later")
		case at == 2:
			return jobs.Next{Wait: 100 * time.Millisecond, Code: "source_limited"}, nil
		case at == 3:
			return jobs.Next{Wait: time.Hour}, nil
		case at >= 5:
			return jobs.Next{}, nil
		}
		return jobs.Next{More: true, Rows: 3}, nil
	})
	p := w.Start(open(t, s, "pl_a", -1))
	const k = jobs.Key("kit/ws_a/job")
	p.Set([]jobs.Want{{Key: k}})
	w.Until("its long wait", func() bool { return w.Cursor(k) == 4 })
	p.Kick(k)
	w.Until("its end", func() bool { return w.Cursor(k) >= 6 })
	c := dial(t, s)
	w.Until("its history", func() bool {
		all := histories(t, c, "pl_a/"+string(k))
		if events := all[0].Events; events[len(events)-1].EventType != enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
			return false
		}
		out, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(all[0])
		if err == nil {
			err = os.WriteFile(file, out, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return true
	})
}

// TestAKilledServerLosesNoJob kills the server with SIGKILL while a job goes on, and starts
// it again where it was.
func TestAKilledServerLosesNoJob(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, text, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	w := jobstest.New(t, func(ctx context.Context, k jobs.Key, at int) (jobs.Next, error) {
		if strings.HasSuffix(string(k), "often") {
			return jobs.Next{}, nil
		}
		time.Sleep(5 * time.Millisecond)
		return jobs.Next{More: true}, nil
	})
	p := w.Start(open(t, s, "pl_a", -1))
	const long, often = jobs.Key("kit/ws_a/long"), jobs.Key("kit/ws_a/often")
	p.Set([]jobs.Want{{Key: long}, {Key: often, Every: time.Second}})
	for range 2 {
		n, m := w.Cursor(long), w.Cursor(often)
		w.Until("steps of the long job, and runs by schedule", func() bool { return w.Cursor(long) >= n+5 && w.Cursor(often) > m })
		s.kill()
		s.start(port)
	}
	n, m := w.Cursor(long), w.Cursor(often)
	p.Kick(often)
	w.Until("both to go on", func() bool { return w.Cursor(long) >= n+5 && w.Cursor(often) > m })
	w.Settle()
}

// TestJobsGoOnWhileTheServerIsAway: without a server the loop does the steps, and the
// server has them again when it comes.
func TestJobsGoOnWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	come := make(chan struct{})
	s := &server{t: t, dir: t.TempDir()}
	w := jobstest.New(t, func(context.Context, jobs.Key, int) (jobs.Next, error) {
		time.Sleep(5 * time.Millisecond)
		return jobs.Next{More: true}, nil
	})
	var service *temporal.Service
	p := w.Start(func(c jobs.Config) jobs.Runner {
		var err error
		service, err = temporal.New(temporal.Config{
			Plane: "pl_a", Key: key, Away: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
			Server: temporal.Server{Find: func(ctx context.Context) (string, error) {
				select {
				case <-come:
					return s.address, nil
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return process{service.Runner("kit", c), service}
	})
	const k = jobs.Key("kit/ws_a/job")
	p.Set([]jobs.Want{{Key: k}})
	w.Until("steps before there is a server", func() bool { return service.Away() && w.Cursor(k) >= 5 })
	s.start(0)
	t.Cleanup(func() { s.kill() })
	close(come)
	w.Until("the server to have the jobs", func() bool { return !service.Away() })
	n := w.Cursor(k)
	w.Until("steps that it asks for", func() bool { return w.Cursor(k) >= n+5 })
	c := dial(t, s)
	if all := histories(t, c, "pl_a/"+string(k)); len(all) == 0 {
		t.Error("the server has no history of the job")
	}
	s.kill()
	w.Until("the loop to have the jobs again", service.Away)
	n = w.Cursor(k)
	w.Until("steps while the server is away", func() bool { return w.Cursor(k) >= n+5 })
	w.Settle()
}

func TestSchedulesAreThoseOfTheLibraryOfCron(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want                 jobs.Want
		intervals, calendars int
	}{
		{jobs.Want{Key: "a", Every: time.Hour}, 1, 0},
		{jobs.Want{Key: "a"}, 1, 0}, // a server forgets schedules that begin nothing
		{jobs.Want{Key: "a", Cron: "*/15 6-8 * * MON-FRI"}, 0, 1},
		{jobs.Want{Key: "a", Cron: "0 6 1 * MON"}, 0, 2}, // either of the days
		{jobs.Want{Key: "a", Every: time.Hour, Cron: "0 6 1 * *"}, 1, 1},
	} {
		if i, c := temporal.Spec(tc.want); i != tc.intervals || c != tc.calendars {
			t.Errorf("%+v: %d intervals and %d calendars, want %d and %d", tc.want, i, c, tc.intervals, tc.calendars)
		}
	}
}

func TestWhatIsSaidOfAServerIsChecked(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]temporal.Server{
		"":                               {Address: "temporal.example:7233", Namespace: "weir", TLS: true},
		"is not host:port":               {Address: "temporal.example"},
		"need its address, --temporal":   {Namespace: "weir"},
		"belong together":                {Address: "temporal.example:7233", Cert: "client.pem"},
		"of --temporal-ca holds no cert": {Address: "temporal.example:7233", CA: "temporal_test.go"},
		"cannot be used":                 {Address: "temporal.example:7233", Cert: "no.pem", Key: "no.pem"},
	} {
		err := s.Check()
		if (err == nil) != (want == "") || err != nil && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}
