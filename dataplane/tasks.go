package dataplane

import (
	"maps"

	"weir/dataplane/connector"
	transform "weir/dataplane/transform/worker"
	"weir/dataplane/warehouses"
	"weir/shared/script"
	"weir/shared/script/bundle"
	"weir/shared/worker"
)

// Tasks are what this plane, and a preview, run in processes of their own.
func Tasks() worker.Tasks {
	tasks := worker.Tasks{transform.Task: transform.Serve, script.Task: bundle.Serve, connector.Task: connector.Serve}
	maps.Copy(tasks, warehouses.Tasks())
	return tasks
}
