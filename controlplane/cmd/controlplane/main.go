// Command controlplane runs the control plane alone: the binary of its image.
package main

import (
	"context"
	"os"

	role "weir/controlplane/command"
	"weir/shared/command"
)

// version is the release, set by the linker.
var version = "0.1.0"

func main() {
	p := command.Process{Program: role.Role, Version: version}.Complete()
	root := role.New(p)
	root.AddCommand(role.Worker())
	os.Exit(p.Run(context.Background(), root, os.Args[1:]))
}
