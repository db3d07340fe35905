package dataplane

import (
	transform "weir/dataplane/transform/worker"
	"weir/shared/script"
	"weir/shared/script/bundle"
	"weir/shared/worker"
)

// Tasks are what this plane, and a preview, run in processes of their own.
func Tasks() worker.Tasks {
	return worker.Tasks{transform.Task: transform.Serve, script.Task: bundle.Serve}
}
