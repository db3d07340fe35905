package dataplane

import "weir/dataplane/jobs"

// runner makes the runner of the jobs of a kind, which are in the plane's book.
func (d *DataPlane) runner(kind string) func(jobs.Config) jobs.Runner {
	return d.book.Runner(func(c jobs.Config) jobs.Runner { return jobs.NewLoop(c) })
}
