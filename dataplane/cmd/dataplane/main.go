// Command dataplane runs a data plane alone, or lets one join: the binary of its
// image.
package main

import (
	"context"
	"os"

	role "weir/dataplane/command"
	"weir/shared/command"
)

// version is the release, set by the linker.
var version = "0.1.0"

func main() {
	p := command.Process{Program: role.Role, Version: version}.Complete()
	root := role.New(p)
	root.AddCommand(role.TransformWorker())
	os.Exit(p.Run(context.Background(), root, os.Args[1:]))
}
