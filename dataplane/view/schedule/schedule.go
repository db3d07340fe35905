// Package schedule is what people may ask a plane about its long work that is due now and
// then, such as pulls, syncs and runs of profiles: when steps began, what came of them and
// when the next ones are due; and what they may do to it. Answers hold codes and counts.
//
//	GET  /v1/schedule                             jobs:read
//	GET  /v1/schedule/runs?job=                   jobs:read
//	POST /v1/schedule/pull     {"verb", "job"}    pulls:change
//	POST /v1/schedule/sync     {"verb", "job"}    syncs:run
//	POST /v1/schedule/profile  {"verb", "job"}    profiles:run
//	POST /v1/schedule/expire   {"verb", "job"}    loads:start
package schedule

import (
	"context"
	"slices"
	"time"

	"weir/dataplane/erase"
	"weir/dataplane/jobs"
	"weir/dataplane/jobs/record"
	"weir/dataplane/profile"
	"weir/dataplane/profile/runs"
	"weir/dataplane/pull"
	"weir/dataplane/syncs"
	"weir/dataplane/view/endpoint"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

// Config is what the calls work with. All fields are required.
type Config struct {
	Book     *record.Book
	Pulls    *pull.Board
	Syncs    *syncs.Engine
	Profiles *runs.Board
	Expirer  *erase.Expirer
}

// Register adds the calls to mux.
func Register(mux *endpoint.Mux, cfg Config) {
	h := handler{cfg}
	mux.Handle("GET /v1/schedule", capability.ReadJobs, h.list)
	mux.Handle("GET /v1/schedule/runs", capability.ReadJobs, h.runs)
	mux.Handle("POST /v1/schedule/pull", capability.ChangePulls, h.change("pull"))
	mux.Handle("POST /v1/schedule/sync", capability.RunSyncs, h.change("sync"))
	mux.Handle("POST /v1/schedule/profile", capability.RunProfiles, h.change("profile"))
	mux.Handle("POST /v1/schedule/expire", capability.StartLoads, h.change("expire"))
}

type handler struct{ Config }

// job is a job as people name it, kind/name or pull/source/stream.
type job struct {
	key         jobs.Key
	kind        string
	name        string
	paused      bool
	source      id.Source      // that it is about, else ""
	destination id.Destination // the same
	kick        func(context.Context) error
	pause       func(ctx context.Context, paused bool) error
}

// jobs lists the jobs of a workspace: pulls, syncs, profiles, rows that expire.
func (h handler) jobs(ws id.Workspace) (all []job, err error) {
	pulls, err := h.Pulls.Statuses(ws)
	if err != nil {
		return nil, err
	}
	for _, p := range pulls {
		if p.Target.Disabled {
			continue
		}
		k := pull.Key{Workspace: ws, Source: p.Target.ID, Stream: p.Stream}
		all = append(all, job{
			key: k.Job(), kind: "pull", name: p.Target.Name + "/" + p.Stream, paused: p.Paused, source: p.Target.ID,
			kick: func(ctx context.Context) error { return h.Pulls.Do(ctx, k, pull.Now, time.Time{}) },
			pause: func(ctx context.Context, paused bool) error {
				verb := pull.Resume
				if paused {
					verb = pull.Pause
				}
				return h.Pulls.Do(ctx, k, verb, time.Time{})
			},
		})
	}
	synced, err := h.Syncs.Syncs(ws)
	if err != nil {
		return nil, err
	}
	for _, s := range synced {
		if s.Task.Sync.Disabled {
			continue
		}
		all = append(all, job{
			key: s.Task.Job(), kind: "sync", name: s.Task.Sync.Name, paused: s.Paused, destination: s.Task.Sync.Destination,
			kick:  func(ctx context.Context) error { return h.Syncs.Start(ctx, s.Task) },
			pause: func(ctx context.Context, paused bool) error { return h.Syncs.Pause(ctx, s.Task, paused) },
		})
	}
	for name, k := range h.Profiles.Keys(ws) {
		all = append(all, job{
			key: k, kind: "profile", name: name, paused: h.Book.Paused(k),
			kick:  func(context.Context) error { _, err := h.Profiles.Ask(ws, name, profile.Options{}); return err },
			pause: func(ctx context.Context, paused bool) error { return h.Book.Pause(ctx, k, paused) },
		})
	}
	for _, r := range h.Expirer.Rules() {
		if r.Workspace != ws {
			continue
		}
		all = append(all, job{
			key: r.Job(), kind: "expire", name: r.Name, paused: h.Book.Paused(r.Job()), destination: r.Destination,
			kick:  func(ctx context.Context) error { _, err := h.Expirer.Ask(ctx, r); return err },
			pause: func(ctx context.Context, paused bool) error { return h.Book.Pause(ctx, r.Job(), paused) },
		})
	}
	for i := range all {
		all[i].name = all[i].kind + "/" + all[i].name
	}
	return all, nil
}

// shown is a job as it is shown. States: running, due, waiting, failing, paused, idle.
type shown struct {
	Job   string     `json:"job"`
	Kind  string     `json:"kind"`
	State string     `json:"state"`
	Code  string     `json:"code"`
	Steps int64      `json:"steps"`
	Began *time.Time `json:"began"` // the last step
	Took  float64    `json:"took"`  // it, in seconds
	Next  *time.Time `json:"next"`
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// covers reports whether a call may see a job: a grant of some objects covers those jobs
// that are about one of them.
func covers(c *endpoint.Call, j job) bool {
	return (len(c.Grant.Sources) == 0 || j.source != "" && c.CoversSource(j.source)) &&
		(len(c.Grant.Destinations) == 0 || j.destination != "" && c.CoversDestination(j.destination))
}

func (h handler) shown(ws id.Workspace, all []job) []shown {
	known := map[jobs.Key]record.Status{}
	for _, s := range h.Book.Jobs(ws) {
		known[s.Key] = s
	}
	out := []shown{}
	for _, j := range all {
		s, there := known[j.key]
		x := shown{Job: j.name, Kind: j.kind, State: s.State, Code: s.Code, Steps: s.Steps, Began: moment(s.Began), Took: s.Took.Seconds(), Next: moment(s.Due)}
		if !there {
			x.State = "due"
		}
		if j.paused {
			x.State = "paused"
		}
		if x.State == "paused" || x.State == "idle" {
			x.Next = nil
		}
		out = append(out, x)
	}
	return out
}

func (h handler) list(c *endpoint.Call) (any, error) {
	all, err := h.jobs(c.Grant.Workspace)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(j job) bool { return !covers(c, j) })
	return map[string]any{"jobs": h.shown(c.Grant.Workspace, all)}, nil
}

// job finds the job that a call names.
func (h handler) job(c *endpoint.Call, name string) (job, error) {
	all, err := h.jobs(c.Grant.Workspace)
	if err != nil {
		return job{}, err
	}
	at := slices.IndexFunc(all, func(j job) bool { return j.name == name })
	switch {
	case at < 0:
		return job{}, fault.New(fault.Missing, "The plane has no such job in this workspace: 'weir jobs list' shows what there is.")
	case !covers(c, all[at]):
		return job{}, fault.New(fault.Denied, "This capability does not cover what the job is about.")
	}
	return all[at], nil
}

// run is a run as it is shown.
type run struct {
	Began  time.Time  `json:"began"`
	Ended  *time.Time `json:"ended"`
	Steps  int        `json:"steps"`
	Errors int        `json:"errors"`
	Rows   int64      `json:"rows"`
	Code   string     `json:"code"`
}

func (h handler) runs(c *endpoint.Call) (any, error) {
	j, err := h.job(c, c.URL.Query().Get("job"))
	if err != nil {
		return nil, err
	}
	out := []run{}
	for _, r := range h.Book.Runs(j.key) {
		out = append(out, run{r.Began, moment(r.Ended), r.Steps, r.Errors, r.Rows, r.Code})
	}
	return map[string]any{"job": j.name, "runs": out}, nil
}

// change does something to a job of a kind.
func (h handler) change(kind string) func(*endpoint.Call) (any, error) {
	return func(c *endpoint.Call) (any, error) {
		var in struct{ Verb, Job string }
		if err := c.Decode(&in, endpoint.MaxBody); err != nil {
			return nil, err
		}
		j, err := h.job(c, in.Job)
		if err != nil {
			return nil, err
		}
		switch {
		case j.kind != kind:
			err = fault.New(fault.Invalid, "The job %s is of another kind.", j.name)
		case in.Verb == "kick" && j.paused:
			err = fault.New(fault.Conflict, "The job %s is paused: resume it first.", j.name)
		case in.Verb == "kick":
			err = j.kick(c.Context())
		case in.Verb == "pause" || in.Verb == "resume":
			err = j.pause(c.Context(), in.Verb == "pause")
		default:
			err = fault.New(fault.Invalid, "The verb is kick, pause or resume.")
		}
		if err != nil {
			return nil, err
		}
		if j, err = h.job(c, in.Job); err != nil {
			return nil, err
		}
		return map[string]any{"jobs": h.shown(c.Grant.Workspace, []job{j})}, nil
	}
}
