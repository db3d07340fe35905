package api

import (
	"time"

	"weir/dataplane/pull"
	"weir/dataplane/pull/api/answers"
	"weir/shared/catalog/streams"
)

// jobWait is how long a step waits for a job.
const jobWait = 15 * time.Second

// job begins the job of a window and waits for its end: waits, until then. What became of it
// is in the position, so that a death begins no second one.
func (r *run) job(a asking) error {
	j := r.stream.Job
	if r.p.Job == "" {
		request, err := r.request(&j.Request, a)
		if err != nil {
			return err
		}
		res, err := r.send(request)
		if err != nil {
			return err
		}
		if r.p.Job = at(res.Body, j.ID).Text(); r.p.Job == "" {
			return &pull.Failure{Code: pull.CodeAnswer, Text: "The vendor did not say the number of the report."}
		}
		if err := r.emit(nil, r.p.cursor()); err != nil {
			return err
		}
	}
	a.job = r.p.Job
	request, err := r.request(&streams.Request{Method: "GET", Path: j.Status}, a)
	if err != nil {
		return err
	}
	res, err := r.send(request)
	switch {
	case err != nil:
		return err
	case answers.Holds(j.Done, res.Body):
		r.p.Made = true
		return r.emit(nil, r.p.cursor())
	case answers.Holds(j.Failed, res.Body):
		r.p.list() // another one is begun
		if err := r.emit(nil, r.p.cursor()); err != nil {
			return err
		}
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "The vendor could not make the report."}
	}
	return waits{jobWait}
}
